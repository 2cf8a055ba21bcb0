package experiment

import (
	"testing"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/experiment/verdict"
)

// Memory is the processes' own, or PSS of all if one does not tell it.
func TestMemoryIsTheProcesssOwn(t *testing.T) {
	f := func(a, b pushdapi.Memory, wantA, wantB float64) {
		t.Helper()
		var sides []*side
		for _, m := range []pushdapi.Memory{a, b} {
			s := pushdapi.Stats{Memory: m, Connections: pushdapi.Connections{Total: 10}}
			sides = append(sides, &side{readings: []reading{readingOf(&s, 1)}})
		}
		likeMemory(sides)
		for i, want := range []float64{wantA, wantB} {
			r := &sides[i].readings[0]
			if a := ofReadings()[verdict.MemoryPerConn](r, r); a.ratio() != want {
				t.Errorf("side %d: %g bytes a connection, want %g", i, a.ratio(), want)
			}
		}
	}
	own, older := pushdapi.Memory{PSSBytes: 500, OwnBytes: 200}, pushdapi.Memory{PSSBytes: 400}
	f(own, own, 20, 20)
	f(own, older, 50, 40)
	f(older, older, 40, 40)
}

package experiment

import (
	"testing"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/experiment/verdict"
)

// Memory is the process's own, or PSS of a build that does not tell it.
func TestMemoryIsTheProcesssOwn(t *testing.T) {
	f := func(m pushdapi.Memory, want float64) {
		t.Helper()
		s := pushdapi.Stats{Memory: m, Connections: pushdapi.Connections{Total: 10}}
		r := readingOf(&s, 1)
		if a := ofReadings()[verdict.MemoryPerConn](&r, &r); a.ratio() != want {
			t.Errorf("%+v: %g bytes a connection, want %g", m, a.ratio(), want)
		}
	}
	f(pushdapi.Memory{PSSBytes: 500, OwnBytes: 200}, 20)
	f(pushdapi.Memory{PSSBytes: 500}, 50)
}

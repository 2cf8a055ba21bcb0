package steer

import (
	"testing"

	"pushfleet/internal/keeperapi"
)

func TestDecide(t *testing.T) {
	const soak = 10_000
	ro := keeperapi.Rollout{ID: "ro7", Steps: []string{"1", "50%", "all"}, Step: 1, StepAt: 1000, SoakMS: soak}
	all := ro
	all.Step, all.All = 2, true
	ok := reached{id: "a", connected: true, applied: true}
	f := func(what string, r keeperapi.Rollout, now keeperapi.Time, want verdict, nodes ...reached) {
		t.Helper()
		if got := decide(look{now, r, nodes}); got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	none := verdict{step: -1}
	f("still soaking", ro, 10_999, none, ok)
	f("soaked", ro, 11_000, verdict{step: 2}, ok)
	f("after the last step it is done", all, 11_000, verdict{step: 3}, ok)
	f("a node has not applied it", ro, 11_000, none, ok, reached{id: "b", connected: true})
	f("nor has one that is cut off", ro, 11_000, none, ok, reached{id: "b"})
	f("nor long after", ro, 11_000+LateMax, verdict{-1, "b", "has not applied it 30 s after its soak time"}, ok, reached{id: "b", connected: true})
	f("a refusal ends it at once", ro, 1001, verdict{-1, "b", "refused it: no memory"}, ok, reached{id: "b", connected: true, nacked: "no memory"})
	f("so does a death", ro, 1001, verdict{-1, "b", "died with it"}, ok, reached{id: "b", dead: true, applied: true})
	f("once all are reached nodes come and go", all, 11_000, verdict{step: 3}, ok, reached{id: "b", dead: true}, reached{id: "c"})
	f("but a refusal still ends it", all, 1001, verdict{-1, "b", "refused it: no"}, reached{id: "b", connected: true, nacked: "no"})
}

func TestLookAgain(t *testing.T) {
	l := look{now: 5000, rollout: keeperapi.Rollout{StepAt: 1000, SoakMS: 10_000}}
	if l.wake() != 11_000 {
		t.Errorf("looks again at %d", l.wake())
	}
	l.now = 12_000
	if l.wake() != 11_000+LateMax {
		t.Errorf("looks again at %d", l.wake())
	}
}

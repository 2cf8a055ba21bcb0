package decay

import (
	"math"
	"testing"
)

// 600,000 messages queued, 40,000 leave and about 25,400 arrive per second: the
// newest waits 15 s, yet the queue is empty only after 41 s.
func TestEstimatesOfWaitAndDrainDiffer(t *testing.T) {
	near := func(got, want, tol float64, what string) {
		t.Helper()
		if math.Abs(got-want) > tol {
			t.Errorf("%s = %v, want %v ± %v", what, got, want, tol)
		}
	}
	w := Wait(600_000, 40_000, 10)
	if w.State != Known {
		t.Fatalf("wait is %s", w.State)
	}
	near(w.Seconds, 15, 1e-9, "wait")
	d := Drain(600_000, 25_366, 40_000, 10, 0)
	if d.State != Known {
		t.Fatalf("drain is %s", d.State)
	}
	near(d.Seconds, 41, 0.01, "drain")
	near(d.Low, 600_000/(14_634+1.96*math.Sqrt(65_366/20.0)), 1e-9, "drain low")
	near(d.High, 600_000/(14_634-1.96*math.Sqrt(65_366/20.0)), 1e-9, "drain high")
}

func TestDrainStates(t *testing.T) {
	f := func(q, lambda, mu, tau, limit float64, want State, cap float64) {
		t.Helper()
		e := Drain(q, lambda, mu, tau, limit)
		if e.State != want || math.Abs(e.CapSeconds-cap) > 1e-9 {
			t.Errorf("Drain(%v, %v, %v, %v, %v) = %+v, want %s, cap in %v s", q, lambda, mu, tau, limit, e, want, cap)
		}
		if e.State == Known && !(e.Low <= e.Seconds && e.Seconds <= e.High) {
			t.Errorf("%v not in %v…%v", e.Seconds, e.Low, e.High)
		}
	}
	f(0, 5, 1, 10, 100, None, 0)
	f(10, 0, 0, 10, 100, Unsure, 0)     // nothing moves
	f(10, 5, 5, 10, 100, Unsure, 0)     // balanced
	f(10, 5, 5.5, 10, 100, Unsure, 0)   // within the noise of 10 s
	f(10, 5, 5.5, 1e4, 100, Known, 0)   // the same over hours is known
	f(50, 25, 10, 10, 110, Growing, 4)  // 60 to go at 15/s
	f(110, 25, 10, 10, 110, Growing, 0) // at the limit
	f(50, 25, 10, 10, 0, Growing, 0)    // no limit
	f(50, 10, 25, 10, 110, Known, 0)
}

func TestWaitStates(t *testing.T) {
	f := func(q, mu, tau float64, want State) {
		t.Helper()
		e := Wait(q, mu, tau)
		if e.State != want {
			t.Errorf("Wait(%v, %v, %v) = %+v, want %s", q, mu, tau, e, want)
		}
		if e.State == Unsure && !(e.Low > 0 && !math.IsInf(e.Low, 0)) {
			t.Errorf("Wait(%v, %v, %v): unsure without a lower bound: %+v", q, mu, tau, e)
		}
	}
	f(0, 10, 10, None)
	f(5, 0, 10, Unsure)
	f(5, 0.1, 10, Unsure) // two departures
	f(5, 0.1, 100, Known) // twenty
	f(5, 10, 10, Known)
}

func TestStateWords(t *testing.T) {
	for s, want := range map[State]string{None: "none", Known: "known", Growing: "growing", Unsure: "unsure", 9: "unsure"} {
		if s.String() != want {
			t.Errorf("State(%d) = %q, want %q", s, s, want)
		}
	}
}

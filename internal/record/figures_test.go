package record

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFigures(t *testing.T) {
	s := testSchema()
	var f Figures
	check := func(step string, r *Record, gap time.Duration, want ...float64) {
		t.Helper()
		f.Add(s, r)
		var got []float64
		for i := range s.Fields {
			got = append(got, f.Value(i))
		}
		same := cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })
		if diff := cmp.Diff(want, got, same); diff != "" || f.Gap != gap {
			t.Errorf("%s: gap %s, want %s; %s", step, f.Gap, gap, diff)
		}
	}
	none := math.NaN()
	check("a first record has no rates", testRecord(0), 0, 100, none, 1.5, none)
	check("then it has", testRecord(1), 0, 101, 10, 1.5, 50)
	check("late but not missing", testRecord(3), 0, 103, 10, 1.5, 50)
	check("behind a gap", testRecord(9), 6*time.Second, 109, none, 1.5, none)
	r := testRecord(10)
	r.V[1], r.V[3] = Missing, 0
	check("missing, and gone back", r, 0, 110, none, 1.5, none)
	r = testRecord(11)
	r.At += 3_600_000 // the clock was set; the other one was not
	check("clock set forward", r, 0, 111, none, 1.5, 550)
	restart := *s
	restart.Run = "b"
	s = &restart
	r = testRecord(12)
	r.At += 3_600_000
	check("another run", r, 0, 112, none, 1.5, none)
}

func TestThinKeepsWhatMatters(t *testing.T) {
	s := testSchema()
	var th Thin
	for i := range 10 {
		r := testRecord(i)
		r.V[2] = []int64{1, 2, Missing, 90, 3, 4, 5, 6, 7, 8}[i]
		th.Add(s, r)
	}
	got := th.Take(s)
	// mean of 100…109, the last, the greatest, the last
	if diff := cmp.Diff([]int64{105, 90, 90, 450}, got.V); diff != "" || got.At != noon+9000 {
		t.Error(got.At-noon, diff)
	}
	r := testRecord(10)
	r.V[0] = Missing
	th.Add(s, r)
	if got := th.Take(s).V[0]; got != Missing {
		t.Errorf("a field that was never there is %d", got)
	}
}

func TestFinder(t *testing.T) {
	f := func(expr string, want ...Stretch) {
		t.Helper()
		find, err := NewFinder(expr, 3)
		must(t, err)
		s := testSchema()
		var g Figures
		for i := range 100 {
			if i >= 40 && i < 50 {
				continue // a gap
			}
			g.Add(s, testRecord(i))
			find.Add(&g)
		}
		if diff := cmp.Diff(want, find.Found()); diff != "" {
			t.Errorf("%s: %s", expr, diff)
		}
	}
	at := func(i int64) int64 { return noon + i*1000 }
	f("queued > 1e3")
	f("queued >= 110 && queued < 112", Stretch{at(10), at(11), 2, 111, at(11)})
	f("queued > 130 && queued < 160", Stretch{at(31), at(39), 9, 139, at(39)}, Stretch{at(50), at(59), 10, 159, at(59)})
	f("oldest < 1s")
	f("oldest > 1400ms && queued == 100", Stretch{at(0), at(0), 1, 1.5, at(0)})
	f("published == 50/s && queued <= 102", Stretch{at(1), at(2), 2, 50, at(1)}) // the first has no rate
	f("nowhere < 5")
	f("!(nowhere < 5)")
}

func TestFinderStopsAtItsBound(t *testing.T) {
	find, err := NewFinder("queued == 100", 3)
	must(t, err)
	s := testSchema()
	var g Figures
	for i := range 20 {
		r := testRecord(i)
		r.V[0] = 100 + int64(i%2)
		g.Add(s, r)
		find.Add(&g)
	}
	if got := find.Found(); len(got) != 3 || !find.Cut {
		t.Errorf("%d stretches, cut %v", len(got), find.Cut)
	}
}

package verdict

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(a, b, within float64) bool { return math.Abs(a-b) <= within }

// Probabilities are those of all signs tried one by one.
func TestRankP(t *testing.T) {
	f := func(d ...float64) {
		t.Helper()
		ranks, _ := doubleRanks(d)
		far := func(signs int) int {
			sum := 0
			for i, r := range ranks {
				switch {
				case d[i] == 0:
				case signs>>i&1 == 1:
					sum += r
				default:
					sum -= r
				}
			}
			return max(sum, -sum)
		}
		seen := 0
		for i, v := range d {
			if v > 0 {
				seen |= 1 << i
			}
		}
		as, all := 0, 1<<len(d)
		for signs := range all {
			if far(signs) >= far(seen) {
				as++
			}
		}
		if got, want := rankP(d), float64(as)/float64(all); !near(got, want, 1e-12) {
			t.Errorf("rankP(%v) = %v, want %v", d, got, want)
		}
	}
	f(1, 2, 3, 4, 5, 6, 7, 8)
	f(1, -2, 3, -4, 5, -6, 7, 8, 9)
	f(1, 1, 1, -1, 2, 2, -2, 3)
	f(0, 0, 1, 2, -3, 4)
	f(-1, -2)
	f(0, 0, 0)
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		d := make([]float64, 1+r.IntN(11))
		for i := range d {
			d[i] = float64(r.IntN(9) - 4)
		}
		f(d...)
	}
}

// Of the intervals of 10 and 24 values, tables say that 8 and 81 of the sorted
// means lie outside each limit.
func TestRankCut(t *testing.T) {
	for n, want := range map[int]int{8: 3, 10: 8, 24: 81} {
		if got := rankCut(n, 0.025); got != want {
			t.Errorf("rankCut(%d) = %d, want %d", n, got, want)
		}
	}
}

// The interval of the shift holds the true one in 95 of 100, and an outlier
// does not move it.
func TestSignedRank(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	held := 0
	for range 1000 {
		d := make([]float64, 20)
		for i := range d {
			d[i] = 0.05 + 0.1*r.NormFloat64()
		}
		d[0] += 10
		e := signedRank(d)
		if e.low <= 0.05 && 0.05 <= e.high {
			held++
		}
		if !(e.low <= e.shift && e.shift <= e.high) || e.se <= 0 || e.n != 20 {
			t.Fatalf("%+v", e)
		}
	}
	if held < 930 || held > 990 {
		t.Errorf("the interval held the truth in %d of 1000", held)
	}
	if e := signedRank(make([]float64, 1000)); e.n > pairsMax || e.p != 1 || e.low != 0 || e.high != 0 {
		t.Errorf("of nothing but zeros: %+v", e)
	}
}

// From tables of Student's t.
func TestTQuantile(t *testing.T) {
	f := func(p, free, want float64) {
		t.Helper()
		if got := tQuantile(p, free); !near(got, want, 0.0006*want) {
			t.Errorf("tQuantile(%v, %v) = %v, want %v", p, free, got, want)
		}
	}
	f(0.975, 1, 12.706)
	f(0.975, 2, 4.303)
	f(0.975, 10, 2.228)
	f(0.9995, 5, 6.869)
	f(0.95, 30, 1.697)
	f(0.975, 100000, 1.960)
}

func TestStudent(t *testing.T) {
	e := student([]float64{1, 2, 3, 4, 5}, 1, 0)
	if e.shift != 3 || !near(e.low, 3-1.963, 0.001) || !near(e.high, 3+1.963, 0.001) || !near(e.p, 0.0132, 0.0001) {
		t.Errorf("%+v", e)
	}
	if e := student([]float64{2, 2, 2}, 1, 0); e.p != 0 || e.shift != 2 {
		t.Errorf("no noise: %+v", e)
	}
	if e := student(nil, 1, 0); e.p != 1 || e.n != 0 {
		t.Errorf("nothing: %+v", e)
	}
	// Values that repeat say less than so many.
	d := make([]float64, 80)
	r := rand.New(rand.NewPCG(5, 1))
	for i := range d {
		d[i] = r.NormFloat64()
		if i%8 != 0 {
			d[i] = d[i-1]
		}
	}
	if plain, joined := student(d, 1, 0), blocks(d); joined.high-joined.low < 2*(plain.high-plain.low) {
		t.Errorf("repeated values: %v to %v, as if they were independent %v to %v", joined.low, joined.high, plain.low, plain.high)
	}
}

func TestHolm(t *testing.T) {
	f := func(ps, weights, want []float64) {
		t.Helper()
		family := make([]*found, len(ps))
		for i := range ps {
			family[i] = &found{estimate: estimate{p: ps[i]}, c: &compare{metric: &Metric{Weight: weights[i]}}}
		}
		in := append([]*found(nil), family...)
		holm(in)
		for i, p := range want {
			if !near(family[i].p, p, 1e-12) {
				t.Errorf("%v with weights %v: %v is %v, want %v", ps, weights, i, family[i].p, p)
			}
		}
	}
	f([]float64{0.01, 0.04, 0.03}, []float64{1, 1, 1}, []float64{0.03, 0.06, 0.06})
	f([]float64{0.01, 0.04, 0.03}, []float64{0, 0, 0}, []float64{0.03, 0.06, 0.06})
	f([]float64{0.5, 0.9}, []float64{1, 1}, []float64{1, 1})
	f([]float64{0.01, 0.01}, []float64{3, 1}, []float64{0.01 * 4 / 3, 0.01 * 4 / 3})
	f([]float64{0.2}, []float64{5}, []float64{0.2})
}

// A step upon a slope is found, a slope alone is none.
func TestStep(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	for _, by := range []float64{0, 0.5} {
		var points []timed
		for i := range 40 {
			p := timed{at: float64(i) * 10, d: 3 + 0.01*float64(i) + 0.02*r.NormFloat64()}
			if i >= 20 {
				p.after, p.d = 1, p.d+by
			}
			points = append(points, p)
		}
		if e := step(points); e.low > by || e.high < by || e.high-e.low > 0.1 {
			t.Errorf("step of %v: %+v", by, e)
		}
	}
	if e := step([]timed{{at: 1}, {at: 2}}); e.p != 1 || e.n != 0 {
		t.Errorf("of two: %+v", e)
	}
}

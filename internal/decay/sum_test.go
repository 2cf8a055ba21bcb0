package decay

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSumIsTheRateOfAllTogether(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	conns := make([]Windows, 50)
	all := exact{}
	now := uint64(0)
	for range 20_000 {
		now += uint64(rng.IntN(3))
		n := rng.Uint32N(4)
		conns[rng.IntN(len(conns))].Add(uint32(now), n, n, n*100, 0, 0)
		all.add(now, n, n, n*100, 0, 0)
	}
	var left, right Sum
	for i := range conns {
		if i%2 == 0 {
			left.Add(&conns[i], uint32(now), 0)
		} else {
			right.Add(&conns[i], uint32(now), 0)
		}
	}
	left.Merge(&right)
	for i := range taus {
		for k, pair := range [3][2]float64{{left.In[i], all.in[i]}, {left.Out[i], all.out[i]}, {left.Bytes[i], all.bytes[i]}} {
			if math.Abs(pair[0]/pair[1]-1) > tolerance {
				t.Errorf("quantity %d window %d: sum %v, exact %v", k, i, pair[0], pair[1])
			}
		}
	}
}

func TestSumOfLevels(t *testing.T) {
	var a, b Windows
	a.Add(0, 0, 0, 0, 0, 10)
	b.Add(0, 0, 0, 0, 0, 30)
	var s Sum
	s.Add(&a, 500_000, 10)
	s.Add(&b, 500_000, 30)
	if math.Abs(s.Level[1]-40) > 0.01 {
		t.Errorf("10 and 30 queued for 500 s sum to a level of %v", s.Level[1])
	}
}

func TestRate(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var r Rate
	x := exact{}
	now := uint64(0)
	for range 100_000 {
		now += uint64(rng.IntN(40))
		n := rng.Uint32N(1000)
		r.Add(uint32(now), uint64(n))
		x.add(now, n, 0, 0, 0, 0)
	}
	for i, got := range r.Read(uint32(now + 700)) {
		want := x.in[i] * math.Exp(-0.7/taus[i])
		if math.Abs(got/want-1) > 1e-4 {
			t.Errorf("window %d: %v, want %v", i, got, want)
		}
	}
}

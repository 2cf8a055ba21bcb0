package swarm

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestHistQuantilesAreCloseToExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h, a, b Hist
	var all []int64
	for i := range 50_000 {
		v := int64(rng.ExpFloat64() * 100_000)
		all = append(all, v)
		h.Record(v)
		if i%2 == 0 {
			a.Record(v)
		} else {
			b.Record(v)
		}
	}
	slices.Sort(all)
	a.Merge(&b)
	for _, q := range []float64{0, 0.5, 0.99, 0.999, 1} {
		exact := float64(all[min(int(q*float64(len(all))), len(all)-1)])
		if got := float64(h.Quantile(q)); got < exact*0.984-1 || got > exact*1.016+1 {
			t.Errorf("quantile %g = %g, exact %g", q, got, exact)
		}
		if h.Quantile(q) != a.Quantile(q) {
			t.Errorf("quantile %g of the merged halves is %d, of the whole %d", q, a.Quantile(q), h.Quantile(q))
		}
	}
	if h.Max() != all[len(all)-1] || a.Count() != h.Count() {
		t.Errorf("max %d, count %d", h.Max(), a.Count())
	}
	h.Reset()
	if h.Count() != 0 || h.Quantile(0.5) != 0 {
		t.Error("not empty after Reset")
	}
}

func TestHistBucketsCoverEverything(t *testing.T) {
	for _, v := range []int64{-1, 0, 1, 63, 64, 65, 127, 128, 1e6, 1 << 41, 1 << 42, 1<<63 - 1} {
		i := bucket(v)
		if i < 0 || i >= histLength {
			t.Fatalf("bucket(%d) = %d of %d", v, i, histLength)
		}
		if v >= 0 && v < 1<<valueBits && (lower(i) > v || lower(i+1) <= v) {
			t.Errorf("bucket(%d) = %d covers %d to %d", v, i, lower(i), lower(i+1))
		}
	}
}

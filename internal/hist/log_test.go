package hist

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

func TestBucketsTile(t *testing.T) {
	next := uint64(0)
	for i := range buckets {
		low, high := bounds(i)
		if low != next {
			t.Fatalf("bucket %d starts at %d, want %d", i, low, next)
		}
		if bucket(low) != i || bucket(high-1) != i {
			t.Fatalf("bucket %d is %d…%d, but these count in %d and %d", i, low, high-1, bucket(low), bucket(high-1))
		}
		if width := float64(high-low) / 2; low > 0 && width/float64(low) > 0.016 && high-low > 1 {
			t.Fatalf("bucket %d…%d is too wide", low, high)
		}
		next = high
	}
	if bucket(math.MaxUint64) != buckets-1 {
		t.Error("the longest duration is not in the last bucket")
	}
}

func TestQuantilesAreWithinThreePercent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 1<<40), 1, 500).Draw(t, "values")
		var l Log
		for _, v := range values {
			l.Record(v)
		}
		slices.Sort(values)
		for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 1} {
			rank := max(int(math.Ceil(q*float64(len(values)))), 1)
			want := float64(values[rank-1])
			if got := float64(l.Quantile(q)); math.Abs(got-want) > 0.016*want {
				t.Fatalf("quantile %v of %d values = %v, want %v", q, len(values), got, want)
			}
		}
		if l.Max() != values[len(values)-1] || l.Count() != uint64(len(values)) {
			t.Fatalf("max %d count %d, want %d and %d", l.Max(), l.Count(), values[len(values)-1], len(values))
		}
	})
}

func TestEmptyNegativeAndHuge(t *testing.T) {
	var l Log
	if l.Quantile(0.5) != 0 || l.Mean() != 0 || l.Max() != 0 {
		t.Error("an empty histogram is not 0")
	}
	l.Record(-5)
	if l.Quantile(1) != 0 || l.Count() != 1 {
		t.Error("a negative duration is not counted as 0")
	}
	l.Record(math.MaxInt64)
	if l.Max() != math.MaxInt64 || l.Quantile(1) != math.MaxInt64 {
		t.Errorf("max = %d", l.Max())
	}
	l.Reset()
	if l != (Log{}) {
		t.Error("Reset left something")
	}
}

func TestMergeAndSince(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var a, b, both Log
	for range 10_000 {
		v := int64(rng.ExpFloat64() * 1e6)
		a.Record(v)
		both.Record(v)
	}
	early := both
	for range 5_000 {
		v := int64(rng.ExpFloat64() * 1e4)
		b.Record(v)
		both.Record(v)
	}
	sum := a
	sum.Merge(&b)
	if sum != both {
		t.Error("merged histogram differs from one that saw all")
	}
	both.Since(&early)
	if both.n != b.n || both.sum != b.sum || both.counts != b.counts {
		t.Error("Since does not leave the later counts")
	}
	if got, want := float64(both.Max()), float64(b.Max()); got < want || got > want*1.04 {
		t.Errorf("Since: max %v, want %v or a little above", got, want)
	}
	early.Since(&early)
	if early != (Log{}) {
		t.Error("a histogram since itself is not empty")
	}
}

func TestSizeAsStated(t *testing.T) {
	if n := unsafe.Sizeof(Log{}); n > 9600 {
		t.Errorf("Log has %d bytes; its comment says 9.3 KiB", n)
	}
}

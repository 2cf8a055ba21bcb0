package probe

import "testing"

func TestBucketsTile(t *testing.T) {
	for i := range buckets {
		if l := low(i); bucketOf(l) != i || i > 0 && bucketOf(l-1) != i-1 {
			t.Fatalf("bucket %d begins at %d, which lies in %d", i, l, bucketOf(l))
		}
	}
	if got := bucketOf(^uint64(0)); got != buckets-1 {
		t.Errorf("the longest time lies in %d", got)
	}
}

func TestQuantiles(t *testing.T) {
	var w Waits
	if w.Quantile(0.5) != 0 || w.Bars() != nil {
		t.Error("an empty distribution has values")
	}
	for i := range uint64(1000) {
		w.Record((i + 1) * 1000)
	}
	f := func(q float64, want uint64) {
		t.Helper()
		if got := w.Quantile(q); got < want*85/100 || got > want*115/100 {
			t.Errorf("quantile %v: %d, want %d", q, got, want)
		}
	}
	f(0.5, 500_000)
	f(0.99, 990_000)
	if w.Quantile(1) > w.Max || w.Max != 1_000_000 || w.Count != 1000 {
		t.Errorf("%d of at most %d", w.Quantile(1), w.Max)
	}
	var sum uint64
	for _, b := range w.Bars() {
		if b.High <= b.Low {
			t.Errorf("bar %+v", b)
		}
		sum += b.Count
	}
	if sum != w.Count {
		t.Errorf("bars hold %d of %d", sum, w.Count)
	}
	var twice Waits
	twice.Merge(&w)
	twice.Merge(&w)
	if twice.Count != 2000 || twice.Sum != 2*w.Sum || twice.Quantile(0.5) != w.Quantile(0.5) {
		t.Errorf("merged: %d, %d", twice.Count, twice.Sum)
	}
}

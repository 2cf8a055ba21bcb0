package hist

import (
	"io"
	"math/rand/v2"
	"testing"
)

func BenchmarkLogRecord(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := make([]int64, 4096)
	for i := range values {
		values[i] = int64(rng.ExpFloat64() * 100_000)
	}
	var l Log
	b.ResetTimer()
	for i := range b.N {
		l.Record(values[i&4095])
	}
}

func BenchmarkLogQuantile(b *testing.B) {
	var l Log
	for i := range int64(100_000) {
		l.Record(i * i)
	}
	b.ResetTimer()
	for range b.N {
		l.Quantile(0.99)
	}
}

func BenchmarkLogMerge(b *testing.B) {
	var x, y Log
	for range b.N {
		x.Merge(&y)
	}
}

func BenchmarkLEObserve(b *testing.B) {
	h := NewLE(LatencyBounds()...)
	for range b.N {
		h.Observe(0.003)
	}
}

func BenchmarkLogWritePrometheus(b *testing.B) {
	var l Log
	bounds := LatencyBounds()
	for range b.N {
		_ = l.WritePrometheus(io.Discard, "x", bounds)
	}
}

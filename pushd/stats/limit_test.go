package stats

import "testing"

func TestQueueLimit(t *testing.T) {
	f := func(messages, size float64, queued, bytes uint32, want float64) {
		t.Helper()
		if got := QueueLimit(messages, size, queued, bytes); got != want {
			t.Errorf("QueueLimit(%v, %v, %d, %d) = %v, want %v", messages, size, queued, bytes, got, want)
		}
	}
	f(1024, 1<<20, 0, 0, 1024)
	f(1024, 1<<20, 10, 1000, 1024)
	f(1024, 1<<20, 500, 500*2048, 512)
	f(0, 1<<20, 500, 500*2048, 512)
	f(1024, 0, 500, 500*2048, 1024)
	f(0, 0, 500, 500*2048, 0)
}

package tune

import "testing"

func TestHold(t *testing.T) {
	f := func(held bool, backlog, heapPercent, from int64, want bool) {
		t.Helper()
		const limit = 1 << 30
		if got := hold(held, backlog, limit/100*heapPercent, from, limit); got != want {
			t.Errorf("held %v, %d waiting of %d, heap at %d%%: %v", held, backlog, from, heapPercent, got)
		}
	}
	f(false, 0, 10, 1000, false)
	f(false, 1000, 10, 1000, false)
	f(false, 1001, 10, 1000, true)
	f(true, 1001, 10, 1000, true)
	f(true, 500, 10, 1000, true)
	f(true, 499, 10, 1000, false) // less than half
	f(false, 5000, 69, 1000, true)
	f(false, 5000, 70, 1000, false) // too little room to begin
	f(true, 5000, 89, 1000, true)
	f(true, 5000, 90, 1000, false)
	f(true, 5000, 100, 1000, false)
	f(true, 5000, 10, 0, false) // turned off
	f(true, 1, 10, 1, true)
	f(true, 0, 10, 1, false)
	if hold(true, 5000, 0, 1000, 0) {
		t.Error("held without a limit")
	}
}

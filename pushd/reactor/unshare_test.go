package reactor

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// mayUnshare tries it on a thread that ends with the goroutine.
func mayUnshare() error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- unix.Unshare(unix.CLONE_FILES)
	}()
	return <-done
}

func descriptors(t *testing.T, tid int) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/self/task/%d/fd", tid))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// Connections are counted against a table of the loop's own, so that the
// process may hold more of them than RLIMIT_NOFILE.
func TestUnsharedLoopHoldsConnectionsInItsOwnTable(t *testing.T) {
	if err := mayUnshare(); err != nil {
		t.Skipf("unshare(CLONE_FILES) is not permitted here: %v", err)
	}
	r := start(t, Config{Loops: 1, Unshare: true})
	// Not os.Getpid: the loop may well be locked to the process's first thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ours := unix.Gettid()
	tid, before, main := 0, 0, 0
	r.do(func() {
		tid = unix.Gettid()
		before, main = descriptors(t, tid), descriptors(t, ours)
	})
	const n = 50
	for range n {
		r.dial()
	}
	r.eventually("accepted", func() bool { return r.opened == n })
	own, shared := 0, 0
	r.do(func() { own, shared = descriptors(t, unix.Gettid()), descriptors(t, ours) })
	// The process's table holds the clients only, the loop's the servers only.
	if own-before != n || shared-main != n {
		t.Errorf("with %d connections the loop's table grew by %d, the process's by %d", n, own-before, shared-main)
	}
	if r.loop.Post(make([]Item, 10)) != 10 {
		t.Error("not all taken")
	}
	r.eventually("woken from outside", func() bool { return len(r.items) == 10 })
	r.do(func() {
		if unix.Gettid() != tid {
			t.Error("the loop changed its thread")
		}
		r.closeAll()
		if now := descriptors(t, tid); now != before {
			t.Errorf("%d descriptors when all are closed, %d before", now, before)
		}
	})
}

package rawsys

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func pair(t *testing.T) (int, int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds[0], fds[1]
}

func TestBudgetSpendsRawCallsThenGoesOn(t *testing.T) {
	a, b := pair(t)
	var budget Budget
	budget.Reset()
	for i := 0; i < 3*Turn; i++ {
		if n, err := budget.Write(a, []byte{byte(i)}); n != 1 || err != nil {
			t.Fatalf("write %d: %d, %v", i, n, err)
		}
	}
	if budget.left != 0 {
		t.Errorf("%d raw calls left after %d calls, want 0", budget.left, 3*Turn)
	}
	buf := make([]byte, 4*Turn)
	if n, err := budget.Read(b, buf); n != 3*Turn || err != nil {
		t.Errorf("read %d, %v; want %d bytes", n, err, 3*Turn)
	}
	if _, err := budget.Read(b, buf); err != unix.EAGAIN {
		t.Errorf("read of nothing: %v, want EAGAIN", err)
	}
}

func TestPollerWaitsForDataAndWake(t *testing.T) {
	a, b := pair(t)
	p, err := NewPoller(8)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Add(b, unix.EPOLLIN|unix.EPOLLET, 42); err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 16)
	p.BeforePark = func() bool { asked <- struct{}{}; return true }
	got := make(chan uint64, 4)
	go func() {
		for {
			evs, err := p.Wait()
			if err != nil {
				close(got)
				return
			}
			if len(evs) == 0 {
				got <- 0
			}
			for i := range evs {
				got <- Data(&evs[i])
			}
		}
	}()
	expect := func(want uint64) {
		t.Helper()
		select {
		case v, ok := <-got:
			if !ok || v != want {
				t.Fatalf("event %d (open %v), want %d", v, ok, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("no event, want %d", want)
		}
	}
	<-asked // parked once with nothing ready
	if _, err := unix.Write(a, []byte("x")); err != nil {
		t.Fatal(err)
	}
	expect(42)
	p.Wake()
	expect(0)
	p.Wake()
	expect(0)
	p.Close()
	select {
	case _, ok := <-got:
		if ok {
			t.Error("event after Close")
		}
	case <-time.After(5 * time.Second):
		t.Error("Wait did not end at Close")
	}
}

func TestBeforeParkKeepsAwake(t *testing.T) {
	p, err := NewPoller(1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.BeforePark = func() bool { return false }
	if evs, err := p.Wait(); len(evs) != 0 || err != nil {
		t.Errorf("Wait = %v, %v; want no events and no error", evs, err)
	}
}

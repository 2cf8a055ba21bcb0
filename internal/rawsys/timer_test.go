package rawsys

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTimerWakesThePollerEachTime(t *testing.T) {
	p, err := NewPoller(4)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	timer, err := NewTimer()
	if err != nil {
		t.Fatal(err)
	}
	defer timer.Close()
	if err := p.Add(timer.FD(), unix.EPOLLIN|unix.EPOLLET, 7); err != nil {
		t.Fatal(err)
	}
	now := func() int64 {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			t.Fatal(err)
		}
		return ts.Nano()
	}
	// The third is in the past: it must fire at once. None is ever read.
	for _, d := range []time.Duration{time.Millisecond, 2 * time.Millisecond, -time.Second} {
		due := now() + int64(d)
		if err := timer.Set(&p.Budget, due); err != nil {
			t.Fatal(err)
		}
		evs, err := p.Wait()
		if err != nil || len(evs) != 1 || Data(&evs[0]) != 7 {
			t.Fatalf("Wait = %v, %v; want the timer", evs, err)
		}
		if n := now(); n < due {
			t.Errorf("fired %v early", time.Duration(due-n))
		}
	}
}

func TestBlockingEpollWaitSeesData(t *testing.T) {
	a, b := pair(t)
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(epfd)
	ev := event(unix.EPOLLIN, 9)
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, b, &ev); err != nil {
		t.Fatal(err)
	}
	events := make([]unix.EpollEvent, 2)
	if n, err := BlockingEpollWait(epfd, events, 0); n != 0 || err != nil {
		t.Errorf("with nothing there: %d, %v", n, err)
	}
	if n, err := RawWrite(a, []byte("hi")); n != 2 || err != nil {
		t.Fatalf("write %d, %v", n, err)
	}
	if n, err := BlockingEpollWait(epfd, events, 1000); n != 1 || err != nil || Data(&events[0]) != 9 {
		t.Errorf("with data: %d, %v", n, err)
	}
	buf := make([]byte, 4)
	if n, err := RawRead(b, buf); n != 2 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
}

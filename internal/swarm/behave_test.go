package swarm

import (
	"io"
	"strings"
	"testing"
	"time"
)

func TestStalledAndHalfOpenDoNotRead(t *testing.T) {
	for _, profile := range []string{"stalled", "half-open"} {
		blocked := make(chan error, 1)
		g := newFake(t, func(c *fakeConn) {
			// A reader would take this in milliseconds; here the write must end
			// at its deadline, with every buffer full.
			c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			var err error
			for err == nil {
				_, err = io.WriteString(c, c.encode(dataJSON(1, "")+strings.Repeat(" ", 64<<10), false))
			}
			blocked <- err
			c.wait()
		})
		s := start(t, g, Options{Conns: 1, Profiles: profiles(t, profile)})
		if err := <-blocked; !strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: write ended with %v, want a timeout", profile, err)
		}
		if c := s.Snapshot(); c.Open != 1 || c.Bytes > 64<<10 {
			t.Errorf("%s: counts %+v, want an open connection that reads nothing", profile, c)
		}
	}
}

func TestSlowReadsAtItsPace(t *testing.T) {
	g := newFake(t, func(c *fakeConn) {
		for i := 1; i <= 50; i++ {
			c.data(i)
		}
		c.wait()
	})
	begin := time.Now()
	s := start(t, g, Options{Conns: 1, Profiles: profiles(t, "slow"), SlowBytes: 20_000})
	c := eventually(t, s, "all messages", func(c Counts) bool { return c.Received == 50 })
	// 50 frames of about 70 bytes at 20 kB/s need 175 ms, less one read's worth
	// and what came with the handshake.
	if took := time.Since(begin); took < 50*time.Millisecond || c.Lost != 0 {
		t.Errorf("took %v, lost %d", took, c.Lost)
	}
	l := s.Latency(false)
	if l.Kind[0].Count() != 0 || l.Kind[SlowKind].Count() != 50 {
		t.Errorf("%d latencies among the others, %d among the slow", l.Kind[0].Count(), l.Kind[SlowKind].Count())
	}
}

func TestSlowStepKeepsTheRate(t *testing.T) {
	f := func(rate int) {
		t.Helper()
		w := &worker{swarm: &Swarm{opts: Options{SlowBytes: rate}}}
		n, every := w.slowStep()
		if got := float64(n) / every.Seconds(); got < 0.95*float64(rate) || got > 1.05*float64(rate) {
			t.Errorf("%d B/s: %d bytes every %v", rate, n, every)
		}
	}
	f(1)
	f(16)
	f(200)
	f(1_000_000)
}

func TestSilentNeverAnswersPings(t *testing.T) {
	g := newFake(t, func(c *fakeConn) { io.WriteString(c, wsFrame(opPing, "")); c.data(1); c.wait() })
	s := start(t, g, Options{Conns: 2, Profiles: profiles(t, "silent=50%,fast")})
	c := eventually(t, s, "both messages and an answer", func(c Counts) bool { return c.Received == 2 && c.Pongs > 0 })
	if c.Pings != 2 || c.Pongs != 1 {
		t.Errorf("%d pings, %d pongs; want 2 and 1", c.Pings, c.Pongs)
	}
}

func TestChurnLeavesAndComesBack(t *testing.T) {
	g := newFake(t, func(c *fakeConn) { c.data(1); c.wait() })
	s := start(t, g, Options{Conns: 4, Profiles: profiles(t, "churn"), ChurnMean: 20 * time.Millisecond})
	c := eventually(t, s, "several sessions", func(c Counts) bool { return c.Opened >= 20 })
	if c.ClosedBy["churn"] < 16 || c.Lost+c.Duplicates != 0 {
		t.Errorf("counts %+v", c)
	}
}

func TestManyBytesAtOnceDoNotStarveOthers(t *testing.T) {
	const each = 30_000 // about 2 MB, more than one turn reads
	g := newFake(t, func(c *fakeConn) {
		var b strings.Builder
		for i := 1; i <= each; i++ {
			b.WriteString(c.encode(dataJSON(i, ""), false))
		}
		io.WriteString(c, b.String())
		c.wait()
	})
	s := start(t, g, Options{Conns: 2})
	c := eventually(t, s, "everything", func(c Counts) bool { return c.Received == 2*each })
	if c.Lost+c.Duplicates+c.OutOfOrder+c.Malformed != 0 {
		t.Errorf("counts %+v", c)
	}
}

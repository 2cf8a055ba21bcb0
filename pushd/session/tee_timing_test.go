package session

import (
	"context"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"pushfleet/internal/teewire"
	"pushfleet/pushd/tap"
)

// BenchmarkDeliverTee is BenchmarkDeliver beside a tee: none, one that mirrors
// others, one that mirrors this connection and its messages, and one like that
// whose reader takes nothing. cpu-ns/op is the processor time of all, the
// client and the flusher as well: on a busy machine it tells more than ns/op.
func BenchmarkDeliverTee(b *testing.B) {
	f := func(name string, sample float64, stuck bool) {
		b.Run(name, func(b *testing.B) {
			r := newRig(b)
			if sample > 0 {
				defer r.teeToNobody(sample, stuck)()
			}
			start := computed()
			deliverOn(b, r)
			b.ReportMetric(float64(computed()-start)/float64(b.N), "cpu-ns/op")
		})
	}
	f("off", 0, false)
	f("others", 0.01, false)
	f("this", 100, false)
	f("stuck", 100, true)
}

// BenchmarkClearMarks is the walk that takes away the marks of the tee before,
// while the next one changes at each of its steps.
func BenchmarkClearMarks(b *testing.B) {
	r := newRig(b)
	const conns = 60_000
	defer r.crowd(conns)()
	defer r.teeToNobody(100, false)()
	steps := 0
	for b.Loop() {
		b.StopTimer()
		r.do(r.mark)
		b.StartTimer()
		r.do(func() {
			for first := true; first || r.table.tee.walk == walkClear; first = false {
				r.turn("tap.sample_percent", fmt.Sprint(50+steps%2))
				r.table.noteTee()
				r.table.stepTee()
				steps++
			}
		})
	}
	b.ReportMetric(float64(steps)/float64(b.N), "steps/op")
}

// computed is the processor time of the process in ns.
func computed() int64 {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// teeToNobody begins a tee whose reader forgets everything.
func (r *rig) teeToNobody(sample float64, stuck bool) (end func()) {
	o := everybody()
	o.Sample, o.Redact = sample, teewire.RedactPayload
	r.turn("tap.cpu_percent_max", "1000")
	r.turn("tap.bytes_rate_max", "1TiB")
	ended, n := make(chan error, 1), nobody{free: make(chan struct{}), head: make(chan struct{}, 2)}
	if !stuck {
		close(n.free)
	}
	go func() { ended <- r.s.Tap.Run(context.Background(), o, n) }()
	r.eventually("begun", func() bool { return r.table.tee.now.Run != 0 && r.table.tee.walk == walkNone })
	return func() {
		r.s.Tap.Stop(tap.EndStopped)
		if stuck {
			close(n.free)
		}
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
	}
}

// nobody forgets what it is given, and takes two writes until free is closed.
type nobody struct{ head, free chan struct{} }

func (n nobody) Write([]byte) error {
	select {
	case n.head <- struct{}{}:
	default:
		<-n.free
	}
	return nil
}

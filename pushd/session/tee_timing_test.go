package session

import (
	"context"
	"testing"

	"pushfleet/pushd/tap"
)

// BenchmarkDeliverTee is BenchmarkDeliver beside a tee: none, one that mirrors
// others, and one that mirrors this connection.
func BenchmarkDeliverTee(b *testing.B) {
	f := func(name string, sample float64) {
		b.Run(name, func(b *testing.B) {
			r := newRig(b)
			if sample > 0 {
				defer r.teeToNobody(sample)()
			}
			deliverOn(b, r)
		})
	}
	f("off", 0)
	f("others", 0.01)
	f("this", 100)
}

// teeToNobody begins a tee whose reader forgets everything.
func (r *rig) teeToNobody(sample float64) (end func()) {
	o := everybody()
	o.Sample = sample
	ended := make(chan error, 1)
	go func() { ended <- r.s.Tap.Run(context.Background(), o, nobody{}) }()
	r.eventually("begun", func() bool { return r.table.tee.now.Run != 0 && r.table.tee.walk == walkNone })
	return func() {
		r.s.Tap.Stop(tap.EndStopped)
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
	}
}

type nobody struct{}

func (nobody) Write([]byte) error { return nil }

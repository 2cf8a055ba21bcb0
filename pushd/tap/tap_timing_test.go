package tap

import (
	"context"
	"testing"

	"pushfleet/internal/teewire"
)

// What a loop pays for a flush, and a publisher for a message of 200 bytes,
// with a reader that keeps up.
func BenchmarkOut(b *testing.B) {
	r, end := toNobody(b, 100)
	defer end()
	r.loop.Open(&teewire.Open{Conn: 7, Users: []string{"u"}})
	o := teewire.Out{Conn: 7, Frames: 1, Bytes: 240}
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		o.At = i
		r.loop.Out(&o)
	}
}

func BenchmarkPublish(b *testing.B) {
	f := func(name string, sample float64, m *teewire.Message) {
		b.Run(name, func(b *testing.B) {
			r := newRig(b)
			if sample > 0 {
				var end func()
				r, end = toNobody(b, sample)
				defer end()
			}
			b.ReportAllocs()
			for b.Loop() {
				r.tap.Publish(m)
			}
		})
	}
	m := &teewire.Message{User: []byte("user-12345"), ID: []byte("0123456789"), Data: make([]byte, 200)}
	f("off", 0, m)
	f("others", 0.01, m)
	f("this", 100, m)
}

func toNobody(b *testing.B, sample float64) (r *rig, end func()) {
	r = newRig(b, "tap.cpu_percent_max", "1000", "tap.bytes_rate_max", "1TiB")
	head, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() { ended <- r.tap.Run(context.Background(), Options{Sample: sample, To: "nobody"}, nobody{head}) }()
	<-head
	r.loop.Adopt(r.tap.State().Run)
	return r, func() {
		r.tap.Stop(EndStopped)
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}
}

type nobody struct{ begun chan struct{} }

func (n nobody) Write([]byte) error {
	select {
	case n.begun <- struct{}{}:
	default:
	}
	return nil
}

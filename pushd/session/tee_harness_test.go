package session

import (
	"bytes"
	"context"
	"io"
	"sync"

	"pushfleet/internal/teewire"
	"pushfleet/pushd/tap"
)

// teeSink is a reader of a tee in memory.
type teeSink struct {
	head chan struct{} // closed when the head has come
	free chan struct{} // closed when it takes more than that

	mu     sync.Mutex
	buf    bytes.Buffer
	writes int
}

func (s *teeSink) Write(b []byte) error {
	s.mu.Lock()
	s.writes++
	n := s.writes
	s.mu.Unlock()
	if n > 2 {
		<-s.free
	}
	s.mu.Lock()
	s.buf.Write(b)
	s.mu.Unlock()
	if n == 2 {
		close(s.head)
	}
	return nil
}

// mirrored is what a tee brought.
type mirrored struct {
	log   []string // kinds, in the order of the loop
	opens []teewire.Open
	ins   []string
	outs  []teewire.Out
	close []teewire.Close
	torn  []teewire.Torn
	count teewire.Count
	end   teewire.End
}

// tee begins a tee, and returns when all open connections have joined. end ends
// it; stuck says that nothing is taken before that.
func (r *rig) tee(o tap.Options, stuck bool) (end func() *mirrored) {
	r.t.Helper()
	s := &teeSink{head: make(chan struct{}), free: make(chan struct{})}
	if !stuck {
		close(s.free)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.s.Tap.Run(context.Background(), o, s) }()
	<-s.head
	run := r.s.Tap.State().Run
	if !stuck {
		r.eventually("all have joined", func() bool { return r.table.tee.now.Run == run && r.table.tee.walk == walkNone })
	}
	r.t.Cleanup(func() {
		if !stuck {
			return
		}
		select {
		case <-s.free:
		default:
			close(s.free)
		}
	})
	return func() *mirrored {
		r.t.Helper()
		r.s.Tap.Stop(tap.EndStopped)
		if stuck {
			close(s.free)
		}
		if err := <-ended; err != nil {
			r.t.Fatal(err)
		}
		r.eventually("no marks are left", func() bool { return !r.table.tee.marks && r.table.tee.walk == walkNone })
		r.do(func() {
			if n := r.table.totals.Sampled; n != 0 {
				r.t.Errorf("%d are in the sample of no tee", n)
			}
		})
		return s.read(r)
	}
}

func (s *teeSink) read(r *rig) *mirrored {
	r.t.Helper()
	m := &mirrored{}
	in := teewire.NewReader(teewire.NewStream(bytes.NewReader(s.buf.Bytes())))
	for {
		k, _, err := in.Next()
		if err == io.EOF {
			return m
		}
		if err != nil {
			r.t.Fatal(err)
		}
		if k != teewire.KindCount && in.Source == 1 {
			m.log = append(m.log, k.String())
		}
		switch k {
		case teewire.KindOpen:
			m.opens = append(m.opens, in.Open)
		case teewire.KindIn:
			m.ins = append(m.ins, string(in.In.Data))
		case teewire.KindOut:
			m.outs = append(m.outs, in.Out)
		case teewire.KindClose:
			m.close = append(m.close, in.Close)
		case teewire.KindTorn:
			m.torn = append(m.torn, in.Torn)
		case teewire.KindCount:
			m.count = in.Count
		case teewire.KindEnd:
			m.end = in.End
		}
	}
}

// frames and bytes are sums over all flushes.
func (m *mirrored) sums() (frames, bytes int) {
	for _, o := range m.outs {
		frames += int(o.Frames)
		bytes += int(o.Bytes)
	}
	return frames, bytes
}

// everybody is a tee of all.
func everybody() tap.Options {
	return tap.Options{Sample: 100, Redact: teewire.RedactOff, To: "test"}
}

// crowd makes the table as long as with n more connections.
func (r *rig) crowd(n int) (leave func()) {
	var slots []uint32
	r.do(func() {
		for range n {
			slot, ok := r.table.slots.Take()
			if !ok {
				break
			}
			slots = append(slots, slot)
		}
	})
	if len(slots) < n {
		r.t.Fatalf("room for %d more connections, not for %d", len(slots), n)
	}
	return func() {
		r.do(func() {
			for _, slot := range slots {
				r.table.slots.Give(slot)
			}
		})
	}
}

// mark marks all slots as a tee before the one that runs has. Call it on the
// loop.
func (r *rig) mark() {
	for slot := uint32(1); slot < r.table.slots.High(); slot++ {
		r.table.setSampled(&r.table.conns[slot], true)
	}
	e := &r.table.tee
	e.marks, e.gen = true, 0
	e.now.Run += 1000
}

package drive

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
	"pushfleet/internal/testnode"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mono is where the clock of the pretended production stands at the start.
const mono = int64(1e15)

// feed is mirrored traffic that a test makes up, as a stream of batches.
type feed struct {
	t      testing.TB
	start  time.Time
	ch     chan []byte
	closed sync.Once
	wrote  map[string]uint64 // records by kind
}

func newFeed(t testing.TB) *feed {
	f := &feed{t: t, start: time.Now(), ch: make(chan []byte, 1<<12), wrote: map[string]uint64{}}
	t.Cleanup(f.end)
	f.batch(0, func(b *teewire.Batch) {
		b.Head(&teewire.Head{Version: teewire.Version, Node: "prod", Build: "test", Wall: f.start, Mono: mono, Sample: 100})
	}, teewire.KindHead)
	return f
}

// NextBatch implements teewire.Batches.
func (f *feed) NextBatch() ([]byte, error) {
	b, ok := <-f.ch
	if !ok {
		return nil, io.EOF
	}
	return b, nil
}

func (f *feed) end() { f.closed.Do(func() { close(f.ch) }) }

// now is the time on the pretended production's clock.
func (f *feed) now() int64 { return mono + int64(time.Since(f.start)) }

func (f *feed) batch(source uint32, fill func(*teewire.Batch), kinds ...teewire.Kind) {
	b := teewire.Batch{Source: source}
	fill(&b)
	if b.Records() != len(kinds) {
		f.t.Fatalf("%d records of %d kinds", b.Records(), len(kinds))
	}
	for _, k := range kinds {
		f.wrote[k.String()]++
	}
	f.ch <- bytes.Clone(b.Seal())
}

func (f *feed) open(o teewire.Open) {
	if o.At == 0 {
		o.At = f.now()
	}
	if o.Proto == push.ProtoNone {
		o.Proto = push.ProtoWS
	}
	f.batch(1, func(b *teewire.Batch) { b.Open(&o) }, teewire.KindOpen)
}

func (f *feed) in(conn uint64, cmd string) {
	f.batch(1, func(b *teewire.Batch) { b.In(f.now(), conn, []byte(cmd)) }, teewire.KindIn)
}

func (f *feed) out(o teewire.Out) {
	o.At = f.now()
	f.batch(1, func(b *teewire.Batch) { b.Out(&o) }, teewire.KindOut)
}

func (f *feed) close(conn uint64, why push.CloseReason) {
	f.batch(1, func(b *teewire.Batch) { b.Close(&teewire.Close{At: f.now(), Conn: conn, Reason: why}) }, teewire.KindClose)
}

func (f *feed) torn(o teewire.Torn) {
	o.At = f.now()
	f.batch(1, func(b *teewire.Batch) { b.Torn(&o) }, teewire.KindTorn)
}

func (f *feed) publish(m teewire.Message) {
	if m.At == 0 {
		m.At = f.now()
	}
	f.batch(2, func(b *teewire.Batch) { b.Publish(&m) }, teewire.KindPublish)
}

func (f *feed) to(user, data string) {
	f.publish(teewire.Message{User: []byte(user), Data: []byte(data)})
}

func (f *feed) stop() {
	f.batch(0, func(b *teewire.Batch) { b.End(&teewire.End{At: f.now(), Reason: "stopped"}) }, teewire.KindEnd)
	f.end()
}

// shadow starts a node to be driven.
func shadow(t testing.TB, edit func(*testnode.Config)) *testnode.Node {
	return testnode.Start(t, func(c *testnode.Config) {
		c.NodeName, c.Shadow = "shadow", true
		if edit != nil {
			edit(c)
		}
	})
}

// driven is a driver at work.
type driven struct {
	*Driver
	t    testing.TB
	feed *feed
	stop context.CancelFunc
	done chan error
	over bool
}

func drive(t testing.TB, n *testnode.Node, f *feed, edit func(*Driver), o Options) *driven {
	t.Helper()
	o.Shadow = n.API
	if o.Delay == 0 {
		o.Delay = 30 * time.Millisecond
	}
	if o.ConnsMax == 0 {
		o.ConnsMax = 1000
	}
	if o.LateMax == 0 { // a machine that stands still makes the replay late, not wrong
		o.LateMax = time.Minute
	}
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(d)
	}
	ctx, stop := context.WithCancel(t.Context())
	r := &driven{Driver: d, t: t, feed: f, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- d.Run(ctx, teewire.NewReader(f)) }() // ended below
	t.Cleanup(func() {
		stop()
		if !r.over {
			<-r.done
		}
		n.API.Close()
	})
	return r
}

// eventually waits for a condition of the books, which must be exact all the
// time.
func (d *driven) eventually(what string, ok func(*Counts) bool) Counts {
	d.t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		c := d.Counts()
		exact(d.t, &c)
		if ok(&c) {
			return c
		}
		select {
		case <-deadline.C:
			d.t.Fatalf("never saw: %s; counts %+v", what, c)
		case <-tick.C:
		}
	}
}

// finish ends the stream and returns the last books, in which nothing pends.
func (d *driven) finish() Counts {
	d.t.Helper()
	d.feed.stop()
	d.over = true
	select {
	case err := <-d.done:
		if err != nil {
			d.t.Errorf("Run: %v", err)
		}
	case <-time.After(time.Minute):
		d.t.Fatal("Run does not end")
	}
	c := d.Counts()
	exact(d.t, &c)
	for k, n := range d.feed.wrote {
		if c.Read[k] != n {
			d.t.Errorf("%d of %s read, %d written", c.Read[k], k, n)
		}
	}
	if len(c.Pending) > 0 {
		d.t.Errorf("pending at the end: %v", c.Pending)
	}
	return c
}

func exact(t testing.TB, c *Counts) {
	t.Helper()
	for k := teewire.KindHead; k < teewire.KindLimit; k++ {
		name := k.String()
		sum := c.Replayed[name] + c.Pending[name]
		for _, n := range c.Dropped[name] {
			sum += n
		}
		if sum != c.Read[name] {
			t.Fatalf("%s: read %d, replayed %d, dropped %v, pending %d", name, c.Read[name], c.Replayed[name], c.Dropped[name], c.Pending[name])
		}
	}
}

// sum is of all drops.
func dropped(c *Counts) (n uint64) {
	for _, by := range c.Dropped {
		for _, m := range by {
			n += m
		}
	}
	return n
}

func addrOf(n *testnode.Node) netip.AddrPort { return netip.MustParseAddrPort(n.Client()) }

func user(t testing.TB, n *testnode.Node, name string) *pushdapi.UserInfo {
	t.Helper()
	u, err := n.API.User(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

package tap

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"pushfleet/internal/knob"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
)

// rig is a tap with one loop, and a tee that is read into memory.
type rig struct {
	t     testing.TB
	reg   *knob.Registry
	tap   *Tap
	loop  *Shard
	sink  *memory
	ended chan error
	data  []byte // that messages are cut from
}

func newRig(t testing.TB, set ...string) *rig {
	t.Helper()
	reg := knob.NewRegistry()
	r := &rig{t: t, reg: reg, ended: make(chan error, 1), data: make([]byte, teewire.RecordMax)}
	base := time.Now().Add(-time.Second)
	r.tap = New(Config{Knobs: NewKnobs(reg), Loops: 1, Node: "gw-1", Build: "test",
		Clock: func() int64 { return int64(time.Since(base)) }, Wall: func(ns int64) time.Time { return base.Add(time.Duration(ns)) }})
	r.loop = r.tap.Loop(0)
	r.turn("tap.cpu_percent_max", "1000") // tests do nothing but what a tee costs
	for i := 0; i < len(set); i += 2 {
		r.turn(set[i], set[i+1])
	}
	return r
}

func (r *rig) turn(name, value string) {
	r.t.Helper()
	if _, err := r.reg.Set(name, value, "test", ""); err != nil {
		r.t.Fatal(err)
	}
}

// begin starts a tee and returns once it has taken the head; blocked says that
// it takes nothing more until released.
func (r *rig) begin(o Options, blocked bool) {
	r.t.Helper()
	r.sink = &memory{head: make(chan struct{}), free: make(chan struct{})}
	if !blocked {
		r.sink.release()
	}
	go func() { r.ended <- r.tap.Run(context.Background(), o, r.sink) }()
	<-r.sink.head
	r.loop.Adopt(r.tap.State().Run)
	r.loop.Joining(false)
}

// end stops the tee and returns what was read.
func (r *rig) end() *stream {
	r.t.Helper()
	r.tap.Stop(EndStopped)
	return r.wait()
}

func (r *rig) wait() *stream {
	r.t.Helper()
	if err := <-r.ended; err != nil {
		r.t.Fatal(err)
	}
	if r.tap.last.pool.free != nil || r.tap.last.also.in != nil {
		r.t.Error("a tee that has ended holds on to its buffers")
	}
	return r.sink.read(r.t)
}

// memory is a sink that holds what it is given, and may block or fail.
type memory struct {
	head chan struct{} // closed when the head has come
	free chan struct{} // closed when writes behind the head may go on

	mu     sync.Mutex
	buf    bytes.Buffer
	writes int
	fail   error
}

func (m *memory) release() { close(m.free) }

func (m *memory) Write(b []byte) error {
	m.mu.Lock()
	m.writes++
	n, fail := m.writes, m.fail
	m.mu.Unlock()
	if n > 2 { // magic and head
		<-m.free
	}
	if fail != nil {
		return fail
	}
	m.mu.Lock()
	m.buf.Write(b)
	m.mu.Unlock()
	if n == 2 {
		close(m.head)
	}
	return nil
}

func (m *memory) failWith(err error) {
	m.mu.Lock()
	m.fail = err
	m.mu.Unlock()
}

// stream is a tee as its reader has it.
type stream struct {
	n      [teewire.KindLimit]uint64
	opens  map[uint64]teewire.Open
	torn   []teewire.Torn
	pubs   []teewire.Publish
	ins    []string
	closed int
	count  teewire.Count // the last one
	end    teewire.End
}

// read decodes all, and holds it to what a reader may rely on: time runs
// forward within a source, nothing follows of what is torn, and the books at
// the end are exact.
func (m *memory) read(t testing.TB) *stream {
	t.Helper()
	m.mu.Lock()
	all := bytes.Clone(m.buf.Bytes())
	m.mu.Unlock()
	s := &stream{opens: map[uint64]teewire.Open{}}
	gone, last := map[uint64]bool{}, map[uint32]int64{}
	of := func(conn uint64) {
		if _, open := s.opens[conn]; !open || gone[conn] {
			t.Errorf("a record of connection %d, which is not open (%v) or torn (%v)", conn, open, gone[conn])
		}
	}
	r := teewire.NewReader(teewire.NewStream(bytes.NewReader(all)))
	for {
		k, at, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if at < last[r.Source] {
			t.Errorf("source %d: time runs back by %d ns", r.Source, last[r.Source]-at)
		}
		last[r.Source] = at
		s.n[k]++
		switch k {
		case teewire.KindOpen:
			s.opens[r.Open.Conn] = r.Open
			delete(gone, r.Open.Conn)
		case teewire.KindIn:
			of(r.In.Conn)
			s.ins = append(s.ins, string(r.In.Data))
		case teewire.KindOut:
			of(r.Out.Conn)
		case teewire.KindPublish:
			p := r.Publish
			p.Data = bytes.Clone(p.Data)
			s.pubs = append(s.pubs, p)
		case teewire.KindClose:
			of(r.Close.Conn)
			s.closed++
			gone[r.Close.Conn] = true
		case teewire.KindTorn:
			s.torn = append(s.torn, r.Torn)
			if r.Torn.Conn != 0 {
				of(r.Torn.Conn)
				gone[r.Torn.Conn] = true
			}
		case teewire.KindCount:
			s.count = r.Count
		case teewire.KindEnd:
			s.end = r.End
		}
	}
	s.exact(t)
	return s
}

func (s *stream) exact(t testing.TB) {
	t.Helper()
	c := &s.count
	for k := teewire.KindHead; k < teewire.KindLimit; k++ {
		dropped := uint64(0)
		for _, n := range c.Dropped[k] {
			dropped += n
		}
		if c.Seen[k] != c.Sent[k]+dropped {
			t.Errorf("%s: seen %d, sent %d, dropped %d", k, c.Seen[k], c.Sent[k], dropped)
		}
		if c.Sent[k] != s.n[k] {
			t.Errorf("%s: %d in the books, %d read", k, c.Sent[k], s.n[k])
		}
	}
}

// conn tells the tap of one connection as a session does.
type conn struct {
	r    *rig
	id   uint64
	torn bool
}

func (r *rig) open(id uint64, user string) *conn {
	c := &conn{r: r, id: id}
	c.torn = !r.loop.Open(&teewire.Open{At: r.tap.Clock(), Conn: id, Users: []string{user}})
	return c
}

func (c *conn) out(frames uint32) {
	if c.torn {
		c.r.loop.Lost(teewire.KindOut)
		return
	}
	c.torn = !c.r.loop.Out(&teewire.Out{At: c.r.tap.Clock(), Conn: c.id, Frames: frames, Bytes: 100 * frames})
}

func (c *conn) in(data string) {
	if c.torn {
		c.r.loop.Lost(teewire.KindIn)
		return
	}
	c.torn = !c.r.loop.In(c.r.tap.Clock(), c.id, []byte(data), true)
}

func (c *conn) close() {
	if c.torn {
		c.r.loop.Lost(teewire.KindClose)
		return
	}
	c.r.loop.Close(&teewire.Close{At: c.r.tap.Clock(), Conn: c.id})
}

func (r *rig) publish(user, group string, bytes int) {
	m := &teewire.Message{At: r.tap.Clock(), Data: r.data[:bytes]}
	if user != "" {
		m.User = []byte(user)
	}
	if group != "" {
		m.Group = []byte(group)
	}
	r.tap.Publish(m)
}

// until waits for a condition.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !f(); {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

func code(err error) string {
	if e, ok := err.(*pushdapi.Error); ok {
		return e.Code
	}
	return ""
}

package router

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pushfleet/internal/knob"
	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
)

// bench is a router with its messages and a clock turned by hand.
type bench struct {
	*Router
	msgs *slab.Messages
	reg  *knob.Registry
	now  uint32
}

func newBench(t testing.TB, users int, set ...string) *bench {
	t.Helper()
	b := &bench{reg: knob.NewRegistry(), now: 1}
	k := NewKnobs(b.reg)
	for i := 0; i < len(set); i += 2 {
		if _, err := b.reg.Set(set[i], set[i+1], "test", ""); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if b.msgs, err = slab.NewMessages(256<<20, func() int64 { return 256 << 20 }); err != nil {
		t.Fatal(err)
	}
	b.Router, err = New(Config{UsersMax: users, Loops: 4, Messages: b.msgs, Knobs: k, Clock: func() uint32 { return b.now }})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) close() {
	b.Router.Close()
	b.msgs.Close()
}

func (b *bench) message(text string, deadline uint32) slab.Ref {
	r, tail, ok := b.msgs.New(len(text), slab.Meta{Deadline: deadline})
	if !ok {
		panic("no memory for a message")
	}
	copy(tail, text)
	return r
}

// publish routes a message and gives up its own reference.
func (b *bench) publish(user, text string, deadline uint32) ([]push.Handle, uint32, Outcome) {
	r := b.message(text, deadline)
	h, pos, o := b.Route([]byte(user), r, nil)
	b.msgs.Release(r)
	return h, pos, o
}

type modelMsg struct {
	text     string
	pos      uint32
	deadline uint32
}

type modelUser struct {
	sessions  []push.Handle
	resumable bool
	since     uint32     // when the last session ended
	held      []modelMsg // the newest
	pos       uint32     // of the newest message, 0 before the first
}

// model is what the router should be, with maps. Positions of a ring's first
// message are the router's to choose, if only they rise.
type model struct {
	*bench
	users map[string]*modelUser
	conns map[push.Handle]*modelConn
	high  map[string]uint32 // highest position ever seen of a user
	n     int
}

type modelConn struct {
	head  Link
	users []string // last login first
}

const (
	testTTL      = 1000
	testMessages = 3
	testSessions = 3
	testUsers    = 4
)

var modelNames = []string{"a", "bo", "fifteen-bytes-x", "sixteen-bytes-xy", "sixteen-bytes-xz",
	"e58ed763-928c-4155-bee9-fdbaaadc15f3", "e58ed763-928c-4155-bee9-fdbaaadc15f4",
	strings.Repeat("n", 39), strings.Repeat("n", 40), strings.Repeat("long", 63), strings.Repeat("long", 63) + "xyz"}

func newModel(tb testing.TB) *model {
	m := &model{users: map[string]*modelUser{}, conns: map[push.Handle]*modelConn{}, high: map[string]uint32{}}
	m.bench = newBench(tb, 1000, "replay.ttl", "1s", "replay.messages_max", "3", "user.sessions_max", "3", "conn.users_max", "4")
	for i := range 5 {
		m.conns[push.MakeHandle(0, uint8(i%2), uint32(i), 1)] = &modelConn{}
	}
	return m
}

func (m *model) handle(t *rapid.T) push.Handle {
	return rapid.SampledFrom(slices.Sorted(maps.Keys(m.conns))).Draw(t, "conn")
}

func (m *model) name(t *rapid.T) string { return rapid.SampledFrom(modelNames).Draw(t, "user") }

func (m *model) login(t *rapid.T) {
	h, name := m.handle(t), m.name(t)
	c, u := m.conns[h], m.users[name]
	var q *Resume
	if rapid.Bool().Draw(t, "resume") {
		q = &Resume{Ask: rapid.Bool().Draw(t, "ask"), Epoch: rapid.IntRange(0, 4).Draw(t, "epoch") > 0}
		if u != nil && u.pos > 0 {
			q.After = u.pos + 1 - uint32(rapid.IntRange(0, min(6, int(u.pos))).Draw(t, "back"))
		}
	}
	head, err := m.Login(name, h, c.head, q)
	want := m.loginError(c, u, name, h)
	if !errors.Is(err, want) || (want == nil) != (err == nil) {
		t.Fatalf("Login(%.20s, %v) = %v, want %v", name, h, err, want)
	}
	if err != nil {
		if head != c.head {
			t.Fatal("a refused login changed the head")
		}
		return
	}
	c.head = head
	if u == nil {
		u = &modelUser{}
		m.users[name] = u
	}
	again := slices.Contains(u.sessions, h)
	if !again {
		u.sessions = append(u.sessions, h)
		c.users = slices.Insert(c.users, 0, name)
	}
	if q != nil {
		u.resumable = true
		m.checkResume(t, u, q, again)
	}
}

func (m *model) loginError(c *modelConn, u *modelUser, name string, h push.Handle) error {
	switch {
	case u != nil && slices.Contains(u.sessions, h):
		return nil
	case u != nil && len(u.sessions) >= testSessions:
		return ErrSessions
	case len(c.users) >= testUsers:
		return ErrUsers
	}
	return nil
}

func (m *model) checkResume(t *rapid.T, u *modelUser, q *Resume, again bool) {
	if u.pos > 0 && q.Pos != u.pos {
		t.Fatalf("position %d, want %d", q.Pos, u.pos)
	}
	var want []string
	gap := false
	switch {
	case again || !q.Ask:
	case !q.Epoch || q.After > q.Pos:
		gap = true
	default:
		gap = uint32(len(u.held)) < q.Pos-q.After
		for _, e := range u.held {
			if e.pos > q.After && !expired(e.deadline, m.now) {
				want = append(want, fmt.Sprint(e.pos, e.text))
			}
		}
	}
	var got []string
	for _, e := range q.Messages {
		got = append(got, fmt.Sprint(e.Pos, string(m.msgs.Tail(e.Msg))))
		m.msgs.Release(e.Msg)
	}
	if !slices.Equal(got, want) || q.Gap != gap {
		t.Fatalf("after %d of %d: replayed %q gap %v, want %q gap %v", q.After, q.Pos, got, q.Gap, want, gap)
	}
}

func (m *model) logout(t *rapid.T) {
	h, name := m.handle(t), m.name(t)
	c := m.conns[h]
	head, ok := m.Logout(name, h, c.head)
	if want := slices.Contains(c.users, name); ok != want {
		t.Fatalf("Logout(%.20s, %v) = %v, want %v", name, h, ok, want)
	}
	if c.head = head; ok {
		c.users = slices.DeleteFunc(c.users, func(s string) bool { return s == name })
		m.ended(name, h)
	}
}

func (m *model) ended(name string, h push.Handle) {
	u := m.users[name]
	u.sessions = slices.DeleteFunc(u.sessions, func(v push.Handle) bool { return v == h })
	if len(u.sessions) > 0 {
		return
	}
	if u.since = m.now; !u.resumable {
		delete(m.users, name)
	}
}

// drop ends a connection; its slot is used again with the next generation.
func (m *model) drop(t *rapid.T) {
	h := m.handle(t)
	c := m.conns[h]
	m.Drop(h, c.head)
	for _, name := range c.users {
		m.ended(name, h)
	}
	if got := m.Users(h, c.head); len(got) != 0 {
		t.Fatalf("a stale head still leads to %q", got)
	}
	delete(m.conns, h)
	m.conns[push.MakeHandle(h.Node(), uint8(h.Loop()), h.Slot(), h.Gen()+1)] = &modelConn{}
}

func (m *model) route(t *rapid.T) {
	name := m.name(t)
	m.n++
	e := modelMsg{text: fmt.Sprint("m", m.n)}
	if rapid.IntRange(0, 3).Draw(t, "ttl") == 0 {
		e.deadline = m.now + 300
	}
	u := m.users[name]
	handles, pos, o := m.publish(name, e.text, e.deadline)
	want := Absent
	switch {
	case u == nil:
	case len(u.sessions) > 0:
		want = Routed
	default:
		want = Kept
	}
	if o != want {
		t.Fatalf("Route(%.20s) = %v, want %v", name, o, want)
	}
	if u == nil {
		return
	}
	if slices.Sort(handles); !slices.Equal(handles, slices.Sorted(slices.Values(u.sessions))) {
		t.Fatalf("routed to %v, want %v", handles, u.sessions)
	}
	if u.resumable != (pos > 0) {
		t.Fatalf("resumable %v, position %d", u.resumable, pos)
	}
	if pos == 0 {
		return
	}
	if u.pos > 0 && pos != u.pos+1 || pos <= m.high[name] {
		t.Fatalf("position %d after %d (highest ever %d)", pos, u.pos, m.high[name])
	}
	u.pos, m.high[name], e.pos = pos, pos, pos
	if u.held = append(u.held, e); len(u.held) > testMessages {
		u.held = u.held[1:]
	}
}

func (m *model) pass(t *rapid.T) {
	m.now += uint32(rapid.IntRange(1, 700).Draw(t, "ms"))
	m.Expire(m.now)
	for name, u := range m.users {
		if len(u.sessions) == 0 && m.now-u.since >= testTTL {
			delete(m.users, name)
		}
	}
}

func (m *model) check(t *rapid.T) {
	for h, c := range m.conns {
		if got := m.Users(h, c.head); !slices.Equal(got, c.users) {
			t.Fatalf("users of %v: %q, want %q", h, got, c.users)
		}
		if first := m.First(h, c.head); len(c.users) > 0 && first != c.users[0] {
			t.Fatalf("first of %v: %q", h, first)
		}
	}
	var want Counts
	for name, u := range m.users {
		want.Names++
		if want.Links += int64(len(u.sessions)); len(u.sessions) > 0 {
			want.Users++
		}
		got := m.Sessions(name)
		if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(u.sessions))) {
			t.Fatalf("sessions of %.20s: %v, want %v", name, got, u.sessions)
		}
		if n := m.Held(name); n != len(u.held) {
			t.Fatalf("%.20s holds %d, want %d", name, n, len(u.held))
		}
	}
	got := m.Counts()
	if got.Users != want.Users || got.Links != want.Links || got.Names != want.Names {
		t.Fatalf("counts %+v, want %+v", got, want)
	}
}

func (m *model) end(t *rapid.T) {
	for h, c := range m.conns {
		m.Drop(h, c.head)
	}
	m.now += testTTL
	m.Expire(m.now)
	if got := m.Counts(); got != (Counts{}) {
		t.Fatalf("left at the end: %+v", got)
	}
	for i := range m.shards {
		if s := &m.shards[i]; s.blkFree.live+s.linkFree.live+s.nodeFree.live+s.userFree.live+s.ringFree.live != 0 {
			t.Fatalf("shard %d leaks: %+v", i, s)
		}
	}
	if n := m.msgs.Bytes(); n != 0 {
		t.Fatalf("%d bytes of messages left", n)
	}
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(t)
		defer m.close()
		rt.Repeat(map[string]func(*rapid.T){
			"": m.check, "login": m.login, "login2": m.login, "logout": m.logout, "drop": m.drop,
			"route": m.route, "route2": m.route, "pass": m.pass,
		})
		m.end(rt)
	})
}

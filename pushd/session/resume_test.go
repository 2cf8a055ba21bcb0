package session

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
)

// position is what a client keeps to come back with.
func position(f frame) string {
	pos, id := f.str("pos"), f.str("sse-id")
	if id != "" && id != pos {
		return fmt.Sprintf("id %q is not pos %q", id, pos)
	}
	return pos
}

// reader is a resumable client that leaves and comes back all the time.
type reader struct {
	r      *rig
	user   string
	query  string
	header bool // the position goes into Last-Event-ID
	accept string
	last   string
	conns  int
}

func (x *reader) connect() *client {
	x.conns++
	q, head := "user="+x.user+x.query, []string(nil)
	switch {
	case x.last != "" && x.header:
		head = append(head, "Last-Event-ID: "+x.last+"\r\n")
	case x.last != "":
		q += "&last=" + x.last
	}
	if x.accept == "" {
		return x.r.ws(q)
	}
	return x.r.stream(q, x.accept, head...)
}

// Nothing is lost and nothing doubled, however often the clients leave in the
// middle of what is published.
func TestResumeIsExact(t *testing.T) {
	const n = 3000
	r := newRig(t, "replay.messages_max", "4096", "queue.messages_max", "65536")
	kinds := []reader{
		{query: "", accept: "text/event-stream", header: true},
		{query: "", accept: "text/event-stream"},
		{query: "&resume=1", accept: "*/*"},
		{query: "&resume=1"},
		{query: "&poll=30", accept: "*/*"},
	}
	var wg sync.WaitGroup
	for i := range kinds {
		x := &kinds[i]
		x.r, x.user = r, fmt.Sprintf("u%d", i)
		c := x.connect() // before the first message, or there is nothing to resume
		wg.Go(func() { publishAll(r, x.user, n) })
		wg.Go(func() { x.readAll(c, n) })
	}
	wg.Wait()
	for i := range kinds {
		if kinds[i].conns < 20 {
			t.Errorf("reader %d came back only %d times", i, kinds[i].conns)
		}
	}
}

func publishAll(r *rig, user string, n int) {
	rnd := rand.New(rand.NewPCG(uint64(n), uint64(len(user))))
	for i := range n {
		if err := r.publish(user, strconv.Itoa(i), slab.Meta{}); err != nil {
			r.t.Error(err)
			return
		}
		for range rnd.IntN(4) {
			runtime.Gosched()
		}
	}
}

func (x *reader) readAll(c *client, n int) {
	rnd := rand.New(rand.NewPCG(7, uint64(len(x.query))))
	for next := 0; next < n; {
		x.last = position(c.hello) // for a client that leaves without any data
		for left := rnd.IntN(120); left > 0 && next < n; left-- {
			f, err := c.tryRead()
			if err != nil {
				break // a poll that was answered
			}
			if f.str("type") == "gap" || f.num("data") != next {
				x.r.t.Errorf("%s: after message %d at %q came %v", x.user, next-1, x.last, f)
				return
			}
			x.last = position(f)
			next++
		}
		if rnd.IntN(2) == 0 {
			c.abort()
		}
		c.conn.Close()
		if next < n {
			c = x.connect()
		}
	}
}

// A client that was never sent anything knows where to go on all the same: what
// is published while it is away is not lost, nor is there a gap where nothing
// was published.
func TestResumeFromTheHello(t *testing.T) {
	r := newRig(t)
	f := func(user, query, accept string) {
		t.Helper()
		x := &reader{r: r, user: user, query: query, accept: accept}
		leave := func(c *client) {
			x.last = position(c.hello)
			c.conn.Close()
			r.eventually("gone", func() bool { return r.table.Live() == 0 })
		}
		leave(x.connect())
		leave(x.connect())
		r.send(user, "1", slab.Meta{})
		c := x.connect()
		if got := position(c.hello); got != x.last {
			t.Errorf("%s: hello at %q, want it before the message that was missed, at %q", user, got, x.last)
		}
		c.expectData("1")
		leave(c) // as if only the hello had come
		c = x.connect()
		c.expectData("1")
		c.conn.Close()
		r.eventually("gone", func() bool { return r.table.Live() == 0 })
	}
	f("a", "", "text/event-stream")
	f("b", "&poll=30", "*/*")
	f("c", "&resume=1", "*/*")
	f("d", "&resume=1", "")
}

// After a gap the position is in the gap: a client that has seen the hello only
// must be told of the gap once more.
func TestGapHasThePosition(t *testing.T) {
	r := newRig(t)
	c := r.stream("user=u", "text/event-stream", "Last-Event-ID: other-5\r\n")
	if pos := position(c.hello); pos != "" {
		t.Errorf("hello before a gap has position %q", pos)
	}
	gap := c.expectType("gap")
	c.conn.Close()
	r.eventually("gone", func() bool { return r.table.Live() == 0 })
	r.send("u", "1", slab.Meta{})
	r.stream("user=u", "text/event-stream", "Last-Event-ID: "+position(gap)+"\r\n").expectData("1")
}

func TestResumeFromThePosition(t *testing.T) {
	r := newRig(t, "replay.messages_max", "4")
	first := r.stream("user=u", "text/event-stream")
	for i := 1; i <= 6; i++ {
		r.send("u", strconv.Itoa(i), slab.Meta{})
		first.expectData(strconv.Itoa(i))
	}
	f := func(last string, gap bool, want ...string) {
		t.Helper()
		c := r.ws("user=u&resume=1&last=" + last)
		if gap {
			if g := c.expectType("gap"); g.str("reason") != "replay" || g.str("after") != last {
				t.Errorf("last=%s: gap %v", last, g)
			}
		}
		for _, w := range want {
			c.expectData(w)
		}
		c.say(`{"type":"ping"}`) // nothing else was on its way
		c.expectType("pong")
	}
	f("", false)
	f("test1-6", false)
	f("test1-5", false, "6")
	f("test1-2", false, "3", "4", "5", "6")
	f("test1-1", true, "3", "4", "5", "6") // 2 is not held any more
	f("test1-0", true, "3", "4", "5", "6")
	f("test1-7", true)  // never given
	f("other-5", true)  // another start of the node
	f("nonsense", true) // not a position
	f("test1-05", true)
}

// A position does not say whose it is, so a connection of several users has
// none, and is told that it cannot go on from one.
func TestSeveralUsersHaveNoPositions(t *testing.T) {
	r := newRig(t)
	for _, u := range []string{"a", "b"} {
		c := r.stream("user="+u, "text/event-stream")
		r.send(u, `"`+u+`"`, slab.Meta{})
		c.expectData(u)
	}
	c := r.ws("user=a&user=b&resume=1&last=test1-0")
	if f := c.expectType("gap"); f.str("reason") != "replay" {
		t.Errorf("gap %v, want reason replay", f)
	}
	r.send("b", `"new"`, slab.Meta{})
	if f := c.expectData("new"); f["pos"] != nil {
		t.Errorf("frame %v has a position", f)
	}
	one := r.ws("user=a&resume=1")
	one.say(`{"type":"login","user":"b","ref":1}`)
	one.expectType("ok")
	r.send("a", `"later"`, slab.Meta{})
	if f := one.expectData("later"); f["pos"] != nil {
		t.Errorf("frame %v after a further login has a position", f)
	}
}

func TestPositionsOnlyWhereAsked(t *testing.T) {
	r := newRig(t)
	f := func(c *client, want bool) {
		t.Helper()
		r.send("u", "1", slab.Meta{})
		if got := c.expectData("1"); (got.str("pos") != "") != want {
			t.Errorf("frame %v, want a position: %v", got, want)
		}
		c.conn.Close()
		r.eventually("gone", func() bool { return r.table.Live() == 0 })
	}
	f(r.ws("user=u"), false)
	f(r.stream("user=u", "*/*"), false)
	f(r.ws("user=u&resume=1"), true)
	f(r.stream("user=u&resume=1", "*/*"), true)
	f(r.stream("user=u", "text/event-stream"), true)
	f(r.stream("user=u&poll=5", "*/*"), true)
	c := r.stream("user=u&group=g", "text/event-stream")
	r.sendGroup("g", "2", 0)
	if got := c.expectData("2"); got.str("pos")+got.str("sse-id") != "" {
		t.Errorf("frame of a group has a position: %v", got)
	}
	if n := r.s.Closed.Totals()[push.CloseGone]; n == 0 {
		t.Error("nobody counted as gone")
	}
}

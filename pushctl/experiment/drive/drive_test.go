package drive

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
	"pushfleet/internal/testnode"
)

func TestConnectionsFollowOnEveryTransport(t *testing.T) {
	n, f := shadow(t, nil), newFeed(t)
	d := drive(t, n, f, nil, Options{})
	for i := range 4 {
		for p := push.ProtoWS; p < push.ProtoCount; p++ {
			f.open(teewire.Open{Conn: uint64(10*i) + uint64(p), Proto: p, Users: []string{fmt.Sprintf("u-%d-%v", i, p)},
				Groups: []string{"news"}, Poll: 100 * time.Second, Joined: i == 0})
		}
	}
	d.eventually("all open", func(c *Counts) bool { return c.Open == 16 && c.Joined == 4 })
	n.Eventually("all there", func(s *pushdapi.Stats) bool {
		return s.Connections.ByProto["ws"] == 4 && s.Connections.ByProto["poll"] == 4 && s.Connections.Total == 16 && s.Users == 16
	})
	f.publish(teewire.Message{Group: []byte("news"), Data: []byte(`{"x":1}`)})
	d.eventually("a message for each", func(c *Counts) bool { return c.Frames == 16 })
	// The polls were answered, as in production.
	for i := range 4 {
		f.close(uint64(10*i)+uint64(push.ProtoPoll), push.ClosePollDone)
		f.close(uint64(10*i)+uint64(push.ProtoSSE), push.CloseGone)
		f.close(uint64(10*i)+uint64(push.ProtoWS), push.CloseClient)
	}
	d.eventually("streams alone", func(c *Counts) bool { return c.Open == 4 && c.Sockets == 4 })
	n.Eventually("streams alone there", func(s *pushdapi.Stats) bool { return s.Connections.Total == 4 && s.ClosedBy["poll_done"] == 4 })
	c := d.finish()
	if c.Replayed["open"] != 16 || c.Replayed["close"] != 12 || dropped(&c) != 0 || c.Published != 1 || c.Lost != 0 ||
		c.EndedThere["poll_done"] != 4 || c.EndedThere["gone"] != 4 {
		t.Errorf("counts %+v", c)
	}
}

// A poll of which only production has said that it was answered ends too.
func TestPollThatIsNotAnsweredHere(t *testing.T) {
	n, f := shadow(t, nil), newFeed(t)
	d := drive(t, n, f, nil, Options{})
	f.open(teewire.Open{Conn: 1, Proto: push.ProtoPoll, Users: []string{"a"}, Poll: 200 * time.Second})
	f.close(1, push.ClosePollDone)
	c := d.finish()
	if c.Replayed["close"] != 1 || c.EndedHere["hung up"] != 1 {
		t.Errorf("counts %+v", c)
	}
}

func TestCommandsAndCopies(t *testing.T) {
	n, f := shadow(t, nil), newFeed(t)
	d := drive(t, n, f, nil, Options{Amplify: 3})
	f.open(teewire.Open{Conn: 1, Users: []string{"a"}})
	// Given before the shadow has answered.
	f.in(1, `{"type":"bind","group":"g"}`)
	f.in(1, `{"type":"login","user":"b"}`)
	d.eventually("commands given", func(c *Counts) bool { return c.Replayed["in"] == 2 && c.Sockets == 3 })
	n.Eventually("users and group there", func(s *pushdapi.Stats) bool { return s.Users == 6 && s.Groups == 1 })
	for _, name := range []string{"a", "a~2", "a~3", "b", "b~2", "b~3"} {
		if u := user(t, n, name); len(u.Sessions) != 1 {
			t.Errorf("user %s: %d sessions", name, len(u.Sessions))
		}
	}
	f.in(1, `{"type":"logout","user":"b","ref":1}`)
	n.Eventually("logged out", func(s *pushdapi.Stats) bool { return s.Users == 3 })
	f.to("a", `"x"`)                                                            // three
	f.publish(teewire.Message{Group: []byte("g"), Data: []byte("{\n\"y\":1}")}) // one, to three
	f.publish(teewire.Message{Data: []byte(`"all"`)})                           // one, to three
	d.eventually("all delivered", func(c *Counts) bool { return c.Frames == 9 })
	f.in(7, `{"type":"ping"}`)
	f.close(7, push.CloseClient)
	f.out(teewire.Out{Conn: 7})
	c := d.finish()
	if c.Replayed["publish"] != 3 || c.Published != 5 || c.Replayed["in"] != 3 {
		t.Errorf("counts %+v", c)
	}
	for _, k := range []string{"in", "close", "out"} {
		if c.Dropped[k][DropUnknown] != 1 {
			t.Errorf("of a connection that is not mirrored: %v", c.Dropped)
		}
	}
}

// Messages keep what they are published with.
func TestMessagesAsPublished(t *testing.T) {
	n, f := shadow(t, nil), newFeed(t)
	d := drive(t, n, f, nil, Options{})
	f.open(teewire.Open{Conn: 1, Users: []string{"é \"x\""}})
	d.eventually("open", func(c *Counts) bool { return c.Open == 1 })
	m := teewire.Message{User: []byte("é \"x\""), ID: []byte("i\\1"), Key: []byte("k"), Class: byte(push.ClassVolatile), TTL: 90 * time.Second, Data: []byte(`[1]`)}
	f.publish(m)
	f.publish(m)
	n.Eventually("the second is known", func(s *pushdapi.Stats) bool { return s.Totals.Delivered == 1 && s.DroppedBy["duplicate"] == 1 })
	c := d.finish()
	if c.Replayed["publish"] != 2 || c.Frames != 1 {
		t.Errorf("counts %+v", c)
	}
}

// Sources arrive one after the other and are put in order.
func TestSourcesAreMerged(t *testing.T) {
	n, f := shadow(t, nil), newFeed(t)
	d := drive(t, n, f, nil, Options{Delay: 300 * time.Millisecond})
	at := f.now() + int64(2*time.Second) // all three come before any is due
	f.publish(teewire.Message{At: at + 2e6, User: []byte("a"), Data: []byte(`1`)})
	f.publish(teewire.Message{At: at + 3e9, User: []byte("a"), Data: []byte(`2`)})
	f.open(teewire.Open{At: at, Conn: 1, Users: []string{"a"}})
	d.eventually("both delivered or missed", func(c *Counts) bool { return c.Replayed["publish"] == 2 })
	c := d.finish()
	// The first may come before the connection is open: it follows by 2 ms.
	if c.Frames < 1 || dropped(&c) != 0 {
		t.Errorf("counts %+v", c)
	}
}

func TestShadowRefuses(t *testing.T) {
	n, f := shadow(t, func(c *testnode.Config) { c.Knobs["conns.max"] = "1"; c.Knobs["message.bytes_max"] = "1KiB" }), newFeed(t)
	d := drive(t, n, f, nil, Options{})
	f.open(teewire.Open{Conn: 1, Users: []string{"a"}})
	d.eventually("one open", func(c *Counts) bool { return c.Open == 1 })
	f.open(teewire.Open{Conn: 2, Users: []string{"b"}})
	f.in(2, `{"type":"ping"}`)
	d.eventually("one refused", func(c *Counts) bool { return c.Dropped["open"][DropRefused] == 1 })
	f.out(teewire.Out{Conn: 2, Bytes: 10})
	f.close(2, push.CloseClient)
	for i := range 300 { // more than a node tells of in one stream
		f.to("a", `"`+strings.Repeat("x", 2000*(i%2))+`"`)
		if i%20 == 19 {
			d.eventually("answered", func(c *Counts) bool { return c.Read["publish"] == uint64(i+1) && c.Pending["publish"] == 0 })
		}
	}
	c := d.finish()
	if c.Dropped["in"][DropRefused] != 1 || c.Dropped["out"][DropRefused] != 1 || c.Dropped["close"][DropRefused] != 1 || c.Failed != 1 {
		t.Errorf("counts %+v", c)
	}
	if c.Dropped["publish"][DropRefused] != 150 || c.Replayed["publish"] != 150 || c.Published != 150 || c.Frames != 150 {
		t.Errorf("messages: %v replayed, dropped %v, %d delivered", c.Replayed, c.Dropped, c.Frames)
	}
}

func TestShadowEndsConnections(t *testing.T) {
	n, f := shadow(t, nil), newFeed(t)
	d := drive(t, n, f, nil, Options{Amplify: 2})
	f.open(teewire.Open{Conn: 1, Users: []string{"a"}})
	f.open(teewire.Open{Conn: 2, Users: []string{"b"}})
	n.Eventually("all there", func(s *pushdapi.Stats) bool { return s.Connections.ByProto["ws"] == 4 })
	if k, err := n.API.KickUser(t.Context(), "a"); k.Kicked != 1 || err != nil {
		t.Fatal(k, err)
	}
	d.eventually("its copy gone too", func(c *Counts) bool { return c.Sockets == 2 && c.Open == 1 && c.Lost == 1 })
	f.in(1, `{"type":"ping"}`)
	f.out(teewire.Out{Conn: 1, Bytes: 10})
	f.close(1, push.CloseClient) // ended on both sides
	c := d.finish()
	if c.Dropped["in"][DropLost] != 1 || c.Dropped["out"][DropLost] != 1 || c.Replayed["close"] != 1 || c.EndedHere["4001 kicked"] != 1 {
		t.Errorf("counts %+v", c)
	}
}

func TestShadowDies(t *testing.T) {
	n, f := shadow(t, nil), newFeed(t)
	d := drive(t, n, f, nil, Options{})
	f.open(teewire.Open{Conn: 1, Users: []string{"a"}})
	f.to("a", `1`)
	d.eventually("a message", func(c *Counts) bool { return c.Replayed["publish"] == 1 })
	n.Stop()
	d.eventually("lost", func(c *Counts) bool { return c.Lost == 1 && c.Open == 0 })
	f.open(teewire.Open{Conn: 2, Users: []string{"b"}})
	f.to("a", `2`)
	c := d.eventually("both dropped", func(c *Counts) bool {
		return c.Dropped["publish"][DropLost] == 1 && c.Dropped["open"][DropRefused] == 1
	})
	if len(c.Excluded) == 0 || c.Excluded[0].Why != DropLost {
		t.Errorf("excluded %v", c.Excluded)
	}
	f.publish(teewire.Message{Data: []byte(`3`)})
	c = d.finish()
	if c.Dropped["publish"][DropLost] != 2 {
		t.Errorf("counts %+v", c)
	}
}

func TestTorn(t *testing.T) {
	n, f := shadow(t, nil), newFeed(t)
	d := drive(t, n, f, nil, Options{})
	for i := range 3 {
		f.open(teewire.Open{Conn: uint64(i + 1), Users: []string{fmt.Sprintf("u%d", i+1)}})
	}
	d.eventually("all open", func(c *Counts) bool { return c.Open == 3 })
	f.torn(teewire.Torn{Conn: 1, Why: teewire.DropBuffer})
	f.torn(teewire.Torn{User: "u2", Why: teewire.DropBuffer})
	f.in(1, `{"type":"ping"}`)
	f.in(2, `{"type":"ping"}`)
	f.close(2, push.CloseClient)
	f.to("u2", `1`)
	f.to("u3", `1`)
	f.open(teewire.Open{Conn: 4, Users: []string{"u2"}})
	f.torn(teewire.Torn{Why: teewire.DropBuffer})
	d.eventually("one left", func(c *Counts) bool { return c.Open == 1 && c.Frames == 1 && len(c.Excluded) == 1 })
	n.Eventually("one left there", func(s *pushdapi.Stats) bool { return s.Connections.Total == 1 })
	c := d.finish()
	if c.Torn != 3 || c.Dropped["in"][DropTorn] != 2 || c.Dropped["close"][DropTorn] != 1 || c.Dropped["publish"][DropTorn] != 1 ||
		c.Dropped["open"][DropTorn] != 1 || c.Replayed["torn"] != 3 || c.Excluded[0].Why != DropTorn || c.Excluded[0].To.Before(c.Excluded[0].From) {
		t.Errorf("counts %+v", c)
	}
}

func TestLate(t *testing.T) {
	n, f := shadow(t, nil), newFeed(t)
	d := drive(t, n, f, nil, Options{})
	f.open(teewire.Open{Conn: 1, Users: []string{"a"}})
	d.eventually("open", func(c *Counts) bool { return c.Open == 1 })
	long := f.now() - int64(time.Hour)
	f.open(teewire.Open{At: long, Conn: 2, Users: []string{"b"}})
	f.publish(teewire.Message{At: long, User: []byte("a"), Data: []byte(`1`)})
	f.batch(1, func(b *teewire.Batch) { b.In(long, 1, []byte(`{"type":"ping"}`)) }, teewire.KindIn)
	f.in(2, `{"type":"ping"}`)
	f.close(1, push.CloseClient)
	c := d.finish()
	if c.Dropped["open"][DropLate] != 1 || c.Dropped["publish"][DropLate] != 1 || c.Dropped["in"][DropLate] != 2 ||
		c.Dropped["close"][DropLate] != 1 || c.Torn != 2 || len(c.Excluded) != 1 || c.Excluded[0].Why != DropLate {
		t.Errorf("counts %+v", c)
	}
}

// What is due and finds no room is dropped; what is not due waits outside.
func TestFull(t *testing.T) {
	n, f := shadow(t, nil), newFeed(t)
	d := drive(t, n, f, func(d *Driver) { d.recordsN = 4 }, Options{ConnsMax: 2})
	for i := range 100 { // from a file: far ahead, each after the other
		f.publish(teewire.Message{At: mono + int64(i)*1e6, User: []byte("a"), Data: []byte(`1`)})
	}
	d.eventually("all replayed", func(c *Counts) bool { return c.Replayed["publish"]+c.Dropped["publish"][DropFull] == 100 })
	for i := range 3 {
		f.open(teewire.Open{Conn: uint64(i), Users: []string{"a"}})
	}
	d.eventually("one too many", func(c *Counts) bool { return c.Open == 2 && c.Dropped["open"][DropFull] == 1 })
	// Nobody replays while this lock is held, and the queue has four places.
	d.mu.Lock()
	rec := record{kind: teewire.KindPublish, at: d.clock.until(d.now()) - int64(d.opts.LateMax/2), size: recordBytes, body: &teewire.Publish{User: "a", Data: []byte(`1`)}}
	for range 6 {
		d.books.read[rec.kind]++
		f.wrote["publish"]++
		d.enqueue(t.Context(), 9, rec)
	}
	full := d.books.dropped[rec.kind][dropFull]
	d.mu.Unlock()
	if full < 2 {
		t.Errorf("%d of 6 dropped, there were 4 places", full)
	}
	c := d.finish()
	if len(c.Excluded) == 0 || c.Excluded[len(c.Excluded)-1].Why != DropFull {
		t.Errorf("excluded %v", c.Excluded)
	}
}

// What the driver has read and has no time for any more is told as pending.
func TestStoppedInBetween(t *testing.T) {
	n, f := shadow(t, nil), newFeed(t)
	d := drive(t, n, f, nil, Options{})
	f.open(teewire.Open{Conn: 1, Users: []string{"a"}})
	d.eventually("open", func(c *Counts) bool { return c.Open == 1 })
	f.publish(teewire.Message{At: f.now() + int64(time.Hour), User: []byte("a"), Data: []byte(`1`)})
	d.eventually("read", func(c *Counts) bool { return c.Pending["publish"] == 1 })
	d.stop()
	if err := <-d.done; err != nil {
		t.Errorf("Run: %v", err)
	}
	d.over = true
	c := d.Counts()
	if exact(t, &c); c.Pending["publish"] != 1 || c.Sockets != 0 {
		t.Errorf("counts %+v", c)
	}
	n.Eventually("nobody left", func(s *pushdapi.Stats) bool { return s.Connections.Total == 0 })
}

func TestStreamBreaksOff(t *testing.T) {
	n, f := shadow(t, nil), newFeed(t)
	d := drive(t, n, f, nil, Options{})
	f.open(teewire.Open{Conn: 1, Users: []string{"a"}})
	f.end()
	d.over = true
	if err := <-d.done; err == nil || !strings.Contains(err.Error(), "without saying why") {
		t.Errorf("Run: %v", err)
	}
	if c := d.Counts(); c.Replayed["open"] != 1 {
		t.Errorf("counts %+v", c)
	}
}

func TestFasterThanItWas(t *testing.T) {
	n, f := shadow(t, nil), newFeed(t)
	began := time.Now()
	d := drive(t, n, f, nil, Options{Speed: 1000})
	f.publish(teewire.Message{At: mono + int64(100*time.Second), User: []byte("a"), Data: []byte(`1`)})
	c := d.finish()
	if took := time.Since(began); c.Replayed["publish"] != 1 || took < 100*time.Millisecond || took > 50*time.Second {
		t.Errorf("took %v; counts %+v", took, c)
	}
}

func TestChecksTheShadow(t *testing.T) {
	n := testnode.Start(t, func(c *testnode.Config) { c.NodeName = "other" })
	defer n.API.Close()
	_, err := New(Options{Shadow: n.API, Production: n.API, ConnsMax: 10})
	if err == nil || !strings.Contains(err.Error(), "both production and shadow") {
		t.Errorf("production as shadow: %v", err)
	}
	if _, err := New(Options{}); err == nil {
		t.Error("no shadow: no error")
	}
	d, err := New(Options{Shadow: n.API, ConnsMax: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Warnings()) != 1 || d.target != addrOf(n) {
		t.Errorf("warnings %q, clients at %v", d.Warnings(), d.target)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

package drive

import (
	"fmt"
	"testing"

	"pushfleet/internal/push"
	"pushfleet/internal/teewire"
)

// However many users are torn, all connections are looked at once a turn; one
// that is met before has left by then.
func TestTornUsersLeaveTogether(t *testing.T) {
	d := &Driver{conns: map[uint64]*mirrored{}, users: map[string]bool{}}
	const conns, torn = 100, 60
	for i := range uint64(conns) {
		d.conns[i] = &mirrored{id: i, state: stateOpen, users: []string{"a", fmt.Sprint("u", i)}}
	}
	for i := range torn {
		d.tornBy(&record{kind: teewire.KindTorn, body: &teewire.Torn{User: fmt.Sprint("u", i)}})
	}
	if d.books.torn != 0 {
		t.Errorf("%d have left one by one", d.books.torn)
	}
	if c, w := d.known(7); c != nil || w != dropTorn || d.books.torn != 1 {
		t.Errorf("met: %v, %s, %d torn", c, w, d.books.torn)
	}
	if c, _ := d.known(torn); c == nil {
		t.Error("one without a hole has left")
	}
	d.tearUsers()
	if d.books.torn != torn || d.tearing {
		t.Errorf("%d of %d torn", d.books.torn, torn)
	}
}

// Where a file has a hole, nothing is known of the connections that are open
// then; where a tap has left a message out, all is known of them. Whoever opens
// behind it is whole.
func TestHoleOfAFile(t *testing.T) {
	n, f := shadow(t, nil), newFeed(t)
	d := drive(t, n, f, nil, Options{})
	for i := range uint64(3) {
		f.open(teewire.Open{Conn: i + 1, Users: []string{fmt.Sprint("u", i+1)}})
	}
	d.eventually("all open", func(c *Counts) bool { return c.Open == 3 })
	f.torn(teewire.Torn{Why: teewire.DropBuffer})
	d.eventually("messages are missing", func(c *Counts) bool { return c.Replayed["torn"] == 1 && c.Open == 3 && c.Torn == 0 })
	f.torn(teewire.Torn{Why: teewire.DropFile})
	d.eventually("nobody left", func(c *Counts) bool { return c.Open == 0 && c.Torn == 3 })
	f.open(teewire.Open{Conn: 4, Users: []string{"u4"}})
	f.in(1, `{"type":"ping"}`)
	f.close(2, push.CloseClient)
	d.eventually("one is new", func(c *Counts) bool { return c.Open == 1 })
	f.to("u4", `1`)
	d.eventually("it is served", func(c *Counts) bool { return c.Frames == 1 })
	c := d.finish()
	if c.Torn != 3 || c.Dropped["in"][DropTorn] != 1 || c.Dropped["close"][DropTorn] != 1 || dropped(&c) != 2 || len(c.Excluded) == 0 {
		t.Errorf("counts %+v", c)
	}
}

// A hole that is told too late is one all the same.
func TestHoleLeftOut(t *testing.T) {
	d := &Driver{conns: map[uint64]*mirrored{1: {id: 1, state: stateOpen}}, users: map[string]bool{}}
	f := func(why teewire.Drop, torn uint64) {
		t.Helper()
		d.leaveOut(&record{kind: teewire.KindTorn, body: &teewire.Torn{Why: why}}, dropLate)
		if d.books.torn != torn {
			t.Errorf("%s: %d torn, want %d", why, d.books.torn, torn)
		}
	}
	f(teewire.DropBuffer, 0)
	f(teewire.DropFile, 1)
	f(teewire.DropFile, 1)
}

package session

import (
	"testing"

	"pushfleet/pushd/reactor"
	"pushfleet/pushd/slab"
)

// routed takes a position for a message, as a publisher does, but does not
// post it yet.
func (r *rig) routed(user, data string) []reactor.Item {
	r.t.Helper()
	ref := r.message(data, slab.Meta{})
	hs, pos, _ := r.s.Router.Route([]byte(user), ref, nil)
	var items []reactor.Item
	for _, h := range hs {
		r.s.Messages.Retain(ref, 1)
		items = append(items, reactor.Item{H: h, Msg: ref, Pos: pos})
	}
	r.s.Messages.Release(ref)
	return items
}

func (r *rig) post(items []reactor.Item) {
	r.t.Helper()
	if n := r.loop.Post(items); n != len(items) {
		r.t.Fatalf("inbox took %d of %d", n, len(items))
	}
}

func (r *rig) forget(items []reactor.Item) {
	for _, it := range items {
		r.s.Messages.Release(it.Msg)
	}
}

func TestPublishersThatOvertakeKeepTheOrderOfPositions(t *testing.T) {
	r := newRig(t)
	c := r.ws("user=u&resume=1")
	first, second, third := r.routed("u", `"a"`), r.routed("u", `"b"`), r.routed("u", `"c"`)
	r.post(third)
	r.post(first)
	r.post(second)
	for i, want := range []string{"a", "b", "c"} {
		if f := c.expectData(want); f.num("seq") != i+1 {
			t.Errorf("frame %v, want seq %d", f, i+1)
		}
	}
	c.say(`{"type":"ping"}`)
	c.expectType("pong") // and nothing twice
}

func TestWhatAFullInboxRefusedComesFromTheRing(t *testing.T) {
	r := newRig(t, "replay.messages_max", "2")
	c := r.ws("user=u&resume=1")
	r.post(r.routed("u", `"a"`))
	c.expectData("a")
	r.forget(r.routed("u", `"b"`))
	r.post(r.routed("u", `"c"`))
	c.expectData("b")
	c.expectData("c")
	for _, d := range []string{`"d"`, `"e"`, `"f"`} {
		r.forget(r.routed("u", d))
	}
	r.post(r.routed("u", `"g"`))
	if f := c.expectType("gap"); f.str("reason") != "replay" || f.str("after") != "test1-3" {
		t.Errorf("gap %v, want reason replay after test1-3", f)
	}
	c.expectData("f")
	c.expectData("g")
}

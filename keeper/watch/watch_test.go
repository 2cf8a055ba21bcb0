package watch

import (
	"fmt"
	"testing"

	"pushfleet/internal/keeperapi"
	"pushfleet/keeper/state"
)

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestHub(t *testing.T) {
	h := &Hub{}
	_, any := h.Any()
	_, values := h.Values()
	h.Moved(1, 0) // a node has joined
	if !closed(any) || closed(values) {
		t.Errorf("a node that joins wakes: any %t, values %t", closed(any), closed(values))
	}
	at, again := h.Any()
	if at != 1 || closed(again) {
		t.Error("the next wait is over already")
	}
	h.Moved(2, 2)
	if !closed(again) || !closed(values) {
		t.Error("a value wakes both")
	}
	h.Moved(1, 1) // restored from an older snapshot
	if at, _ := h.Values(); at != 1 {
		t.Errorf("after a restore at r%d", at)
	}
}

func TestFeed(t *testing.T) {
	s := state.New()
	m := (&Hub{}).Machine(s)
	apply := func(c state.Command) {
		t.Helper()
		c.At = 1
		b, err := state.Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		m.Apply(0, b)
	}
	schema := keeperapi.Schema{{Name: "a.b", Type: "int", Default: "1", Min: "0", Max: "9999"}}
	apply(state.Command{Op: state.OpJoin, Body: keeperapi.Join{ID: "gw", Schema: schema.Hash(), Definition: schema, LeaseMS: 1000}})
	set := func(v int) {
		apply(state.Command{Op: state.OpTxn, Body: keeperapi.Txn{Changes: []keeperapi.Assign{{Knob: "a.b", Scope: keeperapi.Fleet, Value: fmt.Sprint(v)}}}})
	}
	set(1)
	f := NewFeed(s, 0)
	if w := f.Next(5); w == nil || !w.Snapshot || w.Position != 2 || w.NowMS != 5 || w.Values[keeperapi.Fleet]["a.b"].Value != "1" {
		t.Fatalf("first %+v", w)
	}
	if w := f.Next(5); w != nil {
		t.Errorf("nothing new, yet %+v", w)
	}
	set(2)
	set(3)
	if w := f.Next(5); w == nil || w.Snapshot || len(w.Events) != 2 || w.Position != 4 {
		t.Errorf("then %+v", w)
	}
	apply(state.Command{Op: state.OpLimits, Body: func() keeperapi.Limits { l := keeperapi.DefaultLimits(); l.Events = 2; return l }()})
	late := NewFeed(s, 2)
	for i := range 5 {
		set(10 + i)
	}
	if w := late.Next(5); w == nil || !w.Snapshot || w.Position != s.Revision() {
		t.Errorf("behind what is remembered: %+v", w)
	}
	if w := NewFeed(s, s.Revision()+100).Next(5); w == nil || !w.Snapshot {
		t.Errorf("from a future that was lost: %+v", w)
	}
}

package state

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pushfleet/internal/keeperapi"
)

func TestUnreadableCommandsAreRefused(t *testing.T) {
	s := New()
	f := func(cmd string, want keeperapi.Code) {
		t.Helper()
		var r keeperapi.Result
		if err := json.Unmarshal(s.Apply(1, []byte(cmd)), &r); err != nil {
			t.Fatal(err)
		}
		if r.Error == nil || r.Error.Code != want {
			t.Errorf("%.80s: %+v, want %s", cmd, r.Error, want)
		}
	}
	f(``, keeperapi.CodeMalformed)
	f(`{`, keeperapi.CodeMalformed)
	f(`{"v":2,"op":"txn","new_field":1}`, keeperapi.CodeVersion)
	f(`{"op":"txn","at_ms":1}`, keeperapi.CodeVersion)
	f(`{"v":1,"op":"txn","at_ms":1,"new_field":1}`, keeperapi.CodeMalformed)
	f(`{"v":1,"op":"dance","at_ms":1}`, keeperapi.CodeVersion)
	f(`{"v":1,"op":"expire"}`, keeperapi.CodeMalformed)
	f(`{"v":1,"op":"expire","at_ms":-1}`, keeperapi.CodeMalformed)
	f(`{"v":1,"op":"expire","at_ms":9e18}`, keeperapi.CodeMalformed)
	f(`{"v":1,"op":"expire","at_ms":1} {}`, keeperapi.CodeMalformed)
	f(`{"v":1,"op":"txn","at_ms":1,"body":{"changes":[],"colour":1}}`, keeperapi.CodeMalformed)
	f(`{"v":1,"op":"txn","at_ms":1}`, keeperapi.CodeMalformed)
	f(`{"v":1,"op":"expire","at_ms":1,"why":"`+strings.Repeat("x", 1025)+`"}`, keeperapi.CodeTooLong)
	f(`{"v":1,"op":"expire","at_ms":1,"why":"`+strings.Repeat(" ", CommandBytesMax)+`"}`, keeperapi.CodeTooLong)
	if s.Revision() != 0 {
		t.Error("a refused command moved the revision")
	}
}

func TestEncodeBoundsTheCommand(t *testing.T) {
	if _, err := Encode(Command{Op: OpTxn, Why: strings.Repeat("x", CommandBytesMax)}); err == nil {
		t.Error("a command above the bound was encoded")
	}
}

// TestTablesAreBounded: each table of what is remembered stays within its
// limit, and each table of what is in force refuses beyond it.
func TestTablesAreBounded(t *testing.T) {
	s := New()
	l := keeperapi.DefaultLimits()
	l.History, l.Audit, l.IDs, l.Events, l.Rollouts, l.Nodes, l.Values, l.Tokens = 3, 4, 5, 6, 2, 2, 2, 1
	must(t, s, Command{Op: OpLimits, At: start, Body: l})
	join := func(id string) keeperapi.Result {
		return apply(t, s, Command{Op: OpJoin, At: start, Body: joinOf(id, nil, fleetSchema(), 1000)})
	}
	set := func(knob, value string, scope keeperapi.Scope) keeperapi.Result {
		return apply(t, s, Command{Op: OpTxn, At: start, ID: fmt.Sprint(knob, value, scope),
			Body: keeperapi.Txn{Changes: []keeperapi.Assign{{Knob: knob, Scope: scope, Value: value}}}})
	}
	full := func(what string, r keeperapi.Result) {
		t.Helper()
		if r.Error == nil || r.Error.Code != keeperapi.CodeTooMany {
			t.Errorf("%s: %+v, want too_many", what, r)
		}
	}
	join("gw-1")
	join("gw-2")
	full("nodes", join("gw-3"))
	for i := range 20 {
		set("queue.messages_max", fmt.Sprint(100+i), keeperapi.Fleet)
	}
	set("tap.on", "on", keeperapi.Fleet)
	full("values", set("tap.on", "on", "node=gw-1"))
	for i := range 2 {
		r := apply(t, s, Command{Op: OpToken, At: start, Body: keeperapi.TokenSet{Name: fmt.Sprint(i), Role: keeperapi.RoleRead, Hash: hashOf(fmt.Sprint(i))}})
		if i == 1 {
			full("tokens", r)
		}
	}
	changes, _, floor := s.History("queue.messages_max")
	if len(changes) != 3 || changes[2].New.Value != "119" || floor != changes[0].Revision-1 {
		t.Errorf("history: %d changes, floor r%d: %+v", len(changes), floor, changes)
	}
	if n := len(s.Audit(0)); n != 4 {
		t.Errorf("audit: %d lines", n)
	}
	if n := len(s.answers); n != 5 || len(s.answered) != 5 {
		t.Errorf("answers: %d, %d", n, len(s.answered))
	}
	if n := len(s.ring.events); n > 6 {
		t.Errorf("events: %d", n)
	}
	r := apply(t, s, Command{Op: OpRollback, At: start, Body: keeperapi.Rollback{To: floor - 1, Knobs: []string{"queue.messages_max"}}})
	if r.Error == nil || r.Error.Code != keeperapi.CodeHistory {
		t.Errorf("rollback beyond the history: %+v", r)
	}
	r = must(t, s, Command{Op: OpRollback, At: start, Body: keeperapi.Rollback{To: floor, Knobs: []string{"queue.messages_max"}}})
	if h, _ := s.HeldBy("gw-1", "queue.messages_max"); r.Changed != 1 || h.Value != "116" {
		t.Errorf("rollback to the end of the history: %+v, %+v", r, h)
	}
}

// TestTransactionIsOneRevision for watchers too: the ring never gives half.
func TestTransactionIsOneRevision(t *testing.T) {
	s := New()
	must(t, s, Command{Op: OpJoin, At: start, Body: joinOf("gw-1", nil, fleetSchema(), 1000)})
	l := s.Limits()
	l.Events = 4
	must(t, s, Command{Op: OpLimits, At: start, Body: l})
	for range 3 {
		must(t, s, Command{Op: OpTxn, At: start, Body: keeperapi.Txn{Changes: []keeperapi.Assign{
			{Knob: "tap.on", Scope: "fleet", Value: "on"}, {Knob: "queue.policy", Scope: "fleet", Value: "coalesce"},
			{Knob: "queue.messages_max", Scope: "fleet", Value: "99"}}}})
	}
	if _, ok := s.Since(3); ok {
		t.Error("half of r4 was given as a whole")
	}
	events, ok := s.Since(4)
	if !ok || len(events) != 3 || events[0].Revision != 5 {
		t.Errorf("after r4: %d events, ok %t", len(events), ok)
	}
	if _, ok := s.Since(6); ok {
		t.Error("a revision to come was taken")
	}
}

func TestRestoreRefusesDamage(t *testing.T) {
	s := New()
	must(t, s, Command{Op: OpJoin, At: start, Body: joinOf("gw-1", nil, fleetSchema(), 1000)})
	before := snapshot(t, s)
	for _, bad := range []string{"", "{}", `{"format":9}`, before[:len(before)-1], strings.Replace(before, `"id":"gw-1"`, `"id":"gw-2"`, 1),
		strings.Replace(before, `"type":"int"`, `"type":"odd"`, 1)} {
		if err := s.Restore([]byte(bad)); err == nil {
			t.Errorf("%.40q was restored", bad)
		}
		if snapshot(t, s) != before {
			t.Fatalf("%.40q left a trace", bad)
		}
	}
}

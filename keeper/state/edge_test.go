package state

import (
	"fmt"
	"strings"
	"testing"

	"pushfleet/internal/keeperapi"
)

// TestBadJoinsAreRefused, each with a sentence that names the node.
func TestBadJoinsAreRefused(t *testing.T) {
	s := New()
	f := func(change func(*keeperapi.Join), want keeperapi.Code) {
		t.Helper()
		b := joinOf("gw-1", map[string]string{"app": "shop"}, fleetSchema(), 9000)
		change(&b)
		r := apply(t, s, Command{Op: OpJoin, At: start, Body: b})
		if r.Error == nil || r.Error.Code != want {
			t.Errorf("%+v, want %s", r.Error, want)
		}
	}
	f(func(b *keeperapi.Join) { b.ID = "" }, keeperapi.CodeMalformed)
	f(func(b *keeperapi.Join) { b.ID = "a b" }, keeperapi.CodeMalformed)
	f(func(b *keeperapi.Join) { b.Version = strings.Repeat("1", 129) }, keeperapi.CodeTooLong)
	f(func(b *keeperapi.Join) { b.Labels["node"] = "gw-2" }, keeperapi.CodeMalformed)
	f(func(b *keeperapi.Join) { b.Labels["canary"] = "ro1" }, keeperapi.CodeMalformed)
	f(func(b *keeperapi.Join) { b.Labels["app"] = "a=b" }, keeperapi.CodeMalformed)
	f(func(b *keeperapi.Join) { b.LeaseMS = 0 }, keeperapi.CodeMalformed)
	f(func(b *keeperapi.Join) { b.LeaseMS = leaseMax + 1 }, keeperapi.CodeMalformed)
	f(func(b *keeperapi.Join) { b.Knobs.Reason = strings.Repeat("1", 1025) }, keeperapi.CodeTooLong)
	f(func(b *keeperapi.Join) { b.Definition = nil }, keeperapi.CodeSchema)
	f(func(b *keeperapi.Join) { b.Definition = oldSchema() }, keeperapi.CodeMalformed)
	f(func(b *keeperapi.Join) {
		for i := range 33 {
			b.Labels[fmt.Sprint("l", i)] = "x"
		}
	}, keeperapi.CodeTooMany)
	if s.Revision() != 0 || len(s.Nodes()) != 0 {
		t.Error("a refused join left a trace")
	}
}

// TestSchemaIsKeptOnce and while a node uses it.
func TestSchemaIsKeptOnce(t *testing.T) {
	s := New()
	sc := fleetSchema()
	must(t, s, Command{Op: OpJoin, At: start, Body: joinOf("gw-1", nil, sc, 9000)})
	second := joinOf("gw-2", nil, sc, 9000)
	second.Definition = nil // the hash is known by now
	must(t, s, Command{Op: OpJoin, At: start, Body: second})
	if n := len(s.Schemas()); n != 1 {
		t.Fatalf("%d schemas", n)
	}
	must(t, s, Command{Op: OpJoin, At: start, Body: joinOf("gw-1", nil, oldSchema(), 9000)})
	must(t, s, Command{Op: OpLeave, At: start, Who: "maria", Body: keeperapi.Leave{ID: "gw-2"}})
	if _, gone := s.Schemas()[sc.Hash()]; gone || len(s.Schemas()) != 1 {
		t.Errorf("the schema outlived its nodes: %d", len(s.Schemas()))
	}
	if a := s.Audit(1); len(a) != 1 || a[0].What != "forget node gw-2" {
		t.Errorf("audit: %+v", a)
	}
}

// TestOneBadReportDoesNotStopTheOthers: their leases must not run out for it.
func TestOneBadReportDoesNotStopTheOthers(t *testing.T) {
	s := New()
	must(t, s, Command{Op: OpJoin, At: start, Body: joinOf("gw-1", nil, fleetSchema(), 9000)})
	must(t, s, Command{Op: OpJoin, At: start, Body: joinOf("gw-2", nil, fleetSchema(), 9000)})
	r := must(t, s, Command{Op: OpReport, At: start + 5000, Body: keeperapi.Report{Nodes: []keeperapi.NodeReport{
		{ID: "gw-1", LeaseMS: -1}, {ID: "gw-2", LeaseMS: 9000, Knobs: &keeperapi.Ack{Applied: 1}},
		{ID: "gw-1", LeaseMS: 9000, Load: map[string]float64{"no name": 1}}, {ID: "gw-1", LeaseMS: 9000, Knobs: &keeperapi.Ack{Applied: 99}}}}})
	if len(r.Unknown) != 3 || r.Unknown[0] != "gw-1" {
		t.Errorf("%+v", r)
	}
	one, _ := s.Node("gw-1")
	two, _ := s.Node("gw-2")
	if one.Lease != start+9000 || two.Lease != start+14_000 || two.Knobs.Applied != 1 {
		t.Errorf("gw-1 %+v, gw-2 %+v", one, two)
	}
}

// TestJoinAfterKeepersWereLost: a node that has seen a future is let in.
func TestJoinAfterKeepersWereLost(t *testing.T) {
	s := New()
	b := joinOf("gw-1", nil, fleetSchema(), 9000)
	b.Knobs = keeperapi.Ack{Applied: 500}
	must(t, s, Command{Op: OpJoin, At: start, Body: b})
	if n, _ := s.Node("gw-1"); n.Knobs.Applied != 0 {
		t.Errorf("it is taken to obey r%d of r%d", n.Knobs.Applied, s.Revision())
	}
}

func TestTokenIsFoundByItsHash(t *testing.T) {
	s := New()
	set := func(b keeperapi.TokenSet) keeperapi.Result {
		return apply(t, s, Command{Op: OpToken, At: start, Who: "root", Body: b})
	}
	set(keeperapi.TokenSet{Name: "ci", Role: keeperapi.RoleOperate, Hash: hashOf("a"), Expires: start + 1})
	if tok, ok := s.TokenByHash(hashOf("a")); !ok || tok.Name != "ci" || tok.Role != keeperapi.RoleOperate || tok.Expires != start+1 {
		t.Errorf("%+v, %t", tok, ok)
	}
	for _, bad := range []keeperapi.TokenSet{{Name: "x", Role: "read", Hash: "secret"}, {Name: "x", Role: "read", Hash: hashOf("b"), Expires: start},
		{Name: "", Role: "read", Hash: hashOf("b")}, {Name: "x", Remove: true}} {
		if r := set(bad); r.Error == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	if r := set(keeperapi.TokenSet{Name: "ci", Remove: true}); r.Error != nil {
		t.Error(r.Error)
	}
	if _, ok := s.TokenByHash(hashOf("a")); ok {
		t.Error("a removed token lets in")
	}
}

// TestTemporaryValuesAreBounded: those that end later wait below, up to a depth.
func TestTemporaryValuesAreBounded(t *testing.T) {
	s := New()
	must(t, s, Command{Op: OpJoin, At: start, Body: joinOf("gw-1", nil, fleetSchema(), 9000)})
	set := func(forMS int64) keeperapi.Result {
		return apply(t, s, Command{Op: OpTxn, At: start, Body: keeperapi.Txn{ForMS: forMS,
			Changes: []keeperapi.Assign{{Knob: "tap.on", Scope: "fleet", Value: "on"}}}})
	}
	n := int64(0)
	for ; n < 50 && set(100_000-n).Error == nil; n++ {
	}
	if r := set(5); n != temporaryMax+1 || r.Error.Code != keeperapi.CodeTooMany {
		t.Errorf("%d values wait: %+v", n, r.Error)
	}
	if r := set(0); r.Error != nil {
		t.Errorf("a value for good is refused: %v", r.Error)
	}
	if next := s.NextDeadline(); next != start+9000 {
		t.Errorf("the next deadline is %d, want that of the lease", next)
	}
}

// TestRollbackRestoresForANodeThatLeft; setting anew for it is refused.
func TestRollbackRestoresForANodeThatLeft(t *testing.T) {
	s := New()
	for _, id := range []string{"gw-1", "gw-2"} {
		must(t, s, Command{Op: OpJoin, At: start, Body: joinOf(id, nil, fleetSchema(), 9000)})
	}
	change := func(a keeperapi.Assign) keeperapi.Result {
		return apply(t, s, Command{Op: OpTxn, At: start, Body: keeperapi.Txn{Changes: []keeperapi.Assign{a}}})
	}
	at := change(keeperapi.Assign{Knob: "tap.on", Scope: "node=gw-1", Value: "on"}).Revision
	must(t, s, Command{Op: OpLeave, At: start, Body: keeperapi.Leave{ID: "gw-1"}})
	change(keeperapi.Assign{Knob: "tap.on", Scope: "node=gw-1", Unset: true})
	if r := change(keeperapi.Assign{Knob: "tap.on", Scope: "node=gw-1", Value: "on"}); r.Error == nil || r.Error.Code != keeperapi.CodeUnknownNode {
		t.Errorf("%+v", r)
	}
	must(t, s, Command{Op: OpRollback, At: start, Body: keeperapi.Rollback{To: at}})
	if h, ok := s.HeldBy("gw-1", "tap.on"); !ok || h.Value != "on" || s.ValuesRevision() != s.Revision() {
		t.Errorf("%+v, %t", h, ok)
	}
}

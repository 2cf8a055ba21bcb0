package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pushfleet/internal/keeperapi"
	"pushfleet/keeper/nodes"
	"pushfleet/keeper/state"
	"pushfleet/keeper/watch"
)

// solo is a member that carries commands out at once, or does not lead.
type solo struct {
	state  *state.State
	index  uint64
	leads  bool
	leader net.Listener // whom DialLeader reaches, nil for nobody
}

func (m *solo) Status() keeperapi.Status               { return keeperapi.Status{ID: "k1"} }
func (m *solo) Leads() bool                            { return m.leads }
func (m *solo) Linearize(context.Context) error        { return nil }
func (m *solo) Remove(context.Context, string) error   { return nil }
func (m *solo) Transfer(context.Context, string) error { return nil }
func (m *solo) Snapshot(context.Context) error         { return nil }
func (m *solo) DialLeader(context.Context) (net.Conn, error) {
	if m.leader == nil {
		return nil, errors.New("nobody leads")
	}
	return net.Dial("tcp", m.leader.Addr().String())
}

func (m *solo) Propose(_ context.Context, c state.Command) (r keeperapi.Result, err error) {
	c.At = 1000
	text, err := state.Encode(c)
	if err != nil {
		return r, err
	}
	m.index++
	return r, json.Unmarshal(m.state.Apply(m.index, text), &r)
}

func newSolo(t *testing.T, now func() keeperapi.Time) (*solo, *Server) {
	t.Helper()
	m := &solo{state: state.New(), leads: true}
	hub := &watch.Hub{}
	s := New(Config{Member: m, State: m.state, Hub: hub, Now: now, Log: slog.New(slog.DiscardHandler),
		Desk: nodes.New(nodes.Config{State: m.state, Hub: hub, Log: slog.New(slog.DiscardHandler)})})
	t.Cleanup(s.Close)
	schema := keeperapi.Schema{{Name: "a.max", Type: "int", Default: "1", Min: "1", Max: "9", Acts: "live"}}
	r, err := m.Propose(t.Context(), state.Command{Op: state.OpJoin, Body: keeperapi.Join{ID: "n1", Schema: schema.Hash(), Definition: schema, LeaseMS: 10_000}})
	if err != nil || r.Error != nil {
		t.Fatal(err, r.Error)
	}
	return m, s
}

// A client that lost the answer tries again, and meanwhile its first attempt is
// carried out: the second must not be refused because of the first.
func TestSecondAttemptBesideTheFirst(t *testing.T) {
	zero := uint64(0)
	r := keeperapi.TxnRequest{Txn: keeperapi.Txn{Changes: []keeperapi.Assign{{Knob: "a.max", Scope: keeperapi.Fleet, Value: "5"}}, IfRev: &zero}}
	var first func()
	m, s := newSolo(t, func() keeperapi.Time {
		if first != nil { // the judgement of the second attempt has begun
			f := first
			first = nil
			f()
		}
		return 1000
	})
	first = func() {
		if r, err := m.Propose(t.Context(), state.Command{Op: state.OpTxn, ID: "key", Who: "o", Body: r.Txn}); err != nil || r.Error != nil {
			t.Fatal(err, r.Error)
		}
	}
	c := &change{Command: state.Command{Op: state.OpTxn, ID: "key", Who: "o", Body: r.Txn}, want: r.Changes}
	a, err := s.commit(t.Context(), c, "")
	if err != nil || a.Revision == 0 {
		t.Fatalf("second attempt: %+v, %v", a, err)
	}
	c = &change{Command: state.Command{Op: state.OpTxn, ID: "other", Who: "o", Body: r.Txn}, want: r.Changes}
	if _, err := s.commit(t.Context(), c, ""); errorOf(err).Code != keeperapi.CodeRevision {
		t.Errorf("under another key: %v", err)
	}
}

// A node that was there once and has no session is told of: it may be dead, or
// serve with the old value.
func TestChangeNamesWhoIsAway(t *testing.T) {
	_, s := newSolo(t, func() keeperapi.Time { return 1000 })
	f := func(scope keeperapi.Scope, want string) {
		t.Helper()
		txn := keeperapi.Txn{Changes: []keeperapi.Assign{{Knob: "a.max", Scope: scope, Value: "5"}}}
		c := &change{Command: state.Command{Op: state.OpTxn, Who: "o", Body: txn}, want: txn.Changes, ask: keeperapi.Ask{WaitMS: 1000}}
		a, err := s.commit(t.Context(), c, "")
		if err != nil || a.Applied == nil {
			t.Fatalf("%s: %+v, %v", scope, a, err)
		}
		if got := strings.Join(a.Applied.Away, " "); got != want || a.Applied.Of != 0 {
			t.Errorf("%s: away %q of %d, want %q", scope, got, a.Applied.Of, want)
		}
	}
	f(keeperapi.Fleet, "n1")
	f("app=shop", "")
}

// Where nobody leads, nothing was sent: that must not be told as a change that
// may have been made.
func TestChangeWithoutALeader(t *testing.T) {
	m, s := newSolo(t, func() keeperapi.Time { return 1000 })
	m.leads = false
	srv := httptest.NewUnstartedServer(s.Handler())
	srv.Config.ConnContext = ConnContext(DoorUnix)
	srv.Start()
	t.Cleanup(srv.Close)
	f := func(method, path, body string, want keeperapi.Code) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		e := &keeperapi.Error{}
		if err := json.NewDecoder(resp.Body).Decode(e); err != nil || e.Code != want {
			t.Errorf("%s %s: code %q, %v; want %q (%s)", method, path, e.Code, err, want, e.Message)
		}
	}
	f("POST", "/v1/txn", `{"changes":[]}`, keeperapi.CodeNoLeader)
	f("GET", "/v1/nodes", "", keeperapi.CodeNoLeader)
}

// A member that has just started knows no token yet. It must neither refuse who
// has one nor let everybody in on loopback.
func TestAdmitOnAMemberThatKnowsNothing(t *testing.T) {
	leader, boss := newSolo(t, func() keeperapi.Time { return 1000 })
	srv := httptest.NewUnstartedServer(boss.Handler())
	srv.Config.ConnContext = ConnContext(DoorLink)
	srv.Start()
	t.Cleanup(srv.Close)
	m, s := newSolo(t, func() keeperapi.Time { return 1000 })
	m.leads = false
	empty := &solo{state: state.New()}
	fresh := New(Config{Member: empty, State: empty.state, Hub: &watch.Hub{}, Desk: s.cfg.Desk, Now: s.cfg.Now, Log: s.cfg.Log})
	t.Cleanup(fresh.Close)

	need := keeperapi.RoleRead
	f := func(s *Server, what, secret string, local bool, role keeperapi.Role, code keeperapi.Code) {
		t.Helper()
		who, err := s.admit(t.Context(), ticket{secret: secret, local: local, from: "10.0.0.1:1", need: need}, false)
		got := keeperapi.Code("")
		if err != nil {
			got = errorOf(err).Code
		}
		if who.Role != role || got != code {
			t.Errorf("%s: role %q, code %q; want %q, %q (%v)", what, who.Role, got, role, code, err)
		}
	}
	f(s, "no leader, a token", "s", false, "", keeperapi.CodeNoLeader)
	f(s, "no leader, loopback", "", true, keeperapi.RoleRead, "")
	f(fresh, "no leader, loopback, nothing known", "", true, "", keeperapi.CodeNoLeader)
	need = keeperapi.RoleOperate
	f(s, "no leader, loopback, a change", "", true, "", keeperapi.CodeNoLeader)
	m.leader, empty.leader = srv.Listener, srv.Listener
	f(s, "no token anywhere, loopback", "", true, keeperapi.RoleAdmin, "")
	f(s, "no token anywhere, elsewhere", "", false, "", keeperapi.CodeToken)
	set := keeperapi.TokenSet{Name: "o", Role: keeperapi.RoleOperate, Hash: keeperapi.HashToken("s")}
	if r, err := leader.Propose(t.Context(), state.Command{Op: state.OpToken, Body: set}); err != nil || r.Error != nil {
		t.Fatal(err, r.Error)
	}
	f(fresh, "a token that only the leader knows", "s", false, keeperapi.RoleOperate, "")
	f(fresh, "a token that nobody knows", "x", false, "", keeperapi.CodeToken)
	f(fresh, "loopback, the leader knows a token", "", true, "", keeperapi.CodeToken)
	var who identity
	resp, err := http.Get(srv.URL + "/v1/whoami")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&who); err != nil || resp.StatusCode != http.StatusUnauthorized || !strings.Contains(resp.Status, "401") {
		t.Errorf("whoami of nobody: %s, %+v, %v", resp.Status, who, err)
	}
}

// A watcher that comes to a member which lags is not sent back in time.
func TestWatcherComesToAMemberThatLags(t *testing.T) {
	leader, boss := newSolo(t, func() keeperapi.Time { return 1000 })
	srv := httptest.NewUnstartedServer(boss.Handler())
	srv.Config.ConnContext = ConnContext(DoorLink)
	srv.Start()
	t.Cleanup(srv.Close)
	m := &solo{state: state.New(), leader: srv.Listener}
	hub := &watch.Hub{}
	machine := hub.Machine(m.state)
	s := New(Config{Member: m, State: m.state, Hub: hub, Now: boss.cfg.Now, Log: boss.cfg.Log, Desk: boss.cfg.Desk})
	t.Cleanup(s.Close)
	f := func(from uint64) error { return s.catchUp(t.Context(), from) }
	for _, from := range []uint64{0, 1, 9} {
		got := make(chan error, 1)
		go func() { got <- f(from) }() // ends with its answer
		snapshot, err := leader.state.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if err := machine.Restore(snapshot); err != nil {
			t.Fatal(err)
		}
		if err := <-got; err != nil || m.state.Revision() != leader.state.Revision() {
			t.Errorf("from %d: r%d, %v", from, m.state.Revision(), err)
		}
		if err := machine.Restore(empty(t)); err != nil {
			t.Fatal(err)
		}
	}
	m.leader = nil
	s.link.CloseIdleConnections()
	if err := f(0); errorOf(err).Code != keeperapi.CodeNoLeader {
		t.Errorf("without a leader: %v", err)
	}
}

// empty is the snapshot of a state that knows nothing.
func empty(t *testing.T) []byte {
	t.Helper()
	b, err := state.New().Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

package member_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/testkeeper"
)

// schema is what the tests' nodes declare.
func schema() keeperapi.Schema {
	return keeperapi.Schema{
		{Name: "queue.messages_max", Type: "int", Unit: "messages", Default: "1024", Min: "16", Max: "65536", Acts: "live", Risk: "medium"},
		{Name: "queue.bytes_max", Type: "bytes", Default: "1MiB", Min: "4KiB", Max: "64MiB", Acts: "live"},
		{Name: "trace.on", Type: "bool", Default: "off", Values: []string{"off", "on"}, Acts: "live"},
	}
}

// node obeys as a pushd would, but keeps its values in a map.
type node struct {
	id      string
	labels  map[string]string
	session *keeperapi.Session

	mu       sync.Mutex
	held     map[string]string
	revision uint64
	position uint64
	fulls    int
	refuse   func(knob, value string) string // nil: takes all
	nack     bool                            // refuses at the update only
	figures  map[string]float64
	changed  chan struct{}
}

func startNode(t testing.TB, c *keeperapi.Client, id string, labels map[string]string) *node {
	n := &node{id: id, labels: labels, held: map[string]string{}, changed: make(chan struct{}, 1)}
	n.session = c.NewSession(n, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = n.session.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return n
}

func (n *node) Hello(definition bool) keeperapi.Hello {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := keeperapi.Hello{Join: keeperapi.Join{ID: n.id, Epoch: "e-" + n.id, Address: "127.0.0.1:1", Version: "0.1.0",
		Labels: n.labels, Schema: schema().Hash(), Knobs: keeperapi.Ack{Applied: n.revision}}, From: n.position}
	if definition {
		h.Definition = schema()
	}
	return h
}

func (n *node) Update(u keeperapi.Update) keeperapi.Ack {
	n.mu.Lock()
	defer n.mu.Unlock()
	for knob, h := range u.Knobs {
		if h != nil && n.nack && n.refuse(knob, h.Value) != "" {
			return keeperapi.Ack{Applied: n.revision, Nacked: u.Revision, Reason: n.refuse(knob, h.Value)}
		}
	}
	if u.Full {
		clear(n.held)
		n.fulls++
	}
	for knob, h := range u.Knobs {
		delete(n.held, knob)
		if h != nil {
			n.held[knob] = h.Value
		}
	}
	n.revision, n.position = u.Revision, u.Position
	select {
	case n.changed <- struct{}{}:
	default:
	}
	return keeperapi.Ack{Applied: u.Revision}
}

func (n *node) Check(c keeperapi.Check) keeperapi.Checked {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := keeperapi.Checked{}
	for knob, v := range c.Values {
		if n.refuse == nil || n.nack {
			continue
		}
		if why := n.refuse(knob, v); why != "" {
			out.Refused = append(out.Refused, keeperapi.Refusal{Knob: knob, Reason: why})
		}
	}
	return out
}

func (n *node) Beat() keeperapi.Beat {
	n.mu.Lock()
	defer n.mu.Unlock()
	return keeperapi.Beat{Health: "serving", Figures: maps.Clone(n.figures)}
}

func (n *node) value(knob string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.held[knob]
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("did not happen: %s", what)
		}
	}
}

func set(scope keeperapi.Scope, pairs ...string) keeperapi.TxnRequest {
	r := keeperapi.TxnRequest{Ask: keeperapi.Ask{WaitMS: 5000, Why: "test"}}
	for i := 0; i < len(pairs); i += 2 {
		r.Changes = append(r.Changes, keeperapi.Assign{Knob: pairs[i], Scope: scope, Value: pairs[i+1]})
	}
	return r
}

func codeOf(err error) keeperapi.Code {
	if e, ok := errors.AsType[*keeperapi.Error](err); ok {
		return e.Code
	}
	return ""
}

// fleet starts keepers and nodes and waits until all are connected.
func fleet(t testing.TB, keepers, count int) (*testkeeper.Cluster, *keeperapi.Client, []*node) {
	t.Helper()
	k := testkeeper.Start(t, keepers, nil)
	c := k.Client()
	var all []*node
	for i := range count {
		all = append(all, startNode(t, c, fmt.Sprintf("gw-%d", i+1), map[string]string{"app": []string{"shop", "chat"}[i%2]}))
	}
	connected(t, c, count)
	return k, c, all
}

func connected(t testing.TB, c *keeperapi.Client, count int) {
	t.Helper()
	eventually(t, "all nodes are connected and current", func() bool {
		ns, err := c.Nodes(t.Context(), keeperapi.Read{})
		return err == nil && len(ns) == count && !slices.ContainsFunc(ns, func(n keeperapi.NodeInfo) bool { return !n.Connected || !n.Current })
	})
}

func TestSetReachesNodes(t *testing.T) {
	_, c, nodes := fleet(t, 3, 3)
	a, err := c.Txn(t.Context(), set(keeperapi.Fleet, "queue.messages_max", "2,048", "queue.bytes_max", "65536"))
	if err != nil {
		t.Fatal(err)
	}
	if a.Applied == nil || a.Applied.Applied != 3 || a.Applied.Of != 3 || a.Checked == nil || a.Checked.Accepted != 3 {
		t.Errorf("applied %+v, checked %+v", a.Applied, a.Checked)
	}
	for _, n := range nodes {
		if n.value("queue.messages_max") != "2048" || n.value("queue.bytes_max") != "64KiB" {
			t.Errorf("%s holds %v", n.id, n.held)
		}
	}
	if len(a.Changes) != 2 || a.Changes[0].Old != "1024" || a.Changes[0].New != "2048" || a.Changes[0].Unit != "messages" {
		t.Errorf("changes %+v", a.Changes)
	}
	// A group's value reaches its nodes only, and the others count as current.
	a, err = c.Txn(t.Context(), set("app=chat", "queue.messages_max", "99"))
	if err != nil || a.Applied.Of != 1 || a.Applied.Applied != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	if nodes[0].value("queue.messages_max") != "2048" || nodes[1].value("queue.messages_max") != "99" {
		t.Errorf("held: %v, %v", nodes[0].held, nodes[1].held)
	}
	connected(t, c, 3)
	if nodes[0].fulls != 1 {
		t.Errorf("all was sent %d times", nodes[0].fulls)
	}
	x, err := c.Explain(t.Context(), "queue.messages_max", "gw-2", keeperapi.Read{})
	if err != nil || x.Winner != keeperapi.LayerGroup || x.Value != "99" || len(x.Layers) != 2 {
		t.Errorf("explain %+v, %v", x, err)
	}
}

func TestRefusals(t *testing.T) {
	_, c, nodes := fleet(t, 1, 2)
	f := func(r keeperapi.TxnRequest, code keeperapi.Code, words string) {
		t.Helper()
		_, err := c.Txn(t.Context(), r)
		if codeOf(err) != code || !strings.Contains(err.Error(), words) {
			t.Errorf("code %q (%v), want %q with %q", codeOf(err), err, code, words)
		}
	}
	f(set(keeperapi.Fleet, "queue.mesages_max", "99"), keeperapi.CodeUnknownKnob, "did you mean queue.messages_max?")
	f(set(keeperapi.Fleet, "queue.messages_max", "64KiB"), keeperapi.CodeSyntax, "64KiB")
	f(set(keeperapi.Fleet, "queue.messages_max", "8"), keeperapi.CodeRange, "16 to 65536")
	f(set("node=gw-9", "queue.messages_max", "99"), keeperapi.CodeUnknownNode, "gw-9")
	f(set("nonsense", "queue.messages_max", "99"), keeperapi.CodeScope, "label=value")
	guarded := set(keeperapi.Fleet, "queue.messages_max", "99")
	guarded.Guard = "drops.10s <"
	f(guarded, keeperapi.CodeGuard, "column")
	glass := set(keeperapi.Fleet, "queue.messages_max", "99")
	glass.NowAll, glass.Why = true, ""
	f(glass, keeperapi.CodeReason, "--why")

	nodes[1].mu.Lock()
	nodes[1].refuse = func(_, v string) string {
		if v == "777" {
			return "it is not a lucky number here"
		}
		return ""
	}
	nodes[1].mu.Unlock()
	before := nodes[0].revision
	f(set(keeperapi.Fleet, "queue.messages_max", "777"), keeperapi.CodePreflight, "gw-2: it is not a lucky number")
	if nodes[0].revision != before || nodes[0].value("queue.messages_max") != "" {
		t.Error("a refused change reached a node")
	}
	dry := set(keeperapi.Fleet, "queue.messages_max", "778")
	dry.DryRun = true
	a, err := c.Txn(t.Context(), dry)
	if err != nil || a.DiffNodes != 2 || len(a.Diff) != 2 || a.Checked.Accepted != 2 || nodes[0].value("queue.messages_max") != "" {
		t.Errorf("dry run %+v, %v", a, err)
	}
	// What passes the check and is refused when it comes is named.
	nodes[1].mu.Lock()
	nodes[1].nack = true
	nodes[1].mu.Unlock()
	a, err = c.Txn(t.Context(), set(keeperapi.Fleet, "queue.messages_max", "777"))
	if err != nil || a.Applied.Applied != 1 || len(a.Applied.Nacked) != 1 || a.Applied.Nacked[0].Node != "gw-2" {
		t.Errorf("nack: %+v, %v", a.Applied, err)
	}
	eventually(t, "the nack is known", func() bool {
		st, err := c.Status(t.Context())
		return err == nil && st.Nodes.Nacked == 1 && st.Nodes.Current == 1
	})
}

func TestEveryMemberServes(t *testing.T) {
	k, c, nodes := fleet(t, 3, 1)
	follower := (k.Leader() + 1) % 3
	other := keeperapi.NewClient([]string{k.Configs[follower].API[0]}, keeperapi.ClientOptions{Who: "jo"})
	a, err := other.Txn(t.Context(), set(keeperapi.Fleet, "trace.on", "true"))
	if err != nil || a.Applied.Applied != 1 || nodes[0].value("trace.on") != "on" {
		t.Fatalf("by a follower: %+v, %v", a, err)
	}
	h, err := other.History(t.Context(), "trace.on", keeperapi.Read{})
	if err != nil || len(h.Changes) != 1 || h.Changes[0].Who != "jo" || !strings.HasPrefix(h.Changes[0].From, "127.0.0.1") {
		t.Errorf("history %+v, %v", h, err)
	}
	eventually(t, "a follower's status tells of the leader and how it finds the members", func() bool {
		leader := k.Leader()
		if leader == follower { // since a moment
			return c.Transfer(t.Context(), "") != nil
		}
		st, err := other.Status(t.Context())
		return err == nil && st.Role == "follower" && st.LeaderAPI == k.Configs[leader].API[0] && len(st.Members) == 3 && st.Members[0].Known
	})
	eventually(t, "a stale read sees it too", func() bool {
		i, err := other.Knob(t.Context(), "trace.on", keeperapi.Read{Stale: true})
		return err == nil && len(i.Values) == 1 && i.Values[0].Value.Value == "on"
	})
}

func TestWatchResumes(t *testing.T) {
	k, c, _ := fleet(t, 3, 1)
	follower := (k.Leader() + 1) % 3
	w := keeperapi.NewClient([]string{k.Configs[follower].API[0]}, keeperapi.ClientOptions{})
	stop := errors.New("seen")
	watch := func(from uint64, f func(*keeperapi.WatchFrame) bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := w.Watch(ctx, from, func(fr *keeperapi.WatchFrame) error {
			if f(fr) {
				return stop
			}
			return nil
		}); err != stop {
			t.Fatal(err)
		}
	}
	var at uint64
	watch(0, func(f *keeperapi.WatchFrame) bool { at = f.Position; return at > 0 })
	for i := range 3 {
		if _, err := c.Txn(t.Context(), set(keeperapi.Fleet, "queue.messages_max", fmt.Sprint(100+i))); err != nil {
			t.Fatal(err)
		}
	}
	var values []string
	watch(at, func(f *keeperapi.WatchFrame) bool {
		if f.Snapshot {
			t.Error("a watcher that resumes was sent everything")
		}
		for _, e := range f.Events {
			if e.Kind == keeperapi.KindSet {
				values = append(values, e.Value)
			}
		}
		return len(values) >= 3
	})
	if !slices.Equal(values, []string{"100", "101", "102"}) {
		t.Errorf("watched %v", values)
	}
}

func TestIdempotencyKey(t *testing.T) {
	k, c, _ := fleet(t, 1, 1)
	zero := uint64(0)
	r := set(keeperapi.Fleet, "queue.messages_max", "100")
	r.IfRev = &zero
	if _, err := c.Txn(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	// The same request under the same key is answered, not judged anew.
	first := k.PostTxn(0, "key-1", r)
	if first.Code != keeperapi.CodeRevision {
		t.Errorf("compare-and-set on a changed knob: %+v", first)
	}
	r.IfRev = nil
	one, two := k.PostTxn(0, "key-2", r), k.PostTxn(0, "key-2", r)
	if one.Revision == 0 || one.Revision != two.Revision {
		t.Errorf("the same key made r%d and r%d", one.Revision, two.Revision)
	}
	r.Changes[0].Value = "101"
	if again := k.PostTxn(0, "key-2", r); again.Code != keeperapi.CodeReused {
		t.Errorf("another command under the key: %+v", again)
	}
}

func TestTokensAndRoles(t *testing.T) {
	k, c, _ := fleet(t, 1, 0)
	addr := k.Addresses()
	secret := func(name string, role keeperapi.Role) *keeperapi.Client {
		s := "secret-of-" + name
		r := keeperapi.TokenRequest{TokenSet: keeperapi.TokenSet{Name: name, Role: role, Hash: keeperapi.HashToken(s)}}
		sock := keeperapi.NewClient([]string{k.Configs[0].Socket}, keeperapi.ClientOptions{})
		if _, err := sock.SetToken(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		return keeperapi.NewClient(addr, keeperapi.ClientOptions{Token: s})
	}
	if _, err := c.Audit(t.Context(), 0, keeperapi.Read{}); err != nil {
		t.Errorf("without any token loopback is closed: %v", err)
	}
	reader, operator, admin := secret("r", keeperapi.RoleRead), secret("o", keeperapi.RoleOperate), secret("a", keeperapi.RoleAdmin)
	f := func(c *keeperapi.Client, what string, call func(*keeperapi.Client) error, code keeperapi.Code) {
		t.Helper()
		if got := codeOf(call(c)); got != code {
			t.Errorf("%s: code %q, want %q", what, got, code)
		}
	}
	read := func(c *keeperapi.Client) error { _, err := c.Nodes(t.Context(), keeperapi.Read{}); return err }
	freeze := func(c *keeperapi.Client) error {
		_, err := c.Freeze(t.Context(), keeperapi.FreezeRequest{FreezeSet: keeperapi.FreezeSet{Knob: "*"}, Ask: keeperapi.Ask{Why: "x"}})
		if codeOf(err) == keeperapi.CodeExists {
			return nil
		}
		return err
	}
	tokens := func(c *keeperapi.Client) error { _, err := c.Tokens(t.Context(), keeperapi.Read{}); return err }
	f(c, "no token", read, keeperapi.CodeToken)
	f(keeperapi.NewClient(addr, keeperapi.ClientOptions{Token: "wrong"}), "wrong token", read, keeperapi.CodeToken)
	f(reader, "read with read", read, "")
	f(reader, "operate with read", freeze, keeperapi.CodeRole)
	f(operator, "operate with operate", freeze, "")
	f(operator, "admin with operate", tokens, keeperapi.CodeRole)
	f(admin, "admin with admin", tokens, "")
	a, err := admin.Audit(t.Context(), 1, keeperapi.Read{})
	if err != nil || len(a) != 1 || a[0].Who != "o" || a[0].Why != "x" || !strings.HasPrefix(a[0].From, "127.0.0.1:") {
		t.Errorf("audit %+v, %v", a, err)
	}
}

func TestLeaderStops(t *testing.T) {
	k, c, nodes := fleet(t, 3, 3)
	if _, err := c.Txn(t.Context(), set(keeperapi.Fleet, "queue.messages_max", "100")); err != nil {
		t.Fatal(err)
	}
	leader := k.Leader()
	k.Stop(leader)
	a, err := c.Txn(t.Context(), set(keeperapi.Fleet, "queue.messages_max", "101"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		eventually(t, n.id+" follows the next leader", func() bool { return n.value("queue.messages_max") == "101" })
		if n.fulls != 1 {
			t.Errorf("%s was sent everything %d times, want to resume", n.id, n.fulls)
		}
	}
	k.Run(leader)
	eventually(t, "the old leader catches up", func() bool { return k.Member(leader).Status().Revision >= a.Revision })
	connected(t, c, 3)
}

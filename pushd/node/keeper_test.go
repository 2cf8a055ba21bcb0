package node_test

import (
	"context"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/testkeeper"
	"pushfleet/internal/testnode"
)

const knobName = "queue.messages_max"

// set turns a knob for the fleet and waits until all nodes have it.
func set(t *testing.T, c *keeperapi.Client, txn keeperapi.Txn) *keeperapi.Answer {
	t.Helper()
	a, err := c.Txn(t.Context(), keeperapi.TxnRequest{Txn: txn, Ask: keeperapi.Ask{WaitMS: 10_000, Why: "test"}})
	if err != nil {
		t.Fatal(err)
	}
	if a.Applied == nil || a.Applied.Applied != a.Applied.Of || a.Applied.Of == 0 {
		t.Fatalf("not applied by all nodes: %+v", a.Applied)
	}
	return a
}

func fleet(name, value string) keeperapi.Txn {
	return keeperapi.Txn{Changes: []keeperapi.Assign{{Knob: name, Scope: keeperapi.Fleet, Value: value}}}
}

// connected waits until the node has a session and its schema is known.
func connected(t *testing.T, n *testnode.Node, c *keeperapi.Client) {
	t.Helper()
	n.Eventually("a session with the keeper", func(s *pushdapi.Stats) bool { return s.Follow.Connected })
	waitFor(t, "the keeper knows the node's knobs", func() bool {
		_, err := c.Knob(t.Context(), knobName, keeperapi.Read{})
		return err == nil
	})
}

func waitFor(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func value(t *testing.T, n *testnode.Node, name string) *pushdapi.Knob {
	t.Helper()
	k, err := n.API.Knob(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKnobSetThroughTheKeeperInside(t *testing.T) {
	dir := t.TempDir()
	edit := func(c *testnode.Config) {
		testnode.Embedded(c)
		c.StateDir = dir
		c.Keeper.Labels = []string{"app=shop"}
	}
	n := testnode.Start(t, edit)
	keeper := n.Keeper()
	connected(t, n, keeper)
	a := set(t, keeper, fleet(knobName, "256"))
	if k := value(t, n, knobName); k.Value != "256" || !strings.Contains(k.Source, "fleet r") {
		t.Errorf("after r%d the knob is %+v", a.Revision, *k)
	}
	n.Eventually("the figures say so", func(s *pushdapi.Stats) bool {
		return s.Follow.Mode == pushdapi.FollowEmbedded && s.Follow.Revision == a.Revision && strings.HasSuffix(s.Knobs(), " (current)")
	})
	wantMetrics(t, n, "pushd_keeper_connected 1", "pushd_knob_drift 0", "keeper_embedded 1", "keeper_leader 1", `keeper_nodes{state="current"} 1`)
	nodes, err := keeper.Nodes(t.Context(), keeperapi.Read{})
	if err != nil || len(nodes) != 1 || nodes[0].ID != "test" || nodes[0].Labels["app"] != "shop" || !nodes[0].Current {
		t.Errorf("nodes %+v, %v", nodes, err)
	}
	if status, err := keeper.Status(t.Context()); err != nil || !status.Embedded || status.Role != "leader" {
		t.Errorf("status %+v, %v", status, err)
	}

	n.Stop()
	again := testnode.Start(t, edit)
	if k := value(t, again, knobName); k.Value != "256" {
		t.Errorf("after a restart the knob is %+v", *k)
	}
	keeper = again.Keeper()
	connected(t, again, keeper)
	set(t, keeper, keeperapi.Txn{Changes: []keeperapi.Assign{{Knob: knobName, Scope: keeperapi.Fleet, Unset: true}}})
	if k := value(t, again, knobName); k.Value != k.Default {
		t.Errorf("unset after the restart, the knob is %+v", *k)
	}
}

func TestStopTakesLeave(t *testing.T) {
	keepers := testkeeper.Start(t, 1, nil)
	client := keepers.Client()
	n := testnode.Start(t, func(c *testnode.Config) { c.Keeper.Addresses = keepers.Addresses() })
	connected(t, n, client)
	n.Stop()
	waitFor(t, "the node is gone from the list", func() bool {
		nodes, err := client.Nodes(t.Context(), keeperapi.Read{})
		return err == nil && len(nodes) == 0
	})
}

func TestStartWithDeadKeepers(t *testing.T) {
	keepers := testkeeper.Start(t, 1, nil)
	dir := t.TempDir()
	edit := func(c *testnode.Config) { c.StateDir, c.Keeper.Addresses = dir, keepers.Addresses() }
	n := testnode.Start(t, edit)
	client := keepers.Client()
	connected(t, n, client)
	set(t, client, fleet(knobName, "77"))
	set(t, client, fleet("stats.closed_max", "33")) // acts at the next start only
	n.Stop()
	keepers.Stop(0)

	began := time.Now()
	n = testnode.Start(t, edit)
	took := time.Since(began)
	if k := value(t, n, knobName); k.Value != "77" {
		t.Errorf("the knob is %+v", *k)
	}
	s := n.Stats()
	if s.Follow.Connected || s.Follow.Revision == 0 || !strings.Contains(s.Knobs(), "keepers silent for") {
		t.Errorf("stats say %q of %+v", s.Knobs(), s.Follow)
	}
	if len(s.Follow.Drift) > 0 {
		t.Errorf("closed_max acts since the restart, but %+v", s.Follow.Drift)
	}
	// Once more: a busy machine is no reason, a node that waits for keepers is.
	for tries := 0; took > time.Second && tries < 5; tries++ {
		n.Stop()
		began = time.Now()
		n = testnode.Start(t, edit)
		took = time.Since(began)
	}
	if took > time.Second {
		t.Errorf("serving after %s with all keepers dead", took)
	}
}

func TestDeadlineIsKeptWithoutKeepers(t *testing.T) {
	keepers := testkeeper.Start(t, 1, nil)
	n := testnode.Start(t, func(c *testnode.Config) { c.Keeper.Addresses = keepers.Addresses() })
	client := keepers.Client()
	connected(t, n, client)
	set(t, client, fleet(knobName, "300"))
	const life = 1500 * time.Millisecond
	txn := fleet(knobName, "77")
	txn.ForMS = life.Milliseconds()
	asked := time.Now() // the deadline is not before asked+life
	set(t, client, txn)
	began := time.Now() // and not after began+life
	keepers.Stop(0)
	if k := value(t, n, knobName); time.Since(asked) < life && k.Value != "77" {
		t.Errorf("before its deadline the knob is %+v", *k)
	}
	late := 0 // looks of 10 ms or more: a machine that stands still costs one
	waitFor(t, "the knob goes back", func() bool {
		if time.Since(began) > life {
			time.Sleep(10 * time.Millisecond)
			late++
		}
		return value(t, n, knobName).Value == "300"
	})
	if late > 200 {
		t.Errorf("went back %s after its deadline, seen at look %d of 10 ms", time.Since(began)-life, late)
	}
}

func TestGuardIsKeptWithoutKeepers(t *testing.T) {
	keepers := testkeeper.Start(t, 1, nil)
	n := testnode.Start(t, func(c *testnode.Config) { c.Keeper.Addresses = keepers.Addresses() })
	client := keepers.Client()
	connected(t, n, client)
	txn := fleet(knobName, "77")
	txn.Guard = "conns < 1"
	set(t, client, txn)
	keepers.Stop(0)
	if k := value(t, n, knobName); k.Value != "77" {
		t.Fatalf("the knob is %+v", *k)
	}
	listen(t, n)
	waitFor(t, "the guard breaks", func() bool { k := value(t, n, knobName); return k.Value == k.Default })
	n.Eventually("the drift is shown", func(s *pushdapi.Stats) bool {
		return len(s.Follow.Drift) == 1 && s.Follow.Drift[0].Reason == keeperapi.DriftGuard && s.Follow.Drift[0].Knob == knobName
	})
	wantMetrics(t, n, "pushd_keeper_connected 0", "pushd_knob_drift 1")
}

// listen is a client until the test ends.
func listen(t *testing.T, n *testnode.Node) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+n.Client()+"/connect?user=u", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
}

func TestNodesOnOneMachineNeedOneKeeper(t *testing.T) {
	n := testnode.Start(t, testnode.Embedded)
	connected(t, n, n.Keeper())
	status, err := n.Keeper().Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := func(what string, edit func(*testnode.Config)) {
		t.Helper()
		err := testnode.Try(t, func(c *testnode.Config) { testnode.Embedded(c); edit(c) })
		if err == nil || !strings.Contains(err.Error(), "Join it with --keeper 127.0.0.1:7410") {
			t.Errorf("the same %s: %v", what, err)
		}
	}
	f("raft address", func(c *testnode.Config) { c.Keeper.Raft = status.Members[0].Address })
	f("socket", func(c *testnode.Config) { c.Keeper.Socket = n.KeeperSocket() })
	f("state", func(c *testnode.Config) { c.StateDir = n.StateDir() })
}

func TestDamagedStateOfTheKeeperInside(t *testing.T) {
	dir := t.TempDir()
	edit := func(c *testnode.Config) { testnode.Embedded(c); c.StateDir = dir }
	n := testnode.Start(t, edit)
	keeper := n.Keeper()
	connected(t, n, keeper)
	set(t, keeper, fleet(knobName, "77"))
	n.Stop()
	damaged := 0
	err := filepath.WalkDir(filepath.Join(dir, "keeper"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		damaged++
		return os.WriteFile(path, []byte("lost sectors"), 0o600)
	})
	if err != nil || damaged == 0 {
		t.Fatalf("%d files damaged, %v", damaged, err)
	}
	n = testnode.Start(t, edit)
	if k := value(t, n, knobName); k.Value != "77" {
		t.Errorf("the knob is %+v", *k)
	}
	if s := n.Stats(); s.State != "serving" || s.Follow.Connected {
		t.Errorf("stats say %s, %+v", s.State, s.Follow)
	}
}

// wantMetrics waits until a node's metrics have all of the lines.
func wantMetrics(t *testing.T, n *testnode.Node, want ...string) {
	t.Helper()
	for _, w := range want {
		waitFor(t, w, func() bool {
			resp, err := http.Get("http://" + n.PrivateAddr() + "/metrics")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			page, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Contains(string(page), w+"\n")
		})
	}
}

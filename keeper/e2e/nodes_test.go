package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/pushdapi"
)

// node is a pushd on a host of its own that follows the keepers.
type node struct {
	t     testing.TB
	id    string
	dir   string // state
	args  []string
	proc  *process
	api   *pushdapi.Client
	admin string
}

// startNodes runs n nodes until the test ends, and returns when all follow.
func startNodes(t testing.TB, k *keepers, n int) []*node {
	t.Helper()
	var all []*node
	for i := range n {
		x := newNode(t, k, fmt.Sprintf("n%d", i+1))
		x.run()
		all = append(all, x)
	}
	follow(t, k.client(patience), n)
	return all
}

func newNode(t testing.TB, k *keepers, id string) *node {
	t.Helper()
	k.lan.host(id)
	home := shortDir(t)
	n := &node{t: t, id: id, dir: filepath.Join(home, "state"), admin: filepath.Join(home, "admin.sock")}
	token := filepath.Join(home, "token")
	if err := os.WriteFile(token, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(n.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	n.args = []string{"--node-name", id, "--listen", "127.0.0.1:7400", "--private", "127.0.0.1:7401", "--admin-socket", n.admin,
		"--state-dir", n.dir, "--keeper-token-file", token, "--keeper-ca", k.ca, "--log-format", "json", "--loops", "1",
		"--knob", "drain.window=0s", "--label", "app=shop"}
	for _, m := range k.all {
		n.args = append(n.args, "--keeper", m.api())
	}
	n.api = pushdapi.New(n.admin, pushdapi.Options{Timeout: 5 * time.Second})
	t.Cleanup(n.end)
	return n
}

// run starts the node, which is not running.
func (n *node) run() {
	n.t.Helper()
	n.proc = spawn(n.t, n.id, "pushd", n.args...)
}

func (n *node) end() {
	n.api.Close()
	if n.proc == nil {
		return
	}
	if n.proc.running() {
		n.proc.kill()
	}
	if n.t.Failed() {
		n.t.Log(n.proc.tail(40))
	}
}

// knob asks the node itself what it really holds; nil if it does not answer.
func (n *node) knob(name string) *pushdapi.Knob {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	k, err := n.api.Knob(ctx, name)
	if err != nil {
		return nil
	}
	return k
}

// holds tells whether the node holds a value.
func (n *node) holds(name, value string) bool {
	k := n.knob(name)
	return k != nil && k.Value == value
}

// state asks the node how it follows; nil if it does not answer.
func (n *node) state() *pushdapi.Follow {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s, err := n.api.Stats(ctx)
	if err != nil {
		return nil
	}
	return &s.Follow
}

// drifts tells whether the node holds a knob otherwise for a reason.
func (n *node) drifts(name, reason string) bool {
	f := n.state()
	if f == nil {
		return false
	}
	for _, d := range f.Drift {
		if d.Knob == name && d.Reason == reason {
			return true
		}
	}
	return false
}

// all tells whether every node holds a value.
func all(nodes []*node, name, value string) bool { return count(nodes, name, value) == len(nodes) }

// count is on how many nodes a knob has a value.
func count(nodes []*node, name, value string) (n int) {
	for _, x := range nodes {
		if x.holds(name, value) {
			n++
		}
	}
	return n
}

// follow waits until so many nodes are connected and current.
func follow(t testing.TB, c *keeperapi.Client, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d nodes follow", n), func() bool {
		all, err := c.Nodes(t.Context(), keeperapi.Read{})
		if err != nil || len(all) != n {
			return false
		}
		for i := range all {
			if !all[i].Connected || !all[i].Current {
				return false
			}
		}
		return true
	})
}

// pushctl runs the program on a host and returns what it printed and its exit
// code.
func pushctl(t testing.TB, k *keepers, host string, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	all := append([]string{"netns", "exec", host, filepath.Join(bin, "pushctl"), "--keeper", k.addresses(), "--keeper-ca", k.ca}, args...)
	cmd := exec.CommandContext(ctx, "ip", all...)
	cmd.Env = append(os.Environ(), "PUSHCTL_TOKEN="+secret, "PUSHCTL_CONFIG=/dev/null", "NO_COLOR=1")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatalf("pushctl %s: %v", strings.Join(args, " "), err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// set is a transaction in one scope that waits for the nodes.
func set(scope keeperapi.Scope, pairs ...string) keeperapi.TxnRequest {
	r := keeperapi.TxnRequest{Ask: keeperapi.Ask{WaitMS: 10_000, Why: "test"}}
	for i := 0; i < len(pairs); i += 2 {
		r.Changes = append(r.Changes, keeperapi.Assign{Knob: pairs[i], Scope: scope, Value: pairs[i+1]})
	}
	return r
}

// must commits a transaction that has to succeed.
func must(t testing.TB, c *keeperapi.Client, r keeperapi.TxnRequest) *keeperapi.Answer {
	t.Helper()
	a, err := c.Txn(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// last is the last change in a knob's history.
func last(t testing.TB, c *keeperapi.Client, knob string) keeperapi.Change {
	t.Helper()
	h, err := c.History(t.Context(), knob, keeperapi.Read{})
	if err != nil || len(h.Changes) == 0 {
		t.Fatalf("history of %s: %+v, %v", knob, h, err)
	}
	return h.Changes[len(h.Changes)-1]
}

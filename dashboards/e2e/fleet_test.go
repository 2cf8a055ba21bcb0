//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fleet is two keepers and some nodes. Names are letters and digits: node a has
// the ports 7400 and 7401, b 7500 and 7501, and so on.
type fleet struct {
	t       *testing.T
	bin     string
	dir     string
	keepers [2]*process
	nodes   map[string]*process
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	dir, err := os.MkdirTemp("", "pf") // paths of sockets must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	f := &fleet{t: t, bin: programs(t), dir: dir, nodes: map[string]*process{}}
	for i := range f.keepers {
		id := fmt.Sprintf("k%d", i+1)
		f.keepers[i] = start(t, []string{"KEEPER_CONFIG=/dev/null"}, f.program("keeper"), "--id", id, "--state-dir", filepath.Join(dir, id),
			"--socket", filepath.Join(dir, id+".sock"), "--api", keeperAPI(i), "--raft", keeperRaft(i), "--bootstrap-expect", "2",
			"--join", keeperRaft(0), "--join", keeperRaft(1))
	}
	for i, k := range f.keepers {
		k.answers(t, "http://"+keeperAPI(i)+"/readyz")
	}
	return f
}

func keeperAPI(i int) string  { return fmt.Sprintf("127.0.0.1:%d", 9410+10*i) }
func keeperRaft(i int) string { return fmt.Sprintf("127.0.0.1:%d", 9411+10*i) }

func (f *fleet) program(name string) string { return filepath.Join(f.bin, name) }

// port is the first of a node's ports; those up to 9 more are its own.
func port(node string) int { return 7400 + 100*int(node[0]-'a') }

func private(node string) string { return fmt.Sprintf("127.0.0.1:%d", port(node)+1) }
func client(node string) string  { return fmt.Sprintf("127.0.0.1:%d", port(node)) }

// following are the flags of a node with keepers of its own.
func following() []string { return []string{"--keeper", keeperAPI(0), "--keeper", keeperAPI(1)} }

// node runs a pushd; without flags that say otherwise it has a keeper inside.
func (f *fleet) node(name string, flags ...string) *process {
	f.t.Helper()
	p := f.launch(name, flags...)
	p.answers(f.t, "http://"+private(name)+"/readyz")
	return p
}

func (f *fleet) launch(name string, flags ...string) *process {
	f.t.Helper()
	program, args := f.program("pushd"), append([]string{"--listen", client(name), "--private", private(name), "--node-name", name,
		"--admin-socket", filepath.Join(f.state(name), "admin.sock"), "--state-dir", f.state(name),
		"--keeper-api", fmt.Sprintf("127.0.0.1:%d", port(name)+2), "--keeper-raft", fmt.Sprintf("127.0.0.1:%d", port(name)+3)}, flags...)
	p := start(f.t, []string{"PUSHD_CONFIG=/dev/null"}, program, args...)
	f.nodes[name] = p
	return p
}

func (f *fleet) state(name string) string { return filepath.Join(f.dir, "state-"+name) }

// ctl runs pushctl against the two keepers.
func (f *fleet) ctl(args ...string) string {
	f.t.Helper()
	out, err := f.tryCtl(args...)
	if err != nil {
		f.t.Fatalf("pushctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// tryCtl is ctl for what may fail.
func (f *fleet) tryCtl(args ...string) (string, error) {
	out, err := exec.Command(f.program("pushctl"), append([]string{"--timeout", "30s", "--keeper", keeperAPI(0) + "," + keeperAPI(1)}, args...)...).CombinedOutput()
	return string(out), err
}

// ctlOf runs pushctl against the keeper inside a node.
func (f *fleet) ctlOf(node string, args ...string) string {
	f.t.Helper()
	return run(f.t, f.program("pushctl"), append([]string{"--timeout", "30s", "--keeper", fmt.Sprintf("127.0.0.1:%d", port(node)+2)}, args...)...)
}

// load puts load on a node until the test ends.
func (f *fleet) load(node, command string, flags ...string) *process {
	f.t.Helper()
	p := start(f.t, []string{"HOME=" + f.dir}, f.program("pushctl"), append([]string{"--node", private(node), "bench", command,
		"--addr", client(node), "--report", ""}, flags...)...)
	f.t.Cleanup(func() {
		select {
		case <-p.ended:
			f.t.Logf("load %s on %s ended early:\n%s", command, node, p.log.String())
		default:
		}
	})
	return p
}

// targets lists scrape targets for Prometheus and VictoriaMetrics, JSON being
// YAML too.
func (f *fleet) targets(nodes ...string) string {
	var out []string
	for _, n := range nodes {
		out = append(out, fmt.Sprintf(`{"targets": [%q], "labels": {"job": "pushd", "group": "%c"}}`, private(n), 'x'+rune(len(out)%2)))
	}
	for i := range f.keepers {
		out = append(out, fmt.Sprintf(`{"targets": [%q], "labels": {"job": "keeper", "group": "x"}}`, keeperAPI(i)))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// calmFor is how long the fleet is watched with nothing wrong.
const calmFor = 25 * time.Second

// notProvoked are the alerts that no condition of some seconds on a test's
// machine brings about, and why. promtool proves them, in ../alerts.
func notProvoked() map[string]string {
	return map[string]string{
		"PushfleetNodeNotReady":     "a node shows no metrics before it is ready, and is draining after",
		"PushfleetLoopSilent":       "a loop hangs only by a bug; a stopped process answers no scrape",
		"PushfleetSchedulerLatency": "takes a machine without a processor for a tenth of a second, again and again",
		"PushfleetKeeperDiskSlow":   "takes a disk that needs a tenth of a second for an fsync",
		"PushfleetSnapshotsFail":    "takes 50,000 commits while snapshots fail",
	}
}

// TestDashboardsAndAlerts runs a fleet under a light load: every target of every
// panel returns data from both databases, and no alert fires. Then it makes
// trouble of every kind, and each alert must fire.
func TestDashboardsAndAlerts(t *testing.T) {
	tool(t, "prometheus")
	f := newFleet(t)
	f.node("a", append(following(), "--label", "app=shop")...)
	f.node("b")
	f.node("c", following()...)
	for _, n := range []string{"a", "b", "c"} {
		f.load(n, "soak", "--conns", "120", "--ramp", "200/s", "--rate", "60/s", "--for", "10m", "--allow-loss", "--allow-invalid")
	}
	for _, n := range []string{"a", "b", "c"} {
		f.holds(n, 100)
	}
	f.node("s", "--shadow")
	alone := f.shadowed("s", 20)
	rules, names := hurried(t, f.dir)
	config, change := f.scraping("a", "b", "c", "s")
	prom := f.prometheus(config, rules)
	servers := []server{prom}
	if find("victoria-metrics") != "" {
		servers = append(servers, f.victoria(config))
	} else {
		t.Log("without VictoriaMetrics, which is not there; scripts/test-deps.sh unpacks it")
	}
	f.ctl("knob", "set", "queue.messages_max", "2048", "--why", "a change to mark")

	disturbed := calm(t, prom)
	for _, s := range servers {
		t.Run("panels on "+s.name, func(t *testing.T) { checkPanels(t, s) })
	}
	if t.Failed() {
		return
	}
	f.trouble(prom, names, change, alone)
	if disturbed != "" && !t.Failed() {
		t.Skipf("that no alert fires with nothing wrong is not known: %s", disturbed)
	}
}

// holds waits until a node has so many connections.
func (f *fleet) holds(node string, conns int) {
	f.t.Helper()
	eventually(f.t, node+" has its connections", func() bool { return f.metric(node, "pushd_users ") >= float64(conns) })
}

// calm watches the alerts: for calmFor none may fire. Where it is the machine
// that gives reason to, calm begins again, and at last returns what it was.
func calm(t *testing.T, s server) (disturbed string) {
	t.Helper()
	m := watchMachine(t)
	for range calmTries {
		begin := time.Now()
		alarm := within(calmFor, func() bool { return len(s.fired(t, begin)) > 0 })
		if !alarm {
			return ""
		}
		fired := slices.Sorted(maps.Keys(s.fired(t, begin)))
		why := m.trouble()
		if why == "" {
			t.Fatalf("with nothing wrong: %v", fired)
		}
		disturbed = fmt.Sprintf("%s, and %v fired", why, fired)
		t.Log(disturbed)
		eventually(t, "the alerts end", func() bool { return len(s.fired(t, time.Now().Add(-2*time.Second))) == 0 })
	}
	return disturbed
}

// calmTries is how often calm begins.
const calmTries = 4

// trouble brings all alerts to fire. alone takes the clients of the shadow away.
func (f *fleet) trouble(prom server, names []string, change func(...string), alone func()) {
	want := map[string]bool{}
	for _, n := range names {
		if notProvoked()[n] == "" {
			want[n] = true
		}
	}
	since := time.Now()
	fire := func(most time.Duration, alerts ...string) bool {
		return within(most, func() bool {
			for name := range prom.fired(f.t, since) {
				delete(want, name)
			}
			return !slices.ContainsFunc(alerts, func(a string) bool { return want[a] })
		})
	}
	watch := func(what string, alerts ...string) {
		f.t.Helper()
		begin := time.Now()
		seen := fire(patience, alerts...)
		alerts = slices.DeleteFunc(alerts, func(a string) bool { return !want[a] && !seen })
		f.t.Logf("%s: %t after %.0f s: %s", what, seen, time.Since(begin).Seconds(), strings.Join(alerts, ", "))
	}
	// What is about a few seconds is done again where a slow machine took longer.
	until := func(what string, do func(), alert string) {
		f.t.Helper()
		do()
		for tries := 0; tries < 4 && !fire(patience/6, alert); tries++ {
			do()
		}
		watch(what, alert)
	}
	f.knobTrouble()
	f.queueTrouble()
	f.smallNode()
	change("a", "b", "c", "d", "s")
	watch("knobs", "PushfleetKnobDrift", "PushfleetCanaryForgotten", "PushfleetNodeValueForgotten")
	// Nodes that refuse a value end the canary.
	f.ctl("knob", "set", "heartbeat.ws.timeout", "1s", "--now", "--all", "--why", "a value that no node takes", "--no-wait")
	watch("a value that is refused", "PushfleetNodeNacked")
	var wave *process
	until("a wave of connections", func() {
		if wave != nil {
			wave.kill()
		}
		wave = f.load("c", "flood", "--conns", "900", "--ramp", "200/s", "--for", "10m")
	}, "PushfleetReconnectStorm")
	watch("a node without descriptors, disk and recorder", "PushfleetDescriptors", "PushfleetRecorderPaused", "PushfleetKeeperDisk")
	until("a listener that stands still", func() { f.overflow("d") }, "PushfleetListenOverflows")
	watch("readers that do not read", "PushfleetTimeToCap", "PushfleetNeverDrains", "PushfleetWait", "PushfleetManyNearTheirLimit",
		"PushfleetOldestMessage", "PushfleetSlowDelivery", "PushfleetDrops")
	f.ctlOf("b", "knob", "set", "queue.normal.policy", "disconnect", "--why", "test")
	watch("readers that are given up", "PushfleetSlowCloses")
	f.unread("b")
	f.ctlOf("s", "knob", "set", "queue.messages_max", "512", "--why", "an experiment")
	alone()
	watch("a tee that nobody reads, a shadow that is left", "PushfleetTapDropping", "PushfleetTeeForgotten", "PushfleetShadowForgotten")
	f.ctlOf("b", "knob", "set", "gc.percent", "1", "--why", "test")
	rest := f.allocate("b")
	watch("a collector that always runs", "PushfleetGarbage")
	rest()
	until("a node that starts again and again", func() { f.restarts("c", 3) }, "PushfleetNodeRestarts")
	until("leaders that change", func() {
		for range 3 { // to and fro
			f.transfer()
			f.transfer()
		}
	}, "PushfleetElections")
	f.nodes["c"].kill()
	watch("a node that is killed", "PushfleetNodeDown", "PushfleetNodeDead")
	f.keepers[1].kill()
	watch("a majority that is lost", "PushfleetNoLeader", "PushfleetKeeperDown", "PushfleetKeeperLost")
	if len(want) > 0 {
		f.t.Errorf("never fired: %v", slices.Sorted(maps.Keys(want)))
	}
}

// knobTrouble leaves a canary on its way, a value for one node, and one that
// acts after a restart only.
func (f *fleet) knobTrouble() {
	f.ctl("knob", "set", "drain.window", "3s", "--plan", "1,all", "--soak", "10m", "--no-wait", "--why", "test")
	f.ctl("knob", "set", "queue.messages_max", "1000", "--on", "node=a", "--why", "test")
	f.ctl("knob", "set", "stats.closed_max", "500", "--on", "node=a", "--why", "test")
}

// queueTrouble gives node b readers that stand still, and slow ones.
func (f *fleet) queueTrouble() {
	for _, v := range [][2]string{{"memory.message_bytes_max", "32MiB"}, {"queue.bytes_max", "192KiB"}, {"queue.normal.policy", "drop-newest"}} {
		f.ctlOf("b", "knob", "set", v[0], v[1], "--why", "test")
	}
	f.load("b", "soak", "--conns", "60", "--profile", "stalled", "--rate", "500/s", "--size", "1000", "--for", "10m", "--allow-loss", "--allow-invalid")
	f.load("b", "soak", "--conns", "20", "--profile", "slow", "--slow-bytes", "2000", "--rate", "100/s", "--size", "1000", "--for", "10m",
		"--allow-loss", "--allow-invalid")
}

// smallNode starts node d with few descriptors, a small disk, a short listen
// queue, and a file where its recorder's folder would be.
func (f *fleet) smallNode() {
	dir := f.state("d")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=100m"); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		f.nodes["d"].kill()
		if err := syscall.Unmount(dir, 0); err != nil {
			f.t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(dir, "recorder"), nil, 0o644); err != nil {
		f.t.Fatal(err)
	}
	const somaxconn = "/proc/sys/net/core/somaxconn" // of this namespace
	before, err := os.ReadFile(somaxconn)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(somaxconn, []byte("8"), 0); err != nil {
		f.t.Fatal(err)
	}
	f.nodes["d"] = start(f.t, []string{"PUSHD_CONFIG=/dev/null"}, "/bin/sh", "-c", `ulimit -n 200; exec "$@"`, "sh", f.program("pushd"),
		"--listen", client("d"), "--private", private("d"), "--node-name", "d", "--admin-socket", filepath.Join(dir, "admin.sock"), "--state-dir", dir,
		"--keeper-api", "127.0.0.1:7702", "--keeper-raft", "127.0.0.1:7703", "--loops", "1")
	f.nodes["d"].answers(f.t, "http://"+private("d")+"/readyz")
	if err := os.WriteFile(somaxconn, before, 0); err != nil {
		f.t.Fatal(err)
	}
	// So many that scrapes still find a descriptor: at the end of them the node
	// would be down rather than short of descriptors.
	open := 0.0
	eventually(f.t, "d tells of its descriptors", func() bool { open = f.metric("d", "pushd_fds "); return open > 0 })
	conns := 185 - int(open)
	f.load("d", "flood", "--conns", strconv.Itoa(conns), "--ramp", "100/s", "--for", "10m")
}

// overflow dials a node that stands still until its listen queue is full.
func (f *fleet) overflow(node string) {
	p := f.nodes[node].cmd.Process
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		f.t.Fatal(err)
	}
	for range 40 {
		if c, err := net.DialTimeout("tcp", client(node), 50*time.Millisecond); err == nil {
			defer c.Close()
		}
	}
	if err := p.Signal(syscall.SIGCONT); err != nil {
		f.t.Fatal(err)
	}
}

// allocate has a node make garbage, page after page, until the returned function
// is called.
func (f *fleet) allocate(node string) (rest func()) {
	stop := make(chan struct{})
	var work sync.WaitGroup
	for range 2 {
		work.Go(func() { // ended by rest
			for {
				select {
				case <-stop:
					return
				default:
					f.metric(node, "go_goroutines ")
				}
			}
		})
	}
	return func() { close(stop); work.Wait() }
}

// restarts kills and starts a node, and waits each time until Prometheus has
// seen it.
func (f *fleet) restarts(node string, times int) {
	for range times {
		f.nodes[node].kill()
		p := f.launch(node, following()...)
		p.answers(f.t, "http://"+private(node)+"/readyz")
		eventually(f.t, "Prometheus has seen the new start", func() bool {
			began := f.metric(node, "process_start_time_seconds ")
			n, _ := server{"Prometheus", "http://127.0.0.1:9090"}.samples(f.t,
				`process_start_time_seconds{instance="`+private(node)+`"} == `+stamp(time.UnixMilli(int64(began*1e3))), 4*time.Second)
			return n > 0
		})
	}
}

// transfer has the keepers change their leader. They may be about to by
// themselves.
func (f *fleet) transfer() {
	if out, err := f.tryCtl("keeper", "transfer"); err != nil {
		f.t.Logf("keeper transfer: %v: %s", err, out)
	}
	eventually(f.t, "a keeper leads", func() bool {
		resp, err := http.Get("http://" + keeperAPI(0) + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

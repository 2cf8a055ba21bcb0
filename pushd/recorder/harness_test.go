package recorder

import (
	"context"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pushfleet/internal/knob"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/record"
)

// procTexts is a small machine with two cores.
func procTexts() map[string]string {
	return map[string]string{
		"stat": "cpu  100 5 60 900 7 1 30 2 0 0\ncpu0 50 5 30 450 4 1 10 1 0 0\ncpu1 50 0 30 450 3 0 20 1 0 0\n" +
			"intr 3216580 0 0 9\nctxt 6772000\nbtime 1700000000\nprocesses 4321\nprocs_running 3\nprocs_blocked 1\nsoftirq 777 1 2\n",
		"schedstat":       "version 15\ntimestamp 1\ncpu0 0 0 0 0 0 0 5000 1000 7\ndomain0 3 0 0 0\ncpu1 0 0 0 0 0 0 5000 2000 7\n",
		"pressure/cpu":    "some avg10=94.37 avg60=82.73 avg300=47.27 total=404798490\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=12\n",
		"pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=8\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=4\n",
		"meminfo":         "MemTotal:        8000 kB\nMemFree:         1000 kB\nMemAvailable:    5000 kB\nCached:    300 kB\nDirty:   4 kB\nSlab:  77 kB\nSwapFree: 0 kB\n",
		"vmstat":          "pgfault 123\npgmajfault 4\nallocstall_normal 5\nallocstall_movable 6\noom_kill 1\n",
		"diskstats":       " 254  0 vda 10 1 200 30 40 5 600 70 0 80 90 0 0 0 0\n 254  1 vda1 1 1 1 1 1 1 1 1 1 1 1\n 7 0 loop0 9 9 9 9 9 9 9 9 9 9 9\n",
		"self/net/dev": "Inter-|   Receive\n face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed\n" +
			"    lo: 1000 10 0 0 0 0 0 0 1000 10 0 0 0 0 0 0\n  eth0: 500 5 1 2 0 0 0 0 700 7 3 4 0 0 0 0\n  eth1: 50 1 0 0 0 0 0 0 70 1 0 0 0 0 0 0\n",
		"self/net/snmp":         "Ip: Forwarding DefaultTTL\nIp: 1 64\nTcp: RtoMin ActiveOpens PassiveOpens CurrEstab RetransSegs MaxConn\nTcp: 200 11 12 13 14 -1\n",
		"self/net/netstat":      "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 2 3\nIpExt: InOctets\nIpExt: 5\n",
		"self/net/sockstat":     "sockets: used 17\nTCP: inuse 1 orphan 2 tw 39 alloc 169 mem 4\nUDP: inuse 0 mem 0\n",
		"self/net/softnet_stat": "000000ff 00000001 00000002 0 0\n00000001 00000000 00000003 0 0\n",
		"self/statm":            "1000 250 30 1 0 90 0\n",
	}
}

// fakeProc writes texts as files and returns the roots of proc and block.
func fakeProc(t *testing.T, texts map[string]string) (proc, blocks string) {
	t.Helper()
	proc, blocks = t.TempDir(), t.TempDir()
	for name, text := range texts {
		path := filepath.Join(proc, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, []byte(text), 0o600))
	}
	for _, disk := range []string{"vda", "loop0"} {
		must(t, os.Mkdir(filepath.Join(blocks, disk), 0o700))
	}
	return proc, blocks
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rig is a recorder of a node that a test plays.
type rig struct {
	*Recorder
	knobs    Knobs
	registry *knob.Registry
	mu       sync.Mutex
	figures  Figures // what the node says
	backlog  atomic.Int64
}

// tell has the node say something else from now on.
func (g *rig) tell(f func(*Figures)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f(&g.figures)
}

func newRig(t *testing.T, edit func(*Config)) *rig {
	t.Helper()
	g := &rig{registry: knob.NewRegistry()}
	g.knobs = NewKnobs(g.registry)
	c := Config{Node: "gw-1", Version: "1.2.3", Knobs: g.knobs, Registry: g.registry,
		Log: slog.New(slog.DiscardHandler), Ask: func(_ context.Context, f *Figures) { g.tell(func(now *Figures) { *f = *now }) },
		Backlog: g.backlog.Load, Conns: func() int64 { return 3 },
		Show: map[string]func(context.Context) (any, error){"top.json": func(context.Context) (any, error) { return []string{"worst"}, nil }}}
	if os.Getenv(victimDir) == "" { // the victim has no test to clean up for it
		c.Dir = filepath.Join(t.TempDir(), "rec")
	}
	if edit != nil {
		edit(&c)
	}
	if c.proc == "" {
		c.proc, c.blocks = fakeProc(t, procTexts())
	}
	// What other goroutines of the test binary wait for is no matter of ours.
	g.set(t, "recorder.trigger_sched", "0")
	g.set(t, "recorder.trace", "0s") // not of virtual time
	g.Recorder = New(c)
	return g
}

func (g *rig) set(t *testing.T, name, value string) {
	t.Helper()
	if _, err := g.registry.Set(name, value, "maria", "INC-311"); err != nil {
		t.Fatal(err)
	}
}

// saw is one record as names and numbers.
type saw struct {
	at     time.Time
	values map[string]int64
}

// read returns what a ring holds.
func read(t *testing.T, fsys fs.FS, ring string) (all []saw, marks []record.Mark) {
	t.Helper()
	must(t, record.Scan(fsys, record.Query{Ring: ring, To: 1 << 60}, func(it record.Item) error {
		switch {
		case it.Damage != "":
			t.Error(it.Damage)
		case it.Mark != nil:
			marks = append(marks, *it.Mark)
		default:
			s := saw{it.Record.Time(), map[string]int64{}}
			for i, f := range it.Schema.Fields {
				s.values[f.Name] = it.Record.V[i]
			}
			all = append(all, s)
		}
		return nil
	}))
	return all, marks
}

func kinds(marks []record.Mark) (k []string) {
	for _, m := range marks {
		k = append(k, m.Kind)
	}
	return k
}

func bundleIDs(all []pushdapi.RecBundle) (ids []string) {
	for _, b := range all {
		ids = append(ids, b.ID)
	}
	return ids
}

func keys(m map[string][]byte) []string { return slices.Sorted(maps.Keys(m)) }

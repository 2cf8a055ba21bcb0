package follow

import (
	"slices"
	"testing"

	"pushfleet/internal/pushdapi"
)

func TestFigures(t *testing.T) {
	w := func(v float64) pushdapi.Windows { return pushdapi.Windows{S1: v, S10: v + 0.1, S100: v + 0.2} }
	s := &pushdapi.Stats{
		Connections: pushdapi.Connections{Total: 3, Accepted: w(10)}, Published: w(20), Delivered: w(30), Received: w(40), Dropped: w(50), Closed: w(60),
		Queued:  pushdapi.Queued{Messages: 7, Bytes: 8, Level: w(70), OldestSeconds: 9},
		Latency: pushdapi.Quantiles{P50: 0.1, P99: 0.2, P999: 0.3}, Process: pushdapi.Process{CPUPercent: 38, GCPercent: 9, GCPercent10: 0.4, SchedP99: 0.001},
		Memory: pushdapi.Memory{RSSBytes: 100, HeapBytes: 50, PSSBytes: 1}, SilentLoop: []int{1},
	}
	got := Figures(s)
	want := map[string]float64{
		"conns": 3, "accepts.1s": 10, "accepts.10s": 10.1, "accepts.100s": 10.2, "published.1s": 20, "published.10s": 20.1, "published.100s": 20.2,
		"delivered.1s": 30, "delivered.10s": 30.1, "delivered.100s": 30.2, "received.1s": 40, "received.10s": 40.1, "received.100s": 40.2,
		"drops.1s": 50, "drops.10s": 50.1, "drops.100s": 50.2, "closed.1s": 60, "closed.10s": 60.1, "closed.100s": 60.2,
		"queued": 7, "queued.bytes": 8, "queued.1s": 70, "queued.10s": 70.1, "queued.100s": 70.2, "oldest": 9,
		"wait.p50": 0.1, "wait.p99": 0.2, "wait.p999": 0.3, "wait.p50.10s": 0.1, "wait.p99.10s": 0.2, "wait.p999.10s": 0.3,
		"cpu.10s": 38, "gc": 0.4, "gc.10s": 0.4, "sched.p99": 0.001, "sched.p99.10s": 0.001, "memory.bytes": 100, "memory.heap_bytes": 50, "loops.silent": 1,
	}
	for name, v := range want {
		if got[name] != v {
			t.Errorf("%s = %v, want %v", name, got[name], v)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is not expected", name)
		}
	}
	load := Load(got)
	if len(load) != 5 || load["conns"] != 3 || load["published.10s"] != 20.1 || load["queued"] != 7 || load["drops.10s"] != 50.1 || load["cpu"] != 38 {
		t.Errorf("load %v", load)
	}
	if names := Names(); len(names) != len(want) || !slices.IsSorted(names) {
		t.Errorf("names %v", names)
	}
	if load := Load(nil); len(load) != 0 {
		t.Errorf("load of a node that has not looked yet: %v", load)
	}
}

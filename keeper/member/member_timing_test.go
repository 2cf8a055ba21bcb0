package member_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/testkeeper"
	"pushfleet/keeper/nodes"
	"pushfleet/keeper/store"
)

// BenchmarkSetApplied sets a knob of so many nodes, with pre-flight, and waits
// until all have confirmed it. All members and nodes share the process.
func BenchmarkSetApplied(b *testing.B) {
	for _, count := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("nodes=%d", count), func(b *testing.B) {
			c := crowd(b, count)
			var took []float64
			for i := range b.N {
				a, err := c.Txn(b.Context(), set(keeperapi.Fleet, "queue.messages_max", fmt.Sprint(100+i%1000)))
				if err != nil || a.Applied.Applied != count {
					b.Fatalf("%+v, %v", a, err)
				}
				took = append(took, a.Applied.TookMS)
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2], "p50-ms")
			b.ReportMetric(took[len(took)*99/100], "p99-ms")
		})
	}
}

// BenchmarkSession is the memory of one node's session on the keeper's side
// and the node's side together.
func BenchmarkSession(b *testing.B) {
	const count = 1000
	var before, after runtime.MemStats
	c := crowd(b, 1)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range count {
		startNode(b, c, fmt.Sprintf("more-%d", i), nil)
	}
	connected(b, c, count+1)
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse)/count, "B/session")
	for range b.N { // the figure is of the set-up
	}
}

func crowd(b *testing.B, count int) *keeperapi.Client {
	b.Helper()
	k := testkeeper.Start(b, 3, func(_ int, c *testkeeper.Config) {
		c.Timing = nodes.DefaultTiming()
		// Keepers and nodes share a process here: a leader must not be taken for
		// dead because a thousand nodes have the processors.
		c.Store.Timing = store.Timing{Heartbeat: 3 * time.Second, Election: 3 * time.Second, Lease: 3 * time.Second}
	})
	c := keeperapi.NewClient(k.Addresses(), keeperapi.ClientOptions{Timeout: time.Minute})
	for i := range count {
		startNode(b, c, fmt.Sprintf("gw-%d", i), nil)
	}
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		if ns, err := c.Nodes(ctx, keeperapi.Read{}); err == nil && len(ns) == count &&
			!slices.ContainsFunc(ns, func(n keeperapi.NodeInfo) bool { return !n.Current }) {
			return c
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.Fatal("the nodes did not come")
	return nil
}

package probe

import (
	"context"
	"testing"
)

// TestByPerf sets the breakpoints as older kernels need them.
func TestByPerf(t *testing.T) {
	allowed(t)
	path := build(t, "0", "-buildmode=pie")
	c, twin := start(t, path, "lock"), start(t, path, "lock")
	var want result
	o := LockOptions{Go: true, Holders: true, By: BySite}
	quiet := LockOptions{Go: true, By: BySite}
	var hits uint64
	r := watch(t, c, &o.Options, func() {
		q := watch(t, twin, &quiet.Options, func() { want = c.work() }, func(ctx context.Context, target *Target) (*LockReport, error) {
			target.perf = true
			return Locks(ctx, target, quiet)
		})
		hits = q.Hits
	}, func(ctx context.Context, target *Target) (*LockReport, error) {
		target.perf = true
		return Locks(ctx, target, o)
	})
	near(t, "waits of the writer", float64(r.of("lock", "main.writeSide").Count), float64(want.Writers))
	if hot := r.of("mutex", "main.hotSide"); hot.Count == 0 || len(hot.Holders) == 0 || r.of("rlock", "main.readSide").Count == 0 || r.CostCPU <= 0 {
		t.Errorf("%+v", r.Sites)
	}
	if hits != 0 {
		t.Errorf("the quiet twin has %d hits", hits)
	}
	g := start(t, path, "gc")
	var gc GCOptions
	cycles := watch(t, g, &gc.Options, func() { want = g.work() }, func(ctx context.Context, target *Target) (*GCReport, error) {
		target.perf = true
		return GC(ctx, target, gc)
	})
	if uint64(cycles.Count) != want.Cycles || cycles.Lost.Total() != 0 {
		t.Errorf("%d cycles, want %d; %+v", cycles.Count, want.Cycles, cycles.Run)
	}
}

func TestPerfOnly(t *testing.T) {
	f := func(release string, want bool) {
		t.Helper()
		if got := perfOnly(release); got != want {
			t.Errorf("%q: %v", release, got)
		}
	}
	f("6.18.44-fc", false)
	f("6.6.0", false)
	f("6.5.13-generic", true)
	f("5.15.0-91", true)
	f("7.0", false)
	f("", false)
	f("new", false)
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/probe"
	"pushfleet/pushctl/probe/gobin"
	"pushfleet/pushctl/why"
)

// whyMaxCPU is the share of a processor that each probe of why may take.
const whyMaxCPU = 0.05

// probed is what probes of a node's process saw.
type probed struct {
	locks   *why.Locks
	sched   *why.Sched
	gc      *why.GC
	missing []why.Missing
}

// withoutProbes is what is missed when nothing can be probed.
const withoutProbes = "locks by line, run queue and stops"

// look probes the process of a node for as long as its connections are watched,
// if that may be done from here. What cannot be had is named.
func (w *whying) look(ctx context.Context, c *pushdapi.Client) probed {
	missing := func(reason, do string) probed {
		return probed{missing: []why.Missing{{What: withoutProbes, Why: reason, Do: do}}}
	}
	if !w.probe {
		return missing("--no-probe", "")
	}
	v, err := c.Version(ctx)
	if err != nil {
		return missing("the node does not say where it runs: "+cause(err), "")
	}
	here := pushdapi.Here()
	switch {
	case v.Place == nil:
		return missing("the node does not say where it runs", "")
	case !v.Place.SameHost(here):
		return missing("the node runs on another host", fmt.Sprintf("ssh %s sudo %s", cmp.Or(v.Place.Hostname, "HOST"), w.again()))
	}
	pid, err := numberHere(v.Place, here)
	if err != nil {
		return missing("the node runs in another container", "sudo "+w.again()+"   on its host, or inside of that container")
	}
	t, err := probe.Find(pid)
	if err != nil {
		p := probed{}
		p.miss(withoutProbes, err, w.again())
		return p
	}
	defer t.Close()
	return w.run(ctx, t)
}

// again is the command line that asks the same.
func (w *whying) again() string {
	text := "pushctl why " + pushdapi.Quote(w.arg)
	for _, n := range w.named {
		text += " --node " + pushdapi.Quote(n)
	}
	return text
}

// run runs the probes side by side.
func (w *whying) run(ctx context.Context, t *probe.Target) (p probed) {
	o := probe.Options{Duration: w.d, MaxCPU: whyMaxCPU}
	var locks *probe.LockReport
	var sched *probe.SchedReport
	var gc *probe.GCReport
	var errs [3]error
	var wg sync.WaitGroup
	wg.Go(func() {
		locks, errs[0] = probe.Locks(ctx, t, probe.LockOptions{Options: o, Go: true, By: probe.ByStack})
	})
	wg.Go(func() { sched, errs[1] = probe.Sched(ctx, t, o) })
	wg.Go(func() { gc, errs[2] = probe.GC(ctx, t, probe.GCOptions{Options: o}) })
	wg.Wait()
	switch {
	case errs[0] != nil:
		p.miss("locks by line", errs[0], w.again())
	default:
		p.locks = locksOf(locks)
		if locks.End == probe.EndBudget {
			p.missing = append(p.missing, why.Missing{What: "locks by line after " + time.Duration(locks.Seconds*1e9).Round(time.Millisecond).String(), Why: "there are so many waits that watching them costs too much",
				Do: fmt.Sprintf("sudo pushctl probe lock --pid %d --go --max-cpu 20%%", t.PID)})
		}
	}
	if errs[1] != nil {
		p.miss("the run queue by thread", errs[1], w.again())
	} else {
		p.sched = &why.Sched{Seconds: sched.Seconds, Waits: sched.All.Count, Total: sched.All.Total, P99: sched.All.P99, Max: sched.All.Max}
	}
	if errs[2] != nil {
		p.miss("each stop of the collector", errs[2], w.again())
	} else {
		p.gc = gcOf(gc)
	}
	return p
}

// miss names evidence that an error kept from us.
func (p *probed) miss(what string, err error, again string) {
	m := why.Missing{What: what, Why: err.Error(), Do: "pushctl probe check"}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		m.Why, m.Do = "this user may not probe", "sudo "+again
	}
	p.missing = append(p.missing, m)
}

// loopFunc is on the stack of whatever a loop does.
const loopFunc = "pushfleet/pushd/reactor.(*Loop).Run"

// locksOf sums waits by line, those of loops apart.
func locksOf(r *probe.LockReport) *why.Locks {
	type key struct {
		fn, place string
		loop      bool
	}
	l := &why.Locks{Seconds: r.Seconds, Sites: []why.Lock{}}
	at := map[key]int{}
	add := func(stack probe.Stack, count uint64, total, p99 float64) {
		f := stack.Site()
		k := key{fn: shortFunc(f.Func), loop: slices.ContainsFunc(stack, func(f gobin.Frame) bool { return f.Func == loopFunc })}
		if f.File != "" {
			k.place = fmt.Sprintf("%s:%d", shortFile(f.File), f.Line)
		}
		j, ok := at[k]
		if !ok {
			j = len(l.Sites)
			at[k] = j
			l.Sites = append(l.Sites, why.Lock{Func: k.fn, Place: k.place, OnLoop: k.loop})
		}
		to := &l.Sites[j]
		to.Count, to.Total, to.P99 = to.Count+count, to.Total+total, max(to.P99, p99)
		if k.loop {
			l.Loops += total
		}
	}
	for i := range r.Sites {
		s := &r.Sites[i]
		add(s.Stack, s.Count, s.Total, s.P99)
	}
	for i := range r.Waiting { // a lock that is never given up has no wait that ended
		s := &r.Waiting[i]
		add(s.Stack, uint64(len(s.Goroutines)), s.Oldest*float64(len(s.Goroutines)), s.Oldest)
	}
	slices.SortStableFunc(l.Sites, func(a, b why.Lock) int {
		if a.OnLoop != b.OnLoop {
			return map[bool]int{true: -1, false: 1}[a.OnLoop]
		}
		return cmp.Compare(b.Total, a.Total)
	})
	return l
}

func gcOf(r *probe.GCReport) *why.GC {
	g := &why.GC{Seconds: r.Seconds, Cycles: r.Count, PauseP99: r.Pauses.P99, PauseMax: r.Pauses.Max}
	for _, c := range r.Cycles {
		g.Mark += c.Mark
	}
	return g
}

package probe

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
	"pushfleet/bpf"
)

// lockReader makes reports of what the kernel counted.
type lockReader struct {
	t      *Target
	objs   *bpf.LockObjects
	o      *LockOptions
	kernel kernelSymbols
}

// counted is one entry of the map of sites, named.
type counted struct {
	kind   uint32
	part   uint64
	stack  Stack
	kernel []string
	waits  Waits
}

func (rd *lockReader) report(s *session, end End) (*LockReport, error) {
	p := &places{rd.t, rd.objs, map[int32]Stack{}}
	all, err := rd.read(p)
	if err != nil {
		return nil, err
	}
	r := &LockReport{By: rd.o.By, Sites: []Site{}, Waiting: []Still{}}
	r.Sites, r.counted = group(all, rd.o), all
	var inGo, inRuntime, inKernel, every Waits
	for i := range r.Sites {
		s := &r.Sites[i]
		switch {
		case s.InKernel:
			inKernel.Merge(&s.waits)
		case s.Kind == KindRuntime:
			inRuntime.Merge(&s.waits)
		default:
			inGo.Merge(&s.waits)
		}
		every.Merge(&s.waits)
	}
	r.Go, r.Runtime, r.Kernel, r.Hist = inGo.times(), inRuntime.times(), inKernel.times(), every.Bars()
	if r.Waiting, err = rd.waiting(p); err != nil {
		return nil, err
	}
	r.Run, err = s.about(end)
	return r, err
}

func (rd *lockReader) read(p *places) ([]counted, error) {
	var out []counted
	var k bpf.LockSite
	var w bpf.LockWaits
	it := rd.objs.Sites.Iterate()
	for it.Next(&k, &w) {
		out = append(out, counted{k.Kind, k.Part, p.stack(k.Stack), rd.kernel.stack(rd.objs.Stacks, k.Kstack), Waits{w.Count, w.Sum, w.Max, w.Hist}})
	}
	return out, readErr(it)
}

// group adds up what belongs together, the largest total first, and gives each
// site its holders.
func group(all []counted, o *LockOptions) []Site {
	at := map[string]*Site{}
	locks := map[string]map[uint64]bool{} // of each site
	holders := map[uint64][]counted{}     // by lock
	for _, c := range all {
		if c.kind == kindHolder {
			holders[c.part] = append(holders[c.part], c)
			continue
		}
		key := groupKey(&c, o.By)
		s := at[key]
		if s == nil {
			s = &Site{Kind: kindName(c.kind), InKernel: c.kind&0xff == kindKernel, Stack: c.stack, Frames: c.kernel}
			at[key], locks[key] = s, map[uint64]bool{}
		}
		switch o.By {
		case ByLock:
			s.Lock = c.part
		case ByGoroutine:
			s.Goroutine = c.part
		}
		locks[key][c.part] = true
		s.waits.Merge(&c.waits)
	}
	out := []Site{}
	for key, s := range at {
		s.Times = s.waits.times()
		if !s.InKernel && s.Kind != KindRuntime && o.Holders {
			s.Holders = holdersOf(locks[key], holders)
		}
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b Site) int {
		return strings.Compare(a.Kind+plain(a.Stack.Site()), b.Kind+plain(b.Stack.Site()))
	})
	sortBy(out, func(s *Site) float64 { return s.Total })
	return out
}

func groupKey(c *counted, by By) string {
	key := fmt.Sprintf("%d %s %s", c.kind, plain(c.stack.Site()), strings.Join(kernelSite(c.kernel), "<"))
	if c.kind == kindRuntime {
		key += strings.Join(c.stack.RuntimeSite(), "<")
	}
	switch by {
	case ByStack:
		return fmt.Sprintf("%d %v %v", c.kind, c.stack, c.kernel)
	case ByLock, ByGoroutine:
		return fmt.Sprintf("%s %d", key, c.part)
	}
	return key
}

// holdersOf adds up who gave up any of the locks, by place.
func holdersOf(locks map[uint64]bool, byLock map[uint64][]counted) []Holder {
	at := map[string]*Holder{}
	for lock := range locks {
		for _, c := range byLock[lock] {
			key := plain(c.stack.Site())
			if at[key] == nil {
				at[key] = &Holder{Stack: c.stack}
			}
			at[key].Count += c.waits.Count
		}
	}
	var out []Holder
	for _, h := range at {
		out = append(out, *h)
	}
	slices.SortFunc(out, func(a, b Holder) int { return strings.Compare(plain(a.Stack.Site()), plain(b.Stack.Site())) })
	sortBy(out, func(h *Holder) float64 { return float64(h.Count) })
	return out
}

// waiting lists who waits for Go's locks right now.
func (rd *lockReader) waiting(p *places) ([]Still, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return nil, err
	}
	at := map[string]*Still{}
	var k bpf.LockStartKey
	var v bpf.LockStart
	it := rd.objs.Starts.Iterate()
	for it.Next(&k, &v) {
		if k.Kind > kindLock {
			continue // a thread in the kernel, for a moment
		}
		stack := p.stack(v.Stack)
		key := fmt.Sprintf("%d %s", k.Kind, plain(stack.Site()))
		s := at[key]
		if s == nil {
			s = &Still{Kind: kindName(uint32(k.Kind)), Lock: v.Lock, Stack: stack}
			at[key] = s
		}
		s.Goroutines = append(s.Goroutines, v.Goid)
		s.Oldest = max(s.Oldest, seconds(uint64(now.Nano())-min(v.Time, uint64(now.Nano()))))
	}
	out := []Still{}
	for _, s := range at {
		slices.Sort(s.Goroutines)
		out = append(out, *s)
	}
	sortBy(out, func(s *Still) float64 { return s.Oldest })
	return out, readErr(it)
}

// Flags of contended kernel locks (LCB_F_* in the kernel), from bit 8 of a kind.
func kindName(kind uint32) string {
	switch kind & 0xff {
	case kindMutex:
		return "mutex"
	case kindRLock:
		return "rlock"
	case kindLock:
		return "lock"
	case kindRuntime:
		return KindRuntime
	}
	names := []struct {
		flag uint32
		name string
	}{{32, "mutex"}, {8, "rtmutex"}, {16, "percpu"}, {2, "read"}, {4, "write"}, {1, "spin"}}
	for _, n := range names {
		if kind>>8&n.flag != 0 {
			return n.name
		}
	}
	return "lock"
}

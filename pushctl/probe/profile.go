package probe

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
	"pushfleet/pushctl/probe/gobin"
)

// Weighted is a stack with what was spent there.
type Weighted struct {
	Stack Stack // innermost first, the kernel's frames before the program's
	Kind  string
	Count uint64
	Total uint64 // ns
}

// Stacks returns the waits of a report by their whole stacks.
func (r *LockReport) Stacks() []Weighted {
	var out []Weighted
	for _, c := range r.counted {
		if c.kind == kindHolder {
			continue
		}
		var s Stack
		for _, fn := range c.kernel {
			s = append(s, gobin.Frame{Func: fn})
		}
		kind := kindName(c.kind)
		if c.kind&0xff == kindKernel {
			kind = "kernel " + kind
		}
		out = append(out, Weighted{append(s, c.stack...), kind, c.waits.Count, c.waits.Sum})
	}
	return out
}

// Stacks returns assists by their stacks.
func (r *GCReport) Stacks() []Weighted { return r.stacks }

// WriteProfile writes stacks as go tool pprof reads them: the number as unit
// (such as contentions/count) and the time as delay/nanoseconds. A stack that
// was lost is left out: the report counts those.
func WriteProfile(w io.Writer, ws []Weighted, number string, began time.Time, d time.Duration) error {
	p := &profile.Profile{
		SampleType:        []*profile.ValueType{{Type: number, Unit: "count"}, {Type: "delay", Unit: "nanoseconds"}},
		DefaultSampleType: "delay",
		TimeNanos:         began.UnixNano(), DurationNanos: int64(d),
	}
	b := &profileBuilder{p: p, funcs: map[string]*profile.Function{}, locs: map[gobin.Frame]*profile.Location{}}
	for _, s := range ws {
		if len(s.Stack) == 0 {
			continue
		}
		sample := &profile.Sample{Value: []int64{int64(s.Count), int64(s.Total)}, Label: map[string][]string{"kind": {s.Kind}}}
		for _, f := range s.Stack {
			sample.Location = append(sample.Location, b.location(f))
		}
		p.Sample = append(p.Sample, sample)
	}
	if err := p.Write(w); err != nil {
		return fmt.Errorf("write profile: %w", err)
	}
	return nil
}

type profileBuilder struct {
	p     *profile.Profile
	funcs map[string]*profile.Function
	locs  map[gobin.Frame]*profile.Location
}

func (b *profileBuilder) location(f gobin.Frame) *profile.Location {
	l := b.locs[f]
	if l == nil {
		l = &profile.Location{ID: uint64(len(b.p.Location) + 1), Line: []profile.Line{{Function: b.function(f), Line: int64(f.Line)}}}
		b.locs[f], b.p.Location = l, append(b.p.Location, l)
	}
	return l
}

func (b *profileBuilder) function(f gobin.Frame) *profile.Function {
	fn := b.funcs[f.Func]
	if fn == nil {
		fn = &profile.Function{ID: uint64(len(b.p.Function) + 1), Name: f.Func, SystemName: f.Func, Filename: f.File}
		b.funcs[f.Func], b.p.Function = fn, append(b.p.Function, fn)
	}
	return fn
}

// flameNode is a function under its callers.
type flameNode struct {
	name     string
	total    uint64 // ns
	children map[string]*flameNode
}

// flameTree joins stacks from the outermost frame on.
func flameTree(ws []Weighted) *flameNode {
	root := &flameNode{name: "all"}
	for _, w := range ws {
		n := root
		n.total += w.Total
		for _, f := range slices.Backward(w.Stack) {
			n = n.child(f.Func)
			n.total += w.Total
		}
	}
	return root
}

func (n *flameNode) child(name string) *flameNode {
	if n.children == nil {
		n.children = map[string]*flameNode{}
	}
	c := n.children[name]
	if c == nil {
		c = &flameNode{name: name}
		n.children[name] = c
	}
	return c
}

// sorted are the children by name, so that one report is always one picture.
func (n *flameNode) sorted() []*flameNode {
	var out []*flameNode
	for _, c := range n.children {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *flameNode) int { return strings.Compare(a.name, b.name) })
	return out
}

func (n *flameNode) depth() int {
	deepest := 0
	for _, c := range n.children {
		deepest = max(deepest, c.depth())
	}
	return deepest + 1
}

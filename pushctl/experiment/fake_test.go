package experiment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/record"
	"pushfleet/internal/teewire"
	"pushfleet/pushctl/experiment/drive"
)

// fakeNode is a node that only counts: it delivers rate messages a second, each
// for cost seconds of CPU, which its knob and noise change.
type fakeNode struct {
	name string
	born time.Time

	mu     sync.Mutex
	dead   error
	knobs  map[string]*pushdapi.Knob
	sets   []string // KNOB=VALUE in order
	refuse string   // value of a knob that is refused when it is set
	mute   bool     // no recorder
	conns  int64
	shadow bool
	rate   float64
	cost   func(n *fakeNode) float64
	p99    float64
	drops  float64 // share
	noise  *rand.Rand
	level  float64 // of the noise, which lasts
	second []fakeSecond
}

// fakeSecond is what the node counted up to a second of its life.
type fakeSecond struct{ delivered, dropped, cpu, p99 float64 }

func newFakeNode(name string) *fakeNode {
	n := &fakeNode{name: name, born: time.Now().Add(-5 * time.Minute), rate: 20_000, p99: 1e-3, conns: 1000, shadow: true,
		cost: func(*fakeNode) float64 { return 10e-6 }, noise: rand.New(rand.NewPCG(1, uint64(len(name)))),
		knobs: map[string]*pushdapi.Knob{
			"gc.percent":         {Name: "gc.percent", Value: "200%", Source: "default", Acts: "live"},
			"queue.messages_max": {Name: "queue.messages_max", Value: "1024", Source: "admin", Acts: "live"},
			"conns.max":          {Name: "conns.max", Value: "1000", Acts: "new connections"},
			"dedup.entries_max":  {Name: "dedup.entries_max", Value: "1000", Acts: "restart"},
		}}
	return n
}

// advance counts up to now.
func (n *fakeNode) advance() *fakeSecond {
	for len(n.second) <= int(time.Since(n.born).Seconds()) {
		last := fakeSecond{}
		if len(n.second) > 0 {
			last = n.second[len(n.second)-1]
		}
		n.level = 0.9*n.level + 0.02*n.noise.NormFloat64()
		messages := n.rate * math.Exp(0.05*n.noise.NormFloat64())
		last.delivered += math.Round(messages)
		last.dropped += math.Round(messages * n.drops)
		last.cpu += messages * n.cost(n) * math.Exp(n.level+0.05*n.noise.NormFloat64())
		last.p99 = n.p99 * math.Exp(0.2*n.noise.NormFloat64())
		n.second = append(n.second, last)
	}
	return &n.second[len(n.second)-1]
}

func (n *fakeNode) Addr() string { return n.name + ":7401" }

func (n *fakeNode) Stats(context.Context) (*pushdapi.Stats, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dead != nil {
		return nil, n.dead
	}
	c := n.advance()
	s := &pushdapi.Stats{Node: n.name, Version: "1.0", At: time.Now(), UptimeSeconds: time.Since(n.born).Seconds(), State: "serving", Shadow: n.shadow}
	s.Totals.Delivered, s.DroppedBy = uint64(c.delivered), map[string]uint64{"overflow": uint64(c.dropped)}
	s.Process.CPUUserSeconds = c.cpu
	s.Connections.Total = n.conns
	s.Memory.PSSBytes = 1 << 20
	s.Dropped.S10 = n.drops * n.rate
	return s, nil
}

func (n *fakeNode) Knob(_ context.Context, name string) (*pushdapi.Knob, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dead != nil {
		return nil, n.dead
	}
	k := n.knobs[name]
	if k == nil {
		return nil, &pushdapi.Error{Code: "not_found", Message: "no knob " + name, Status: http.StatusNotFound}
	}
	c := *k
	return &c, nil
}

func (n *fakeNode) SetKnob(_ context.Context, name string, s pushdapi.KnobSet) (*pushdapi.KnobChange, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dead != nil {
		return nil, n.dead
	}
	k := n.knobs[name]
	if s.Value == "bad" || s.Value == n.refuse && !s.DryRun {
		return nil, &pushdapi.Error{Code: "range", Message: name + " " + s.Value + ": want 1% to 100000%", Status: http.StatusUnprocessableEntity}
	}
	value := s.Value
	if name == "gc.percent" && value[len(value)-1] != '%' {
		value += "%" // a node has its own way to write a value
	}
	c := &pushdapi.KnobChange{Name: name, Old: k.Value, New: value}
	if !s.DryRun {
		k.Value = value
		n.sets = append(n.sets, name+"="+value)
	}
	return c, nil
}

// Rec implements Node.
func (n *fakeNode) Rec(_ context.Context, q pushdapi.RecQuery) (io.ReadCloser, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mute {
		return nil, &pushdapi.Error{Code: "off", Message: "the recorder is off", Status: http.StatusConflict}
	}
	n.advance()
	s := &record.Schema{Node: n.name, Run: n.name, EveryMS: 1000}
	for _, name := range rowFields() {
		f := record.Field{Name: name, Kind: record.Counter, Scale: 1e-4}
		switch name {
		case "wait.p50", "wait.p99", "go.sched_p99":
			f.Kind, f.Scale = record.Peak, 1e-9
		case "delivered", "drops":
			f.Scale = 1
		}
		s.Fields = append(s.Fields, f)
	}
	enc := record.NewEncoder(s)
	b, err := enc.Header(nil)
	if err != nil {
		return nil, err
	}
	for i, c := range n.second {
		at := n.born.Add(time.Duration(i) * time.Second)
		if at.Before(q.From) || at.After(q.To) {
			continue
		}
		µs := int64(c.cpu * 1e6)
		b = enc.Record(b, &record.Record{At: at.UnixMilli(), Mono: int64(i) * 1000,
			V: []int64{int64(c.delivered), int64(c.dropped), µs / 2, µs - µs/2, µs / 100, 0, int64(c.p99 * 5e8), int64(c.p99 * 1e9), 1000}})
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// value is what a knob is now.
func (n *fakeNode) value(name string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.knobs[name].Value
}

// change does something to the node, safely.
func (n *fakeNode) change(f func(n *fakeNode)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(n)
}

// fakeProduction is a node with a tap.
type fakeProduction struct {
	*fakeNode
	busy  error
	tap   pushdapi.Tap
	out   *io.PipeWriter
	asked []string // ids of tees that were to be ended
}

func newFakeProduction() *fakeProduction {
	p := &fakeProduction{fakeNode: newFakeNode("gw-1")}
	p.shadow = false
	p.tap = pushdapi.Tap{ID: "3f9a1c02", Active: true, Connections: 50, Asked: 5, Sample: 5}
	return p
}

func (p *fakeProduction) Tee(context.Context, pushdapi.TeeQuery) (*pushdapi.TeeStream, error) {
	if p.busy != nil {
		return nil, p.busy
	}
	in, out := io.Pipe()
	p.mu.Lock()
	p.out, p.tap.Since = out, time.Now()
	id := p.tap.ID
	p.mu.Unlock()
	go out.Write([]byte(teewire.Magic)) // ends when it is read, or the reader is closed
	return &pushdapi.TeeStream{ReadCloser: in, ID: id}, nil
}

func (p *fakeProduction) Tap(context.Context) (*pushdapi.Tap, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tap
	return &t, nil
}

// StopTeeID implements Production.
func (p *fakeProduction) StopTeeID(_ context.Context, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, id)
	if id != p.tap.ID {
		return &pushdapi.Error{Code: "another", Status: http.StatusConflict}
	}
	if p.out == nil {
		return &pushdapi.Error{Code: "not_found", Status: http.StatusNotFound}
	}
	out := p.out
	p.out = nil
	var b teewire.Batch
	b.End(&teewire.End{Reason: "stopped", Detail: "by request"})
	go func() { // ends when it is read, or the reader is closed
		out.Write(b.Seal())
		out.Close()
	}()
	return nil
}

// fakeDriver reads and replays nothing.
type fakeDriver struct {
	mu     sync.Mutex
	counts drive.Counts
	each   func(*drive.Counts) // at each look
	ran    bool
}

func newFakeDriver() *fakeDriver { return &fakeDriver{counts: drive.Counts{Open: 50, Joined: 50}} }

func (d *fakeDriver) Run(ctx context.Context, r *teewire.Reader) error {
	for {
		k, _, err := r.Next()
		if err != nil {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.ran = true
			if errors.Is(err, io.EOF) && d.counts.End.Reason != "" {
				return nil
			}
			return fmt.Errorf("read the tee: %w", err)
		}
		if k == teewire.KindEnd {
			d.mu.Lock()
			d.counts.End = r.End
			d.mu.Unlock()
		}
	}
}

func (d *fakeDriver) Counts() drive.Counts {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.each != nil {
		d.each(&d.counts)
	}
	return d.counts
}

// pair is an experiment between two fakes.
type pair struct {
	t          *testing.T
	production *fakeProduction
	shadow     *fakeNode
	driver     *fakeDriver
	told       []Progress
	o          Options
}

func newPair(t *testing.T) *pair {
	p := &pair{t: t, production: newFakeProduction(), shadow: newFakeNode("gw-shadow"), driver: newFakeDriver()}
	p.shadow.conns = 0
	p.o = Options{Production: p.production, To: Shadow{p.shadow, p.driver}, Query: pushdapi.TeeQuery{Sample: 5},
		Plan: NewPlan(2*time.Minute, 0, 0, 1, false, 1), Set: []Setting{{"gc.percent", "400"}}, Journals: t.TempDir(),
		Tell: func(g Progress) { p.told = append(p.told, g) }}
	return p
}

// stages lists what was told, each once.
func (p *pair) stages() (out []string) {
	for _, g := range p.told {
		if g.Stage != "" && (len(out) == 0 || out[len(out)-1] != g.Stage) {
			out = append(out, g.Stage)
		}
	}
	return out
}

func (p *pair) journals() int {
	all, err := Journals(p.o.Journals)
	if err != nil {
		p.t.Error(err)
	}
	return len(all)
}

// wasSet tells whether a knob of the shadow was ever set to a value.
func (n *fakeNode) wasSet(setting string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.sets, setting)
}

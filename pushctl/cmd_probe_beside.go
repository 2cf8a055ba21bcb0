package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/record"
	"pushfleet/pushctl/probe"
	"pushfleet/pushctl/table"
)

// Fields of the recorder that stand beside a cycle.
const (
	besideWait  = "wait.p99"
	besideSched = "go.sched_p99"
)

// Times of waiting for the recorder, which writes each second at its end.
const (
	besideEvery  = time.Second
	besideWithin = 2 * time.Second // a second's record is not later than that
)

// beside puts what a node says of the same second to cycles, and then shows
// them in the order in which they ended. Without a recorder to ask it shows
// them at once.
type beside struct {
	node *pushdapi.Client // nil for none
	show func(*probe.Cycle)
	why  string // nothing stands beside, "" if something does

	unknown string // why the process was not compared with the probe, "" if it was

	mu      sync.Mutex
	pending []*probe.Cycle
	last    time.Time // of the last record that was read
	told    string    // why the recorder did not answer, of the last time
}

// newBeside asks a node whether it records.
func newBeside(ctx context.Context, node *pushdapi.Client, show func(*probe.Cycle)) *beside {
	b := &beside{node: node, show: show, last: time.Now()}
	if node == nil {
		return b
	}
	s, err := node.RecState(ctx)
	switch {
	case err != nil:
		b.node, b.why = nil, "its recorder does not answer: "+table.Safe(cause(err))
	case !s.On:
		b.node, b.why = nil, "its recorder is off: pushctl knob set recorder.on on"
	case s.Paused != "":
		b.node, b.why = nil, "its recorder has paused: "+table.Safe(s.Paused)
	}
	return b
}

// ended takes a cycle.
func (b *beside) ended(c *probe.Cycle) {
	if b.node == nil {
		b.show(c)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending = append(b.pending, c)
}

// follow reads records until ctx is done.
func (b *beside) follow(ctx context.Context) {
	if b.node == nil {
		return
	}
	tick := time.NewTicker(besideEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			b.read(ctx)
			b.flush(now.Add(-besideWithin))
		}
	}
}

// finish waits for the second of the last cycles, and shows them all.
func (b *beside) finish(ctx context.Context) {
	if b.node == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, besideWithin)
	defer cancel()
	tick := time.NewTicker(besideEvery / 10)
	defer tick.Stop()
	for b.waiting() {
		select {
		case <-ctx.Done():
			b.flush(time.Now())
			return
		case <-tick.C:
			b.read(ctx)
			b.flush(time.Time{})
		}
	}
	b.flush(time.Now())
}

// waiting tells whether a cycle lacks its second.
func (b *beside) waiting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.pending) > 0
}

// read takes the records since the last one.
func (b *beside) read(ctx context.Context) {
	q := pushdapi.RecQuery{Ring: "1s", From: b.last.Add(time.Millisecond), To: time.Now(), Fields: []string{besideWait, besideSched}}
	body, err := b.node.Rec(ctx, q)
	if err == nil {
		err = record.Read(body, func(it record.Item) error {
			b.take(it)
			return nil
		})
		body.Close()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = ""
	if err != nil {
		b.told = cause(err)
	}
}

// take gives a second's figures to the cycles that ended in it.
func (b *beside) take(it record.Item) {
	if it.Record == nil {
		return
	}
	at := time.UnixMilli(it.Record.At)
	if !at.After(b.last) {
		return // a query also gives the record before its span
	}
	b.last = at
	s := secondOf(it)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.pending {
		if ago := at.Sub(c.At); c.Beside == nil && ago >= 0 && ago <= besideWithin {
			c.Beside = s
		}
	}
}

// secondOf reads the two figures.
func secondOf(it record.Item) *probe.Beside {
	s := &probe.Beside{}
	for i := range it.Schema.Fields {
		f := &it.Schema.Fields[i]
		if i >= len(it.Record.V) || it.Record.V[i] == record.Missing {
			continue
		}
		v := f.Shown(float64(it.Record.V[i]))
		switch f.Name {
		case besideWait:
			s.Wait = &v
		case besideSched:
			s.Sched = &v
		}
	}
	return s
}

// flush shows the first cycles that have their second, or ended before a time.
func (b *beside) flush(before time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for n < len(b.pending) && (b.pending[n].Beside != nil || b.pending[n].At.Before(before)) {
		b.show(b.pending[n])
		n++
	}
	b.pending = b.pending[n:]
}

// lines say why nothing stands beside the cycles, and why nothing was compared.
func (b *beside) lines() []string {
	var out []string
	why := b.why
	if why == "" && b.told != "" {
		why = "its recorder stopped to answer: " + table.Safe(b.told)
	}
	if why != "" {
		out = append(out, table.Wrap("no waits beside: "+why, "", table.Columns)...)
	}
	if b.unknown != "" {
		out = append(out, "agrees with the runtime: not known, "+table.Safe(b.unknown))
	}
	return out
}

// said asks a node what its runtime says of the collector.
func said(ctx context.Context, node *pushdapi.Client) (probe.Said, error) {
	s, err := node.Stats(ctx)
	if err != nil {
		return probe.Said{}, err
	}
	return probe.Says(s.Process.GCCycles, s.Process.GCPaused, s.Process.GCLast), nil
}

// agreeLine holds a report against the process's own figures.
func agreeLine(a *probe.Agreement) string {
	switch {
	case a == nil:
		return ""
	case a.Agrees && a.Apart != "":
		return fmt.Sprintf("agrees with the runtime: yes, %s; pauses not compared, as one cycle had begun before", table.Plural(int64(a.Cycles), "cycle"))
	case a.Agrees:
		return fmt.Sprintf("agrees with the runtime: yes, %s with %s of pauses", table.Plural(int64(a.Cycles), "cycle"), table.Seconds(a.Paused))
	}
	line := fmt.Sprintf("agrees with the runtime: no, it counts %s with %s of pauses, the probe %d with %s", table.Plural(int64(a.RuntimeCycles), "cycle"),
		table.Seconds(a.RuntimePaused), a.Cycles, table.Seconds(a.Paused))
	return line
}

// orDash is a time that may be missing.
func orDash(s *float64) string {
	if s == nil {
		return table.Dash
	}
	return table.Seconds(*s)
}

package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/record"
	"pushfleet/pushctl/table"
)

// nothing is n values that are not there.
func nothing(n int) []float64 { return slices.Repeat([]float64{math.NaN()}, n) }

// recDefaults are the fields shown when none are named: what tells most about
// a node, first what it does, then what it waits for, then what it takes.
func recDefaults() []string {
	return []string{"published", "delivered", "received", "drops", "queued", "queued.conns", "oldest", "wait.p99", "write_stalls", "conns", "accepts", "closed",
		"cpu.user", "cpu.system", "cpu.softirq", "cpu.runnable", "stall.cpu", "process.user", "process.system",
		"go.sched_p99", "go.gc_cpu", "go.gc_pause_max", "go.heap", "process.rss", "mem.available",
		"net.rx_bytes", "net.tx_bytes", "tcp.retransmits", "tcp.listen_drops", "disk.busy", "loops.silent", "knobs.revision", "knobs.fleet_revision"}
}

// recShort are those of a screen that shows each over time.
func recShort() []string {
	return []string{"published", "delivered", "drops", "queued", "oldest", "wait.p99", "conns", "cpu.user", "cpu.system", "cpu.softirq", "process.user", "process.system", "go.sched_p99", "go.gc_cpu", "process.rss"}
}

// spanFlags say which records.
func spanFlags(from string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "from", Usage: "begin at `TIME`: " + whenForms, Value: from},
		&cli.StringFlag{Name: "to", Usage: "end at `TIME`", Value: "now"},
		&cli.StringFlag{Name: "fields", Usage: "only `NAME,…`; all for every one (see pushctl rec fields)"},
		&cli.StringFlag{Name: "every", Usage: "records of each `SPAN`: 100ms (bursts only), 1s or 10s; left out, the finest that reaches back so far"},
		fileFlag(),
	}
}

// recSpan is what the flags ask for.
type recSpan struct {
	from, to time.Time
	fields   []string // nil is every one
	every    string   // ring, "" to choose
}

func (o *options) span(c *cli.Context, defaults []string) (recSpan, error) {
	var s recSpan
	var err error
	if s.from, err = parseWhen(c.String("from"), o.now()); err != nil {
		return s, err
	}
	if s.to, err = parseWhen(c.String("to"), o.now()); err != nil {
		return s, err
	}
	if !s.from.Before(s.to) {
		return s, usagef("--from %s is not before --to %s", c.String("from"), c.String("to"))
	}
	switch text := c.String("fields"); text {
	case "":
		s.fields = defaults
	case "all":
	default:
		s.fields = splitList(text)
	}
	switch c.String("every") {
	case "":
	case "100ms", "burst":
		s.every = "burst"
	case "1s", "10s":
		s.every = c.String("every")
	default:
		return s, usagef("--every %s: want 100ms, 1s or 10s", c.String("every"))
	}
	return s, nil
}

// query asks for the span in the resolution that was named, or the finest of
// each second that reaches back so far.
func (s *recSpan) query(ctx context.Context, m memory) (record.Query, error) {
	q := record.Query{Ring: s.every, From: s.from.UnixMilli(), To: s.to.UnixMilli(), Fields: s.fields}
	if q.Ring != "" {
		return q, nil
	}
	var err error
	q.Ring, err = ringFor(ctx, m, s.from)
	return q, err
}

// ringFor chooses the resolution for what began at from.
func ringFor(ctx context.Context, m memory, from time.Time) (string, error) {
	state, err := m.state(ctx)
	if err != nil {
		return "", err
	}
	first := map[string]time.Time{}
	for _, r := range state.Rings {
		first[r.Ring] = r.From
	}
	short, long := first["1s"], first["10s"]
	if !long.IsZero() && (short.IsZero() || from.Before(short) && long.Before(short)) {
		return "10s", nil
	}
	return "1s", nil
}

// series collects the span of each memory, in the order they were named.
func (s *recSpan) series(ctx context.Context, ms []memory, raw bool) (*remembered[*table.RecSeries], error) {
	if err := knownFields(ctx, ms, s.fields); err != nil {
		return nil, err
	}
	r := recall(ctx, ms, func(ctx context.Context, m memory) (*table.RecSeries, error) {
		q, err := s.query(ctx, m)
		if err != nil {
			return nil, err
		}
		got, err := collect(ctx, m, q, raw)
		if err == nil && len(got.At) == 0 {
			err = nothingThen(ctx, m, s.from, s.to)
		}
		return got, err
	})
	if len(r.vals) == 0 {
		return nil, r.err()
	}
	return r, nil
}

// knownFields refuses names that no memory has. Those that one of them has may
// be missing in others, which are older.
func knownFields(ctx context.Context, ms []memory, names []string) error {
	if len(names) == 0 {
		return nil
	}
	var known []string
	for _, m := range ms {
		fields, err := m.fields(ctx)
		if err != nil {
			continue // it is named as silent when it is asked for records
		}
		for _, f := range fields {
			known = append(known, f.Name)
		}
	}
	if len(known) == 0 {
		return nil
	}
	for _, name := range names {
		if slices.Contains(known, name) {
			continue
		}
		if slices.Contains(recDefaults(), name) {
			continue // of a build that does not have it
		}
		if best := closest(name, known); best != "" {
			return usagef("--fields: there is no field %s; did you mean %s?", name, best)
		}
		return usagef("--fields: there is no field %s; pushctl rec fields lists them", name)
	}
	return nil
}

// nothingThen says that a span is empty, and what is there.
func nothingThen(ctx context.Context, m memory, from, to time.Time) error {
	said := "nothing was recorded " + momentText(from, to)
	state, err := m.state(ctx)
	if err != nil {
		return fmt.Errorf("%s (%w)", said, err)
	}
	var have []string
	for _, r := range state.Rings {
		if !r.To.IsZero() {
			have = append(have, fmt.Sprintf("%s from %s to %s", r.Ring, r.From.Local().Format(time.DateTime), r.To.Local().Format(time.DateTime)))
		}
	}
	if len(have) == 0 {
		return &hinted{fmt.Errorf("%s, nor ever", said), "  see why           pushctl rec status"}
	}
	return fmt.Errorf("%s; there are records of %s", said, strings.Join(have, ", "))
}

func momentText(from, to time.Time) string {
	if from.Equal(to) {
		return "at " + from.Local().Format(time.DateTime)
	}
	return "from " + from.Local().Format(time.DateTime) + " to " + to.Local().Format(time.DateTime)
}

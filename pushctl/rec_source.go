package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/record"
	"pushfleet/pushctl/table"
)

// memory is where records are read: a node, or its files.
type memory interface {
	// name is the address or folder, for errors.
	name() string
	// scan calls f for the items of a span, overwritten by the next.
	scan(ctx context.Context, q record.Query, f func(record.Item) error) error
	fields(ctx context.Context) ([]pushdapi.RecField, error)
	state(ctx context.Context) (*pushdapi.RecState, error)
}

// fileFlag reads files instead of nodes.
func fileFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "file", Usage: "read the records in folder `DIR` (STATE_DIR/recorder) instead of asking a node; repeat for several"}
}

// memories are those that a command line names.
func (o *options) memories(c *cli.Context) ([]memory, error) {
	var all []memory
	for _, dir := range c.StringSlice("file") {
		info, err := os.Stat(dir)
		switch {
		case err != nil:
			return nil, fmt.Errorf("--file: %w", err)
		case !info.IsDir():
			return nil, usagef("--file %s: name the folder that the file lies in", dir)
		}
		if sub, err := os.Stat(filepath.Join(dir, "recorder")); err == nil && sub.IsDir() {
			dir = filepath.Join(dir, "recorder") // the state dir itself was named
		}
		all = append(all, fileMemory{dir, os.DirFS(dir)})
	}
	if len(all) > 0 {
		return all, nil
	}
	nodes, err := o.clients(c.Context)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		all = append(all, nodeMemory{n})
	}
	return all, nil
}

// nodeMemory asks a node.
type nodeMemory struct{ *pushdapi.Client }

func (n nodeMemory) name() string { return n.Addr() }

func (n nodeMemory) scan(ctx context.Context, q record.Query, f func(record.Item) error) error {
	body, err := n.Rec(ctx, pushdapi.RecQuery{Ring: q.Ring, From: time.UnixMilli(q.From), To: time.UnixMilli(q.To), Fields: q.Fields})
	if err != nil {
		return err
	}
	defer body.Close()
	return record.Read(body, f)
}

func (n nodeMemory) fields(ctx context.Context) ([]pushdapi.RecField, error) { return n.RecFields(ctx) }

func (n nodeMemory) state(ctx context.Context) (*pushdapi.RecState, error) { return n.RecState(ctx) }

// fileMemory reads the files of a node that may be dead.
type fileMemory struct {
	dir string
	fs.FS
}

func (m fileMemory) name() string { return m.dir }

func (m fileMemory) scan(ctx context.Context, q record.Query, f func(record.Item) error) error {
	return record.Scan(m.FS, q, func(it record.Item) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return f(it)
	})
}

// errFound ends a scan that has what it looked for.
var errFound = errors.New("found")

// fields are those of the latest file.
func (m fileMemory) fields(context.Context) ([]pushdapi.RecField, error) {
	for _, ring := range []string{"1s", "10s", "burst"} {
		segs, err := record.Segments(m.FS, ring)
		if err != nil {
			return nil, err
		}
		for _, s := range slices.Backward(segs) {
			if schema := schemaOf(m.FS, s.Name); schema != nil {
				return recFieldsOf(schema), nil
			}
		}
	}
	return nil, fmt.Errorf("there are no records in %s", m.dir)
}

func schemaOf(fsys fs.FS, name string) (schema *record.Schema) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	_ = record.Read(f, func(it record.Item) error { // an unreadable file has no schema
		schema = it.Schema
		return errFound
	})
	return schema
}

func recFieldsOf(s *record.Schema) (all []pushdapi.RecField) {
	for _, f := range s.Fields {
		all = append(all, pushdapi.RecField{Name: f.Name, Unit: f.Unit, Kind: string(f.Kind), Help: f.Help})
	}
	return all
}

// state is what files can tell.
func (m fileMemory) state(context.Context) (*pushdapi.RecState, error) {
	s := &pushdapi.RecState{Dir: m.dir, Node: "files"}
	for _, ring := range []string{"1s", "10s", "burst"} {
		segs, err := record.Segments(m.FS, ring)
		if err != nil {
			return nil, err
		}
		r := pushdapi.RecRing{Ring: ring}
		for _, seg := range segs {
			r.Bytes += seg.Size
			if schema := schemaOf(m.FS, seg.Name); schema != nil {
				s.Node, s.Fields = schema.Node, len(schema.Fields)
			}
		}
		from, to, err := record.Extent(m.FS, ring)
		if err != nil {
			return nil, err
		}
		if to != 0 {
			r.From, r.To = time.UnixMilli(from), time.UnixMilli(to)
		}
		s.Rings = append(s.Rings, r)
	}
	return s, nil
}

// remembered are what several memories said.
type remembered[T any] struct {
	vals   []T
	silent []silentNode
	asked  int
}

// recall asks all memories at once.
func recall[T any](ctx context.Context, ms []memory, f func(context.Context, memory) (T, error)) *remembered[T] {
	vals, errs := make([]T, len(ms)), make([]error, len(ms))
	var wg sync.WaitGroup
	for i, m := range ms {
		wg.Go(func() { vals[i], errs[i] = f(ctx, m) })
	}
	wg.Wait()
	r := &remembered[T]{asked: len(ms)}
	for i, m := range ms {
		if errs[i] != nil {
			r.silent = append(r.silent, silentNode{m.name(), errs[i]})
			continue
		}
		r.vals = append(r.vals, vals[i])
	}
	return r
}

// err is nil when all answered. An error that is not about reaching a node is
// shown as it is.
func (r *remembered[T]) err() error {
	if len(r.silent) == 0 {
		return nil
	}
	if r.asked == 1 && !isNet(r.silent[0].err) {
		return r.silent[0].err
	}
	return &silentError{asked: r.asked, silent: r.silent}
}

// valuesMax bounds how many values a command holds in memory: a day of each
// second of all fields.
const valuesMax = 30_000_000

// collect reads the series of a span. With raw it keeps the stored numbers too.
func collect(ctx context.Context, m memory, q record.Query, raw bool) (*table.RecSeries, error) {
	c := collector{s: &table.RecSeries{}, raw: raw, from: q.From}
	if err := m.scan(ctx, q, c.item); err != nil {
		return nil, err
	}
	return c.s, nil
}

// collector gathers items into a series.
type collector struct {
	s    *table.RecSeries
	f    record.Figures
	raw  bool
	from int64
	n    int

	schema *record.Schema
	at     []int // where the fields of the series stand in the schema
}

func (c *collector) item(it record.Item) error {
	switch {
	case it.Damage != "":
		c.s.Damage = append(c.s.Damage, it.Damage)
		return nil
	case it.Mark != nil:
		c.s.Marks = append(c.s.Marks, *it.Mark)
		return nil
	}
	if c.schema != it.Schema {
		c.learn(it.Schema)
	}
	last := c.f.At
	c.f.Add(it.Schema, it.Record)
	if c.f.Gap > 0 {
		c.s.Gaps = append(c.s.Gaps, table.RecSpan{From: max(last, c.from), To: it.Record.At})
	}
	if it.Record.At < c.from {
		return nil // only what rates are against
	}
	if c.n += len(c.at); c.n > valuesMax {
		return usagef("that is more than %s values: name --fields, take --every 10s, or a shorter span", table.Count(valuesMax))
	}
	c.s.At = append(c.s.At, it.Record.At)
	for i, at := range c.at {
		c.s.V[i] = append(c.s.V[i], c.f.Value(at))
		if c.raw {
			c.s.Raw[i] = append(c.s.Raw[i], c.f.Raw(at))
		}
	}
	return nil
}

// learn finds the fields of another schema, those of an older or newer build.
// A field that was not there before was missing.
func (c *collector) learn(s *record.Schema) {
	c.schema = s
	c.s.Node, c.s.EveryMS = s.Node, s.EveryMS
	c.at = c.at[:0]
	for i := range c.s.Fields {
		c.at = append(c.at, s.Index(c.s.Fields[i].Name))
	}
	for i, f := range s.Fields {
		if k := c.s.Field(f.Name); k >= 0 {
			if f.Unit != "" || f.Help != "" || f.Kind != record.Gauge { // not of a build that lacks it
				c.s.Fields[k] = f
			}
			continue
		}
		c.s.Fields = append(c.s.Fields, f)
		c.at = append(c.at, i)
		c.s.V = append(c.s.V, nothing(len(c.s.At)))
		if c.raw {
			c.s.Raw = append(c.s.Raw, slices.Repeat([]int64{record.Missing}, len(c.s.At)))
		}
	}
}

package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
)

// errNotExist is here so that the ring need not know where files are.
var errNotExist = fs.ErrNotExist

// Query says which records of a ring are wanted.
type Query struct {
	Ring     string
	From, To int64 // ms since 1970, both included
	// Fields are the names wanted, in this order; none is all.
	Fields []string
}

// Scan calls f for the records and marks of a span, in the order they were
// written, and for one record before them, against which the first one has
// rates. Items are overwritten by the next. Damage and files that went away
// meanwhile are no errors.
func Scan(fsys fs.FS, q Query, f func(Item) error) error {
	files, err := spans(fsys, q.Ring)
	if err != nil {
		return err
	}
	s := scanner{q: q, f: f}
	for i, file := range files {
		if !file.touches(q, files[i+1:]) {
			continue
		}
		if err := s.file(fsys, file.Name); err != nil {
			return err
		}
	}
	return nil
}

// span is a file and the time of its first record.
type span struct {
	Segment
	first int64
}

func spans(fsys fs.FS, ring string) ([]span, error) {
	segs, err := Segments(fsys, ring)
	if err != nil {
		return nil, err
	}
	var all []span
	var buf bytes.Buffer
	for _, s := range segs {
		if at := firstAt(fsys, s.Name, &buf); at != 0 {
			all = append(all, span{s, at})
		}
	}
	return all, nil
}

// touches tells whether a file may hold something of a query. When a file ends
// is known from the next one, unless the clock was set back between them. The
// second is for the record before.
func (s *span) touches(q Query, later []span) bool {
	const slack = 60_000
	if s.first > q.To {
		return false
	}
	return len(later) == 0 || later[0].first >= q.From-slack || later[0].first < s.first
}

// scanner passes on what a query wants.
type scanner struct {
	q    Query
	f    func(Item) error
	dec  *Decoder
	text bytes.Buffer // of a file
	// within is true behind a record of the span: damage there is shown.
	within bool
	lead   struct { // the record before the span
		item Item
		rec  Record
	}
	project projection
}

// file passes on one file.
func (s *scanner) file(fsys fs.FS, name string) error {
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	s.text.Reset()
	if _, err := s.text.ReadFrom(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	head, rest := seek(s.text.Bytes(), s.q.From)
	if s.dec == nil {
		s.dec = NewDecoder(nil)
	}
	s.dec.Reset(io.MultiReader(bytes.NewReader(head), bytes.NewReader(rest)))
	for {
		it, err := s.dec.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := s.pass(it, name); err != nil {
			return err
		}
	}
}

// pass hands on what lies within the span.
func (s *scanner) pass(it Item, name string) error {
	switch {
	case it.Damage != "":
		if !s.within {
			return nil
		}
		it.Damage = name + ": " + it.Damage
	case it.Mark != nil:
		if it.Mark.At < s.q.From || it.Mark.At > s.q.To {
			return nil
		}
	case it.Record.At < s.q.From:
		s.lead.rec.At, s.lead.rec.Mono = it.Record.At, it.Record.Mono
		s.lead.rec.V = append(s.lead.rec.V[:0], it.Record.V...)
		s.lead.item = Item{Schema: it.Schema, Record: &s.lead.rec}
		s.within = false
		return nil
	case it.Record.At > s.q.To:
		s.within = false
		return nil
	default:
		s.within = true
	}
	if lead := s.lead.item; lead.Record != nil && it.Record != nil {
		s.lead.item = Item{}
		if err := s.f(s.project.item(lead, s.q.Fields)); err != nil {
			return err
		}
	}
	return s.f(s.project.item(it, s.q.Fields))
}

// projection leaves the wanted fields of an item.
type projection struct {
	from, to *Schema
	at       []int // where the fields stand in from; -1 is nowhere
	rec      Record
}

func (p *projection) item(it Item, fields []string) Item {
	if len(fields) == 0 || it.Schema == nil {
		return it
	}
	if p.from != it.Schema {
		p.choose(it.Schema, fields)
	}
	it.Schema = p.to
	if it.Record == nil {
		return it
	}
	p.rec = Record{At: it.Record.At, Mono: it.Record.Mono, V: p.rec.V[:0]}
	for _, i := range p.at {
		v := int64(Missing)
		if i >= 0 {
			v = it.Record.V[i]
		}
		p.rec.V = append(p.rec.V, v)
	}
	it.Record = &p.rec
	return it
}

func (p *projection) choose(s *Schema, fields []string) {
	to := *s
	to.Fields = nil
	p.from, p.to, p.at = s, &to, nil
	for _, name := range fields {
		i := s.Index(name)
		f := Field{Name: name, Kind: Gauge}
		if i >= 0 {
			f = s.Fields[i]
		}
		to.Fields = append(to.Fields, f)
		p.at = append(p.at, i)
	}
}

// Copy writes the items of a span as one stream of the form.
func Copy(w io.Writer, fsys fs.FS, q Query) error {
	c := copier{w: w}
	if err := Scan(fsys, q, c.item); err != nil {
		return err
	}
	return c.flush()
}

// copier encodes items again.
type copier struct {
	w      io.Writer
	schema *Schema
	enc    *Encoder
	buf    []byte
}

// copyChunk is how much is written at once, in bytes.
const copyChunk = 64 << 10

func (c *copier) item(it Item) error {
	if it.Schema == nil {
		return nil // damage before any schema
	}
	if c.schema != it.Schema {
		c.schema, c.enc = it.Schema, NewEncoder(it.Schema)
		var err error
		if c.buf, err = c.enc.Header(c.buf); err != nil {
			return err
		}
	}
	switch {
	case it.Record != nil:
		c.buf = c.enc.Record(c.buf, it.Record)
	case it.Mark != nil:
		c.buf = c.enc.Mark(c.buf, it.Mark)
	}
	if len(c.buf) < copyChunk {
		return nil
	}
	return c.flush()
}

func (c *copier) flush() error {
	_, err := c.w.Write(c.buf)
	c.buf = c.buf[:0]
	return err
}

// Read calls f for each item of a stream; they are overwritten by the next.
func Read(r io.Reader, f func(Item) error) error {
	d := NewDecoder(r)
	for {
		it, err := d.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(it); err != nil {
			return err
		}
	}
}

// Extent is the time that a ring spans, ms since 1970; 0, 0 for an empty one.
// The end is that of the last record.
func Extent(fsys fs.FS, ring string) (from, to int64, err error) {
	files, err := spans(fsys, ring)
	if err != nil || len(files) == 0 {
		return 0, 0, err
	}
	from = files[0].first
	s := scanner{q: Query{From: math.MinInt64, To: math.MaxInt64}, f: func(it Item) error {
		if it.Record != nil {
			to = it.Record.At
		}
		return nil
	}}
	err = s.file(fsys, files[len(files)-1].Name)
	return from, max(from, to), err
}

package record

import (
	"encoding/json"
	"fmt"
)

// keyEvery is how many records follow one another before one stands by itself
// again: what damage in a file can cost beside the damaged record.
const keyEvery = 60

// Encoder writes the form. It appends to what it is given and touches no file.
type Encoder struct {
	schema  *Schema
	state   state
	left    int // records until the next key
	payload []byte
}

// NewEncoder returns an encoder of one schema's records.
func NewEncoder(s *Schema) *Encoder { return &Encoder{schema: s} }

// Header appends the schema, with which every file and stream begins. What
// follows stands by itself.
func (e *Encoder) Header(b []byte) ([]byte, error) {
	head := *e.schema
	head.Format = Format
	p, err := json.Marshal(&head)
	if err != nil {
		return b, fmt.Errorf("encode schema: %w", err)
	}
	if len(p) > frameMax {
		return b, fmt.Errorf("the schema of %d fields takes %d bytes, more than %d", len(head.Fields), len(p), frameMax)
	}
	e.Key()
	return appendFrame(b, frameHeader, p), nil
}

// Key makes the next record stand by itself, as after bytes that were lost.
func (e *Encoder) Key() { e.left = 0 }

// Record appends one record; it must have the numbers of the schema.
func (e *Encoder) Record(b []byte, r *Record) []byte {
	kind := byte(frameDelta)
	if e.left == 0 {
		kind, e.left = frameKey, keyEvery
		e.state.reset(len(e.schema.Fields))
	}
	e.left--
	e.payload = e.state.put(e.payload[:0], r)
	return appendFrame(b, kind, e.payload)
}

// markMax bounds the text of a mark, in bytes; what is longer is cut.
const markMax = 1000

// Mark appends a mark.
func (e *Encoder) Mark(b []byte, m *Mark) []byte {
	cut := *m
	if len(cut.Text) > markMax {
		cut.Text = cut.Text[:markMax]
	}
	p, err := json.Marshal(&cut)
	if err != nil { // text and numbers always have a form
		return b
	}
	return appendFrame(b, frameMark, p)
}

package record

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Item is what a file or stream holds next: a record, a mark, or damage.
type Item struct {
	// Schema of what follows; it changes between two items at most.
	Schema *Schema
	// Record is overwritten by the next item; nil for the others.
	Record *Record
	Mark   *Mark
	// Damage says in words that bytes could not be read; reading goes on
	// behind them.
	Damage string
}

// ErrNewer is returned for files of a later build.
var ErrNewer = errors.New("the record is of a newer form than this build knows: read it with the build that wrote it or a later one")

// Decoder reads the form from a stream. It never fails on damaged bytes: it
// tells of them and goes on at the next record that stands by itself.
type Decoder struct {
	r      *bufio.Reader
	schema *Schema
	state  state
	rec    Record
	lost   bool // differences are against a record that was not read
	offset int64
}

// decodeBuffer holds the longest frame.
const decodeBuffer = frameHead + frameMax + frameTail

// NewDecoder reads from r.
func NewDecoder(r io.Reader) *Decoder {
	return &Decoder{r: bufio.NewReaderSize(r, decodeBuffer), lost: true}
}

// Reset reads from another stream, with the same memory.
func (d *Decoder) Reset(r io.Reader) {
	d.r.Reset(r)
	d.schema, d.lost, d.offset = nil, true, 0
}

// Next returns the next item, io.EOF at the end, or the error of the stream.
// A frame that is cut off at the end is damage: the last second of a process
// that was killed.
func (d *Decoder) Next() (Item, error) {
	for {
		kind, payload, size, err := d.peek()
		if errors.Is(err, errFrame) || errors.Is(err, errShort) {
			return d.skip()
		}
		if err != nil {
			return Item{}, err
		}
		it, ok, err := d.item(kind, payload)
		d.discard(size)
		if ok || err != nil {
			return it, err
		}
	}
}

// peek looks at the frame that comes next.
func (d *Decoder) peek() (kind byte, payload []byte, size int, err error) {
	head, err := d.r.Peek(frameHead)
	if len(head) == 0 {
		return 0, nil, 0, endOf(err)
	}
	if _, err := readable(err); err != nil {
		return 0, nil, 0, err
	}
	at, n, err := frameSize(head)
	if err != nil {
		return 0, nil, 0, err
	}
	whole, err := d.r.Peek(at + n + frameTail)
	if _, err := readable(err); err != nil {
		return 0, nil, 0, err
	}
	return cutFrame(whole)
}

// readable tells whether a stream merely ended.
func readable(err error) (ended bool, _ error) {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err != nil, nil
	}
	return false, err
}

func endOf(err error) error {
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}

func (d *Decoder) discard(n int) {
	n, _ = d.r.Discard(n)
	d.offset += int64(n)
}

// skip looks for the next frame that can be read without another: a schema or
// a key. Differences between are of no use.
func (d *Decoder) skip() (Item, error) {
	from := d.offset
	d.lost = true
	for {
		d.discard(1)
		next, err := d.r.Peek(1)
		if len(next) == 0 {
			if ended, err := readable(err); !ended && err != nil {
				return Item{}, err
			}
			break
		}
		if next[0] != frameHeader && next[0] != frameKey {
			continue
		}
		if _, _, _, err := d.peek(); err == nil {
			break
		}
	}
	return Item{Schema: d.schema, Damage: fmt.Sprintf("%d bytes at %d cannot be read", d.offset-from, from)}, nil
}

// item decodes one frame; ok is false for one that shows nothing.
func (d *Decoder) item(kind byte, payload []byte) (it Item, ok bool, err error) {
	switch kind {
	case frameHeader:
		return d.header(payload)
	case frameMark:
		m := &Mark{}
		if json.Unmarshal(payload, m) != nil || d.schema == nil {
			return Item{Schema: d.schema, Damage: fmt.Sprintf("a mark at %d cannot be read", d.offset)}, true, nil
		}
		return Item{Schema: d.schema, Mark: m}, true, nil
	}
	return d.record(kind, payload)
}

// header takes the schema of what follows. Without it nothing can be read up
// to the next one.
func (d *Decoder) header(payload []byte) (Item, bool, error) {
	s := &Schema{}
	d.lost, d.schema = true, nil
	if err := json.Unmarshal(payload, s); err != nil {
		return Item{Damage: fmt.Sprintf("the fields at %d cannot be read", d.offset)}, true, nil
	}
	if s.Format > Format {
		return Item{}, false, ErrNewer
	}
	d.schema = s
	return Item{}, false, nil
}

func (d *Decoder) record(kind byte, payload []byte) (Item, bool, error) {
	if d.schema == nil || d.lost && kind == frameDelta {
		return Item{}, false, nil // told of already
	}
	if kind == frameKey {
		d.state.reset(len(d.schema.Fields))
	}
	if d.state.take(payload) != nil {
		d.lost = true
		return Item{Schema: d.schema, Damage: fmt.Sprintf("a record at %d cannot be read", d.offset)}, true, nil
	}
	d.lost = false
	d.rec = Record{At: d.state.at, Mono: d.state.mono, V: d.state.now}
	return Item{Schema: d.schema, Record: &d.rec}, true, nil
}

package teewire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"pushfleet/internal/push"
)

// Magic begins a stream, before its first batch.
const Magic = "pushtee1"

// ErrFormat is wrapped by all refusals of bytes that are no such stream.
var ErrFormat = errors.New("not a tee stream, or a damaged one")

// formatError is what is wrong with bytes.
type formatError struct {
	what string
	cut  bool // only that there are no more of them
}

func (e *formatError) Error() string { return ErrFormat.Error() + ": " + e.what }

// Unwrap makes it an ErrFormat.
func (e *formatError) Unwrap() error { return ErrFormat }

func bad(format string, args ...any) error {
	return &formatError{what: fmt.Sprintf(format, args...)}
}

// short is of bytes that end too early.
func short(what string) error { return &formatError{what: what, cut: true} }

// Batches is where batches come from, one by one: a stream or files. It
// returns whole ones, head included, valid until the next call, and io.EOF
// behind the last.
type Batches interface {
	NextBatch() ([]byte, error)
}

// Stream reads batches from a connection to a node.
type Stream struct {
	r     *bufio.Reader
	begun bool
	buf   []byte
}

// NewStream reads from r.
func NewStream(r io.Reader) *Stream { return &Stream{r: bufio.NewReaderSize(r, 256<<10)} }

// NextBatch implements Batches. A stream that ends within a batch is
// io.ErrUnexpectedEOF.
func (s *Stream) NextBatch() ([]byte, error) {
	if !s.begun {
		var m [len(Magic)]byte
		if _, err := io.ReadFull(s.r, m[:]); err != nil {
			return nil, err
		}
		if string(m[:]) != Magic {
			return nil, bad("it begins with %q", m[:])
		}
		s.begun = true
	}
	var err error
	s.buf, err = ReadBatch(s.r, s.buf)
	return s.buf, err
}

// ReadBatch reads one batch, head included, into buf, which it may replace.
// io.EOF is an end before its first byte. The sum is not looked at.
func ReadBatch(r io.Reader, buf []byte) ([]byte, error) {
	if cap(buf) < HeadBytes {
		buf = make([]byte, 64<<10)
	}
	buf = buf[:HeadBytes]
	if _, err := io.ReadFull(r, buf); err != nil {
		return buf, err
	}
	n := int(binary.LittleEndian.Uint32(buf))
	if n > BatchMax {
		return buf, bad("a batch of %d bytes; there are at most %d", n, BatchMax)
	}
	if cap(buf) < HeadBytes+n {
		buf = append(make([]byte, 0, HeadBytes+n), buf...)
	}
	buf = buf[:HeadBytes+n]
	if _, err := io.ReadFull(r, buf[HeadBytes:]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return buf, err
	}
	return buf, nil
}

// Reader decodes records. After Next has returned a kind, the field of that
// name holds the record.
type Reader struct {
	Head    Head
	Open    Open
	In      In
	Out     Out
	Publish Publish
	Close   Close
	Torn    Torn
	Count   Count
	End     End
	// Source is the part of the node that wrote the record: within one, times
	// do not run backwards.
	Source uint32

	from Batches
	rest []byte
	left uint32
	base int64
	skip uint32 // bits of kinds that are left out
	d    decoder
}

// NewReader decodes what from holds.
func NewReader(from Batches) *Reader { return &Reader{from: from} }

// Next decodes one record and returns its kind and time. io.EOF is the end
// between two batches; errors that are not from below wrap ErrFormat. Records
// of kinds that this version does not know are left out.
func (r *Reader) Next() (Kind, int64, error) {
	for {
		for r.left == 0 {
			if len(r.rest) > 0 {
				return 0, 0, bad("%d bytes behind the last record of a batch", len(r.rest))
			}
			if err := r.batch(); err != nil {
				return 0, 0, err
			}
		}
		k, at, err := r.record()
		if err != nil || k != 0 {
			return k, at, err
		}
	}
}

func (r *Reader) batch() error {
	b, err := r.from.NextBatch()
	if err != nil {
		return err
	}
	if len(b) < HeadBytes || int(binary.LittleEndian.Uint32(b)) != len(b)-HeadBytes {
		return bad("a batch's length is wrong")
	}
	if crc32.Checksum(b[8:], castagnoli()) != binary.LittleEndian.Uint32(b[4:]) {
		return bad("a batch's sum is wrong")
	}
	r.left = binary.LittleEndian.Uint32(b[8:])
	r.Source = binary.LittleEndian.Uint32(b[12:])
	r.base = int64(binary.LittleEndian.Uint64(b[16:]))
	r.rest = b[HeadBytes:]
	return nil
}

// record decodes one; kind 0 is one that is not known, or to be left out.
func (r *Reader) record() (Kind, int64, error) {
	if len(r.rest) < recordHead {
		return 0, 0, bad("a record is cut off")
	}
	k := Kind(r.rest[0])
	n := int(r.rest[1]) | int(r.rest[2])<<8 | int(r.rest[3])<<16
	if n > len(r.rest)-recordHead {
		return 0, 0, bad("a record of %s is cut off", k)
	}
	d := &r.d
	*d = decoder{b: r.rest[recordHead : recordHead+n]}
	r.rest = r.rest[recordHead+n:]
	r.left--
	at := r.base + d.int()
	if k == 0 || k >= KindLimit || r.skip>>k&1 != 0 {
		return 0, at, nil
	}
	r.decode(k, at, d)
	if d.failed {
		return 0, 0, bad("a record of %s is malformed", k)
	}
	return k, at, nil // what a later version added behind is left out
}

func (r *Reader) decode(k Kind, at int64, d *decoder) {
	switch k {
	case KindHead:
		r.Head = Head{Version: int(d.uint()), Mono: at, Wall: time.Unix(0, d.int()), Sample: d.percent(),
			Redact: Redact(d.byte()), Node: d.text(), Build: d.text()}
		d.failed = d.failed || r.Head.Version < 1 || r.Head.Redact >= redactLimit
	case KindOpen:
		o := &r.Open
		*o = Open{At: at, Conn: d.conn(), Proto: push.Proto(d.byte())}
		f := d.byte()
		o.Resume, o.Joined, o.Blocked = f&1 != 0, f&2 != 0, f&4 != 0
		o.Poll, o.Age, o.RTT, o.Queued = d.time(), d.time(), d.time(), d.uint32()
		o.Users, o.Groups = d.texts(), d.texts()
		d.failed = d.failed || o.Proto >= push.ProtoCount || len(o.Users) == 0
	case KindIn:
		r.In = In{At: at, Conn: d.conn(), Data: d.bytes()}
	case KindOut:
		r.Out = Out{At: at, Conn: d.conn(), Blocked: d.byte()&1 != 0, Frames: d.uint32(), Bytes: d.uint32(), Queued: d.uint32()}
	case KindPublish:
		p := &r.Publish
		*p = Publish{At: at, Class: push.Class(d.byte()), TTL: d.time(), User: d.text(), Group: d.text(), ID: d.text(), Key: d.text(), Data: d.bytes()}
		d.failed = d.failed || p.Class >= push.ClassCount
	case KindClose:
		r.Close = Close{At: at, Conn: d.conn(), Reason: push.CloseReason(d.byte())}
	case KindTorn:
		r.Torn = Torn{At: at, Conn: d.conn(), Why: Drop(d.byte()), User: d.text()}
	case KindCount:
		r.count(at, d)
	case KindEnd:
		r.End = End{At: at, Reason: d.text(), Detail: d.text()}
	}
}

func (r *Reader) count(at int64, d *decoder) {
	c := &r.Count
	*c = Count{At: at, Sample: d.percent(), Torn: d.uint(), Bytes: d.uint()}
	kinds, drops := Kind(d.byte()), Drop(d.byte())
	for k := range kinds {
		seen, sent := d.uint(), d.uint()
		if k < KindLimit {
			c.Seen[k], c.Sent[k] = seen, sent
		}
		for why := range drops {
			if n := d.uint(); k < KindLimit && why < DropLimit {
				c.Dropped[k][why] = n
			}
		}
	}
}

// decoder reads the fields of one record. After the first that is not there
// all are zero and failed is set.
type decoder struct {
	b      []byte
	failed bool
}

func (d *decoder) fail() {
	d.b, d.failed = nil, true
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) uint32() uint32 {
	v := d.uint()
	if v > 1<<32-1 {
		d.fail()
		return 0
	}
	return uint32(v)
}

func (d *decoder) time() time.Duration {
	v := d.uint()
	if v > 1<<63-1 {
		d.fail()
		return 0
	}
	return time.Duration(v)
}

func (d *decoder) percent() float64 { return float64(d.uint()) / percentSteps }

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) conn() uint64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	v := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

func (d *decoder) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) text() string { return string(d.bytes()) }

func (d *decoder) texts() (list []string) {
	n := d.uint()
	if n > NamesMax || n > uint64(len(d.b)) { // each takes a byte at least
		d.fail()
		return nil
	}
	for range n {
		list = append(list, d.text())
	}
	return list
}

package teewire

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"time"
)

// HeadBytes is the size of a batch's head:
//
//	length of the records  u32, little endian as all
//	CRC-32C                u32, of all that follows
//	number of records      u32
//	source                 u32, the part of the node that wrote it
//	base                   i64, ns: times of records count from here
const HeadBytes = 24

// Batch collects the records of one source in one buffer, so that none of them
// costs an allocation. Methods append; the caller bounds Len. Not safe for
// concurrent use. The zero value is ready.
type Batch struct {
	Source uint32

	buf  []byte
	base int64
	n    uint32
}

// Len is the size in bytes so far, with the head if there are records.
func (b *Batch) Len() int { return len(b.buf) }

// Records is how many were appended.
func (b *Batch) Records() int { return int(b.n) }

// Grow makes room for n bytes, so that appending moves nothing.
func (b *Batch) Grow(n int) { b.buf = slices.Grow(b.buf, n) }

// Reset forgets the records and keeps the memory.
func (b *Batch) Reset() { b.buf, b.n = b.buf[:0], 0 }

// Seal fills the head in and returns the batch, nil if there is no record. It
// is valid until the next append or Reset.
func (b *Batch) Seal() []byte {
	if b.n == 0 {
		return nil
	}
	le := binary.LittleEndian
	le.PutUint32(b.buf[0:], uint32(len(b.buf)-HeadBytes))
	le.PutUint32(b.buf[8:], b.n)
	le.PutUint32(b.buf[12:], b.Source)
	le.PutUint64(b.buf[16:], uint64(b.base))
	le.PutUint32(b.buf[4:], crc32.Checksum(b.buf[8:], castagnoli()))
	return b.buf
}

// castagnoli makes its table once; it is the polynomial that processors know.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// begin appends a record's kind, room for its length and its time. The length
// is four bytes: small records waste two, none has to be moved.
func (b *Batch) begin(k Kind, at int64) (start int) {
	if b.n == 0 {
		b.buf = append(b.buf[:0], make([]byte, HeadBytes)...)
		b.base = at
	}
	b.n++
	start = len(b.buf)
	b.buf = append(b.buf, byte(k), 0, 0, 0)
	b.buf = binary.AppendVarint(b.buf, at-b.base)
	return start
}

// end fills the length in. Three bytes hold more than RecordMax.
func (b *Batch) end(start int) {
	n := len(b.buf) - start - recordHead
	b.buf[start+1], b.buf[start+2], b.buf[start+3] = byte(n), byte(n>>8), byte(n>>16)
}

// recordHead is kind and length.
const recordHead = 4

func (b *Batch) uint(v uint64)        { b.buf = binary.AppendUvarint(b.buf, v) }
func (b *Batch) int(v int64)          { b.buf = binary.AppendVarint(b.buf, v) }
func (b *Batch) conn(c uint64)        { b.buf = binary.LittleEndian.AppendUint64(b.buf, c) }
func (b *Batch) byte(v byte)          { b.buf = append(b.buf, v) }
func (b *Batch) time(d time.Duration) { b.uint(uint64(max(0, d))) }

func text[T string | []byte](b *Batch, s T) {
	b.uint(uint64(len(s)))
	b.buf = append(b.buf, s...)
}

func (b *Batch) texts(list []string) {
	b.uint(uint64(len(list)))
	for _, s := range list {
		text(b, s)
	}
}

func flags(set ...bool) (f byte) {
	for i, on := range set {
		if on {
			f |= 1 << i
		}
	}
	return f
}

// Head appends the record that begins a stream.
func (b *Batch) Head(h *Head) {
	at := b.begin(KindHead, h.Mono)
	b.uint(uint64(h.Version))
	b.int(h.Wall.UnixNano())
	b.uint(uint64(h.Sample*percentSteps + 0.5))
	b.byte(byte(h.Redact))
	text(b, h.Node)
	text(b, h.Build)
	b.end(at)
}

// percentSteps is what shares are counted in: hundredths of a percent.
const percentSteps = 100

// Open appends a connection.
func (b *Batch) Open(o *Open) {
	at := b.begin(KindOpen, o.At)
	b.conn(o.Conn)
	b.byte(byte(o.Proto))
	b.byte(flags(o.Resume, o.Joined, o.Blocked))
	b.time(o.Poll)
	b.time(o.Age)
	b.time(o.RTT)
	b.uint(uint64(o.Queued))
	b.texts(o.Users)
	b.texts(o.Groups)
	b.end(at)
}

// In appends a client command.
func (b *Batch) In(at int64, conn uint64, data []byte) {
	start := b.begin(KindIn, at)
	b.conn(conn)
	text(b, data)
	b.end(start)
}

// Out appends a flush.
func (b *Batch) Out(o *Out) {
	at := b.begin(KindOut, o.At)
	b.conn(o.Conn)
	b.byte(flags(o.Blocked))
	b.uint(uint64(o.Frames))
	b.uint(uint64(o.Bytes))
	b.uint(uint64(o.Queued))
	b.end(at)
}

// Message is a Publish whose names are still bytes of the request.
type Message struct {
	At                   int64
	User, Group, ID, Key []byte
	Class                byte
	TTL                  time.Duration
	Data                 []byte
}

// Publish appends a message.
func (b *Batch) Publish(m *Message) {
	at := b.begin(KindPublish, m.At)
	b.byte(m.Class)
	b.time(m.TTL)
	text(b, m.User)
	text(b, m.Group)
	text(b, m.ID)
	text(b, m.Key)
	text(b, m.Data)
	b.end(at)
}

// Close appends the end of a connection.
func (b *Batch) Close(c *Close) {
	at := b.begin(KindClose, c.At)
	b.conn(c.Conn)
	b.byte(byte(c.Reason))
	b.end(at)
}

// Torn appends what has a hole.
func (b *Batch) Torn(t *Torn) {
	at := b.begin(KindTorn, t.At)
	b.conn(t.Conn)
	b.byte(byte(t.Why))
	text(b, t.User)
	b.end(at)
}

// Count appends the books. Readers skip kinds and reasons that they do not
// know, so both are counted.
func (b *Batch) Count(c *Count) {
	at := b.begin(KindCount, c.At)
	b.uint(uint64(c.Sample*percentSteps + 0.5))
	b.uint(c.Torn)
	b.uint(c.Bytes)
	b.byte(byte(KindLimit))
	b.byte(byte(DropLimit))
	for k := range KindLimit {
		b.uint(c.Seen[k])
		b.uint(c.Sent[k])
		for d := range DropLimit {
			b.uint(c.Dropped[k][d])
		}
	}
	b.end(at)
}

// End appends the end of the stream.
func (b *Batch) End(e *End) {
	at := b.begin(KindEnd, e.At)
	text(b, e.Reason)
	text(b, e.Detail)
	b.end(at)
}

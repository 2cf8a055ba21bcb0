package drive

import (
	"bytes"

	"pushfleet/internal/push"
	"pushfleet/internal/teewire"
)

// record is one record on its way from the stream to its time.
type record struct {
	at      int64 // ns of the node's clock
	conn    uint64
	from    int64 // of Torn: time of the record before it
	bytes   uint32
	frames  uint32
	queued  uint32
	kind    teewire.Kind
	blocked bool
	reason  push.CloseReason
	body    any // *teewire.Open, *teewire.Publish, *teewire.Torn, or the data of In
	size    int // bytes that it holds on to
}

// recordBytes is the size of a record without its body.
const recordBytes = 80

// keep makes a record of what r has just read, with a copy of what is only
// valid until the next. Kinds that have no time of their own give none.
func keep(r *teewire.Reader, k teewire.Kind, at int64) record {
	rec := record{at: at, kind: k, size: recordBytes}
	switch k {
	case teewire.KindOpen:
		o := r.Open
		rec.conn, rec.body = o.Conn, &o
		rec.size += 128 + names(o.Users) + names(o.Groups)
	case teewire.KindIn:
		data := bytes.Clone(r.In.Data)
		rec.conn, rec.body = r.In.Conn, data
		rec.size += len(data)
	case teewire.KindOut:
		rec.conn, rec.bytes, rec.frames = r.Out.Conn, r.Out.Bytes, r.Out.Frames
		rec.queued, rec.blocked = r.Out.Queued, r.Out.Blocked
	case teewire.KindPublish:
		p := r.Publish
		p.Data = bytes.Clone(p.Data)
		rec.body = &p
		rec.size += 128 + len(p.User) + len(p.Group) + len(p.ID) + len(p.Key) + len(p.Data)
	case teewire.KindClose:
		rec.conn, rec.reason = r.Close.Conn, r.Close.Reason
	case teewire.KindTorn:
		t := r.Torn
		rec.conn, rec.body = t.Conn, &t
		rec.size += 64 + len(t.User)
	}
	return rec
}

func names(list []string) (n int) {
	for _, s := range list {
		n += 16 + len(s)
	}
	return n
}

// queue puts the records of all sources in order of time. Those of one source
// stay in the order in which they were written.
type queue struct {
	sources map[uint32]*fifo
	heap    []*fifo // those that hold something, the earliest head first
	n       [teewire.KindLimit]uint64
	total   int
	bytes   int
}

// sourcesMax bounds the sources that are told apart; more share one.
const sourcesMax = 1 << 12

// fifo is the records of one source.
type fifo struct {
	items []record
	head  int
	last  int64 // time of the latest record
	any   bool
}

func newQueue() *queue { return &queue{sources: map[uint32]*fifo{}} }

// push appends a record of a source. It reports whether it is now the earliest
// of all.
func (q *queue) push(source uint32, r record) (first bool) {
	f := q.source(source)
	if r.from = r.at; f.any {
		r.from = min(f.last, r.at)
	}
	f.last, f.any = r.at, true
	f.items = append(f.items, r)
	q.n[r.kind]++
	q.total++
	q.bytes += r.size
	if len(f.items)-f.head > 1 {
		return false
	}
	q.heap = append(q.heap, f)
	q.up(len(q.heap) - 1)
	return q.heap[0] == f
}

func (q *queue) source(n uint32) *fifo {
	f := q.sources[n]
	if f == nil {
		if len(q.sources) >= sourcesMax {
			n = 0
		}
		if f = q.sources[n]; f == nil {
			f = &fifo{}
			q.sources[n] = f
		}
	}
	return f
}

// first is the time of the earliest record; false if there is none.
func (q *queue) first() (at int64, ok bool) {
	if len(q.heap) == 0 {
		return 0, false
	}
	return q.heap[0].at(), true
}

// pop takes the earliest record if it is not later than until.
func (q *queue) pop(until int64) (r record, ok bool) {
	if len(q.heap) == 0 || q.heap[0].at() > until {
		return r, false
	}
	f := q.heap[0]
	r = f.take()
	if f.head == len(f.items) {
		last := len(q.heap) - 1
		q.heap[0], q.heap[last] = q.heap[last], nil
		q.heap = q.heap[:last]
	}
	q.down()
	q.n[r.kind]--
	q.total--
	q.bytes -= r.size
	return r, true
}

func (f *fifo) at() int64 { return f.items[f.head].at }

func (f *fifo) take() record {
	r := f.items[f.head]
	f.items[f.head] = record{}
	f.head++
	switch {
	case f.head == len(f.items):
		f.items, f.head = f.items[:0], 0
	case f.head >= 1024 && 2*f.head >= len(f.items):
		n := copy(f.items, f.items[f.head:])
		clear(f.items[n:])
		f.items, f.head = f.items[:n], 0
	}
	return r
}

func (q *queue) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if q.heap[parent].at() <= q.heap[i].at() {
			return
		}
		q.heap[parent], q.heap[i] = q.heap[i], q.heap[parent]
		i = parent
	}
}

func (q *queue) down() {
	for i := 0; ; {
		low := 2*i + 1
		if low >= len(q.heap) {
			return
		}
		if r := low + 1; r < len(q.heap) && q.heap[r].at() < q.heap[low].at() {
			low = r
		}
		if q.heap[i].at() <= q.heap[low].at() {
			return
		}
		q.heap[i], q.heap[low] = q.heap[low], q.heap[i]
		i = low
	}
}

package tap

import (
	"sync"

	"pushfleet/internal/teewire"
)

// Shard is where one loop, or some publishers, leave records. The mutex of a
// loop's shard is free but for the moments in which the flusher takes full
// chunks away.
type Shard struct {
	tap    *Tap
	source uint32

	known uint64 // tee that the loop has adopted; owned by the loop

	mu      sync.Mutex
	run     *run
	cur     *chunk
	full    []*chunk
	last    int64 // time of the last record, ns
	books   books
	torn    []tornConn // not told yet, from head on
	head    int
	users   map[uint64]struct{} // hashes of users that are torn
	names   [][]byte            // of them, not told yet
	all     teewire.Drop        // not told yet: everything is torn
	hide    *hider              // nil: names are kept
	why     teewire.Drop        // of the record that was lost
	msg     teewire.Message     // a local one would escape to the heap
	scratch []byte
	blanks  blanks
	entries uint64
	timed   int64 // the clock at the start of an append that is timed
	likely  int64 // ns that it takes at most
	cpu     int64 // ns, estimated
	joining bool
}

type tornConn struct {
	conn uint64
	why  teewire.Drop
}

// Bounds of what is done on the way, so that no append takes long.
const (
	timeEvery = 64 // of how many appends one is timed
	// An append that took so many ns, and one more for each byte, was
	// interrupted: on a busy machine that would count for much more than all
	// appends together.
	interrupted = 2000
	tellPer     = 32  // torn connections told by an append
	tellFlush   = 128 // by a flush
	tornUsers   = 1024
)

// begin forgets the tee before.
func (s *Shard) begin(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run, s.cur, s.full, s.books, s.cpu = r, nil, nil, books{}, 0
	s.torn, s.head, s.users, s.names, s.all = nil, 0, nil, nil, teewire.DropNone
	s.joining = s.source <= uint32(len(s.tap.loops))
	s.hide = r.key.hider()
}

// verdict on a record.
type verdict uint8

const (
	off  verdict = iota // no tee, or not the one that the loop knows
	lost                // counted as dropped; the mutex is held
	kept                // to be appended; the mutex is held
)

// enter begins an append of about size bytes. Unless it is off, s.mu is held
// when it returns.
func (s *Shard) enter(run uint64, k teewire.Kind, size int) verdict {
	s.mu.Lock()
	r := s.run
	if r == nil || r.number != run || r.over.Load() {
		s.mu.Unlock()
		return off
	}
	if s.entries++; s.entries%timeEvery == 0 {
		s.timed, s.likely = s.tap.Clock(), interrupted+int64(size)
	}
	s.books.seen[k]++
	if s.head < len(s.torn) || len(s.names) > 0 || s.all != teewire.DropNone {
		s.tell(tellPer)
	}
	switch {
	case size > teewire.RecordMax:
		s.why = teewire.DropSize
	case !s.room(size):
		s.why = teewire.DropBuffer
	default:
		s.books.sent[k]++
		return kept
	}
	s.books.dropped[k][s.why]++
	return lost
}

// room makes sure that cur can take size bytes.
func (s *Shard) room(size int) bool {
	p := &s.run.pool
	if s.cur == nil {
		if s.cur = p.take(s.source); s.cur == nil {
			return false
		}
	}
	return size <= recordSmall || p.more(s.cur, size)
}

// at is the time of a record: within a source none is before its predecessor.
func (s *Shard) at(ns int64) int64 {
	s.last = max(s.last, ns)
	return s.last
}

// exit ends an append, and s.mu.
func (s *Shard) exit() {
	s.handOver()
	if s.timed != 0 {
		s.cpu += timeEvery * min(s.likely, max(0, s.tap.Clock()-s.timed-s.tap.reading))
		s.timed = 0
	}
	s.mu.Unlock()
}

// handOver leaves a full chunk to the flusher.
func (s *Shard) handOver() {
	if s.cur == nil || s.cur.Len() < s.run.pool.size {
		return
	}
	s.full = append(s.full, s.cur)
	s.cur = nil
	select {
	case s.tap.wake <- struct{}{}:
	default:
	}
}

// take appends the full chunks to list, and with partial the one that is being
// filled.
func (s *Shard) take(list []*chunk, partial bool) []*chunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	list = append(list, s.full...)
	clear(s.full)
	s.full = s.full[:0]
	if partial {
		s.tell(tellFlush)
		if s.cur != nil && s.cur.Records() > 0 {
			list = append(list, s.cur)
			s.cur = nil
		}
	}
	return list
}

// waiting is the size of what waits to be handed over.
func (s *Shard) waiting() (n int64) {
	for _, c := range s.full {
		n += int64(c.Len())
	}
	if s.cur != nil {
		n += int64(s.cur.Len())
	}
	return n
}

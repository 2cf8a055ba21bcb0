package stats

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"pushfleet/internal/decay"
	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
)

// blockLen is how many entries are scanned before other goroutines may run.
const blockLen = 4096

// Scanner answers top queries and keeps its buffers between them. A scan
// allocates nothing; an answer allocates its rows. Not for concurrent use.
type Scanner struct {
	q    Query
	win  int // index of the window
	now  uint64
	srcs []Source

	rank  ranking
	winOf []uint32         // of the source at hand, when it has none itself
	row   pushdapi.ConnRow // candidate that a filter looks at
	conns int64
	with  int64
}

// Top answers one query with a Scanner of its own. nowMs is ms since the node
// started, the clock of the windows.
func Top(q Query, nowMs uint64, srcs []Source) pushdapi.Top {
	return new(Scanner).Top(q, nowMs, srcs)
}

// Top scans all sources and describes the worst connections. It reads while the
// loops go on writing: nothing is locked, and a connection that ends meanwhile
// is left out.
//
// Connections are chosen by their decayed sums, to within 0.1 %, and shown with
// rates that are corrected for age: else the top would be full of connections
// that are a millisecond old.
func (s *Scanner) Top(q Query, nowMs uint64, srcs []Source) pushdapi.Top {
	begin := time.Now()
	s.scan(q, nowMs, srcs)
	top := pushdapi.Top{
		Node: s.q.Node, At: begin, By: s.q.By.String(), Window: int(decay.Tau(s.win)),
		Connections: s.conns, WithQueue: s.with, Scanned: s.conns,
		Rows: make([]pushdapi.ConnRow, 0, len(s.rank.heap)),
	}
	for _, e := range s.rank.sorted() {
		var row pushdapi.ConnRow
		if s.describe(&e, &row, nil) && rowScore(q.By, &row) > 0 {
			top.Rows = append(top.Rows, row)
		}
	}
	// What is shown was read after the scan and corrected for age.
	slices.SortStableFunc(top.Rows, func(a, b pushdapi.ConnRow) int {
		return cmp.Compare(rowScore(q.By, &b), rowScore(q.By, &a))
	})
	s.srcs = nil
	top.TookSeconds = time.Since(begin).Seconds()
	return top
}

// scan fills the ranking.
func (s *Scanner) scan(q Query, nowMs uint64, srcs []Source) {
	if q.N <= 0 {
		q.N = RowsDefault
	}
	s.q, s.win, s.now, s.srcs = q, decay.Index(q.Window), nowMs, srcs
	s.conns, s.with = 0, 0
	s.rank.reset(min(q.N, RowsMax))
	for i := range srcs {
		cols := srcs[i].Cols
		with := s.count(cols)
		s.with += with
		switch q.By {
		case ByIn, ByOut:
			s.scanRates(uint32(i), cols)
		case ByWait, ByDrain:
			if with > 0 {
				s.linkWindows(cols)
				s.scanEstimates(uint32(i), cols)
			}
		default:
			s.linkWindows(cols)
			s.scanColumn(uint32(i), cols, cols.column(q.By))
		}
	}
}

func (c *Columns) column(by By) []uint32 {
	switch by {
	case ByBytes:
		return c.QBytes
	case ByDrops:
		return c.Drops
	case ByRTT:
		return c.RTT
	}
	return c.Queued
}

// blocks calls f with each block of n entries and lets others run in between.
// Blocks are visited in a scattered order: a broadcast leaves rates that rise
// with the slot, and in that order each would beat the one before.
func blocks(n uint32, f func(from, to uint32)) {
	count := (n + blockLen - 1) / blockLen
	step := scatter(count)
	for i, b := uint32(0), uint32(0); i < count; i++ {
		f(b*blockLen, min((b+1)*blockLen, n))
		if b += step; b >= count {
			b -= count
		}
		runtime.Gosched()
	}
}

// scatter returns a step of about 0.618 n that visits all of n.
func scatter(n uint32) uint32 {
	if n < 3 {
		return 1
	}
	step := uint32(float64(n) * (math.Phi - 1))
	for gcd(step, n) != 1 {
		step++
	}
	return step
}

func gcd(a, b uint32) uint32 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// count counts the connections of a source and returns how many have a queue.
func (s *Scanner) count(c *Columns) (with int64) {
	open := uint32(0)
	blocks(c.Used.Load(), func(from, to uint32) {
		o, w := countBlock(c.Ident[from:to], c.Queued[from:to])
		open += o
		with += int64(w)
	})
	s.conns += int64(open)
	return with
}

// countBlock has no branch that depends on the data and keeps its sums in
// registers: every query pays for it.
func countBlock(ident, queued []uint32) (open, with uint32) {
	queued = queued[:len(ident)]
	for i := range ident {
		open += (atomic.LoadUint32(&ident[i])&0xff + 0xff) >> 8
		q := atomic.LoadUint32(&queued[i])
		with += (q | -q) >> 31
	}
	return open, with
}

// linkWindows makes the way from slot to window known.
func (s *Scanner) linkWindows(c *Columns) {
	if c.WinOf != nil {
		return
	}
	used := c.Used.Load()
	if uint32(cap(s.winOf)) < used {
		s.winOf = make([]uint32, used)
	}
	s.winOf = s.winOf[:used]
	clear(s.winOf)
	blocks(c.WinUsed.Load(), func(from, to uint32) {
		owners := c.Owner[from:to]
		for i := range owners {
			if o := atomic.LoadUint32(&owners[i]); o-1 < used {
				s.winOf[o-1] = from + uint32(i) + 1
			}
		}
	})
}

// window returns window+1 of a slot.
func (s *Scanner) window(c *Columns, slot uint32) uint32 {
	if c.WinOf != nil {
		return atomic.LoadUint32(&c.WinOf[slot])
	}
	if slot < uint32(len(s.winOf)) {
		return s.winOf[slot]
	}
	return 0
}

// scanColumn ranks by a column of numbers as they are; 0 is never worth a row.
func (s *Scanner) scanColumn(src uint32, c *Columns, col []uint32) {
	blocks(c.Used.Load(), func(from, to uint32) {
		for from < to {
			skip, v := above(col[from:to], s.floor32())
			if from += skip; from < to {
				s.offer(entry{score: uint64(v), src: src, slot: from, win: s.window(c, from)})
				from++
			}
		}
	})
}

// above finds the first number above floor; at is len(part) if there is none.
func above(part []uint32, floor uint32) (at, v uint32) {
	for i := range part {
		if v := atomic.LoadUint32(&part[i]); v > floor {
			return uint32(i), v
		}
	}
	return uint32(len(part)), 0
}

func (s *Scanner) floor32() uint32 { return uint32(min(s.rank.threshold(), math.MaxUint32)) }

// scanEstimates ranks the slots with a queue by wait or drain.
func (s *Scanner) scanEstimates(src uint32, c *Columns) {
	messages, size := s.srcs[src].limits()
	blocks(c.Used.Load(), func(from, to uint32) {
		for ; from < to; from++ {
			skip, v := above(c.Queued[from:to], 0)
			if from += skip; from == to {
				return
			}
			e := entry{src: src, slot: from, win: s.window(c, from)}
			if e.win == 0 {
				continue
			}
			limit := QueueLimit(messages, size, v, atomic.LoadUint32(&c.QBytes[from]))
			if e.score = s.estimateScore(c, &e, v, limit); e.score > s.rank.threshold() {
				s.offer(e)
			}
		}
	})
}

func (s *Scanner) estimateScore(c *Columns, e *entry, queued uint32, limit float64) uint64 {
	w := c.Win[e.win-1].Load()
	snap := w.Snapshot(uint32(s.now), s.srcs[e.src].age(e.slot), queued)
	if s.q.By == ByWait {
		return waitScore(snap.Wait(s.win, float64(queued)))
	}
	return drainScore(snap.Drain(s.win, float64(queued), limit), queued)
}

// limits are the bounds of a queue in messages and bytes, 0 for none.
func (src *Source) limits() (messages, size float64) {
	if src.QueueMax != nil {
		messages = float64(src.QueueMax())
	}
	if src.QueueBytes != nil {
		size = float64(src.QueueBytes())
	}
	return messages, size
}

// QueueLimit is the number of messages, of the mean size of those queued, that
// a queue can hold before one of its bounds is reached; 0 without bounds.
func QueueLimit(messages, size float64, queued, bytes uint32) float64 {
	if size == 0 || queued == 0 || bytes == 0 {
		return messages
	}
	bySize := math.Floor(size / (float64(bytes) / float64(queued)))
	if messages == 0 {
		return bySize
	}
	return min(messages, bySize)
}

func (src *Source) age(slot uint32) uint32 {
	if src.Age == nil {
		return decay.AgeUnknown
	}
	return src.Age(slot)
}

// offer takes a candidate that beats the threshold, unless its connection is
// gone or the filter refuses it.
func (s *Scanner) offer(e entry) {
	e.ident = atomic.LoadUint32(&s.srcs[e.src].Cols.Ident[e.slot])
	if !live(e.ident) {
		return
	}
	if s.q.Where != nil {
		s.row = pushdapi.ConnRow{}
		if !s.describe(&e, &s.row, s.q.Where) || !s.q.Where.Match(&s.row) {
			return
		}
	}
	s.rank.push(e)
}

// describe fills row from the columns and the source, or as much of it as a
// filter looks at; false when the connection is gone.
func (s *Scanner) describe(e *entry, row *pushdapi.ConnRow, only *Where) bool {
	src := &s.srcs[e.src]
	c := src.Cols
	h := c.handle(e.slot, e.ident)
	queued := atomic.LoadUint32(&c.Queued[e.slot])
	if only.uses("conn") {
		row.Conn = h.String()
	}
	row.Proto = push.Proto(e.ident >> 8).String()
	row.Queued = int64(queued)
	row.Bytes = int64(atomic.LoadUint32(&c.QBytes[e.slot]))
	row.Drops = uint64(atomic.LoadUint32(&c.Drops[e.slot]))
	row.RTTSeconds = float64(atomic.LoadUint32(&c.RTT[e.slot])) / 1e6
	age := src.age(e.slot)
	if age != decay.AgeUnknown {
		row.AgeSeconds = float64(age) / 1000
	}
	if src.Fill != nil && (only.uses("user") || src.Age == nil) {
		src.Fill(h, row)
		if age == decay.AgeUnknown && row.AgeSeconds > 0 {
			age = uint32(min(row.AgeSeconds*1000, decay.AgeUnknown-1))
		}
	}
	w := decay.Windows{At: uint32(s.now)}
	if e.win != 0 {
		w = c.Win[e.win-1].Load()
		if atomic.LoadUint32(&c.Owner[e.win-1]) != e.slot+1 {
			w = decay.Windows{At: uint32(s.now)} // given back since: it moved nothing for long
		}
	}
	snap := w.Snapshot(uint32(s.now), age, queued)
	row.In, row.Out, row.BytesOut, row.Peak = snap.In[s.win], snap.Out[s.win], snap.Bytes[s.win], snap.Peak[s.win]
	row.Wait = Estimate(snap.Wait(s.win, float64(queued)))
	messages, size := src.limits()
	limit := QueueLimit(messages, size, queued, uint32(row.Bytes))
	row.Drain = Estimate(snap.Drain(s.win, float64(queued), limit))
	return atomic.LoadUint32(&c.Ident[e.slot])>>16 == e.ident>>16
}

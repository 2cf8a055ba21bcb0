package drive

import (
	"time"

	"pushfleet/internal/hist"
	"pushfleet/internal/push"
	"pushfleet/internal/teewire"
)

// why is a reason to leave a record out, as an index.
type why uint8

const (
	notDropped why = iota
	dropTorn
	dropUnknown
	dropRefused
	dropLost
	dropLate
	dropFull
	dropEnded
	whyCount
)

func (w why) String() string {
	return [whyCount]string{"", DropTorn, DropUnknown, DropRefused, DropLost, DropLate, DropFull, DropEnded}[w]
}

// books is what became of all records. Guarded by Driver.mu.
type books struct {
	read     [teewire.KindLimit]uint64
	replayed [teewire.KindLimit]uint64
	dropped  [teewire.KindLimit][whyCount]uint64
	waiting  [teewire.KindLimit]uint64 // replayed, and the shadow has not answered

	open, held, sockets        int64
	joined, torn, failed, lost uint64
	published                  uint64
	ended                      [push.CloseReasonCount]uint64
	late                       hist.Log
	spans                      spans
	tap                        teewire.Count
	end                        teewire.End
}

func (b *books) replay(k teewire.Kind)      { b.replayed[k]++ }
func (b *books) drop(k teewire.Kind, w why) { b.dropped[k][w]++ }

// settle ends the wait of a record; w is notDropped if it went well.
func (b *books) settle(k teewire.Kind, w why) {
	b.waiting[k]--
	if w == notDropped {
		b.replay(k)
	} else {
		b.drop(k, w)
	}
}

// Counts returns the books so far; it may be called at any time.
func (d *Driver) Counts() Counts {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := &d.books
	c := Counts{
		Read: map[string]uint64{}, Replayed: map[string]uint64{}, Pending: map[string]uint64{},
		Dropped: map[string]map[string]uint64{}, EndedThere: map[string]uint64{},
		Open: b.open, Held: b.held, Sockets: b.sockets,
		Joined: b.joined, Torn: b.torn, Failed: b.failed, Lost: b.lost, Published: b.published,
		LateP50: seconds(b.late.Quantile(0.5)), LateP99: seconds(b.late.Quantile(0.99)),
		Excluded: append([]Span(nil), b.spans.list...), Tap: b.tap, End: b.end,
	}
	for k := teewire.KindHead; k < teewire.KindLimit; k++ {
		d.countKind(&c, k)
	}
	for why, n := range b.ended {
		put(c.EndedThere, push.CloseReason(why).String(), n)
	}
	if d.swarm != nil {
		s := d.swarm.Snapshot()
		c.Frames, c.Bytes, c.Gaps = uint64(s.Received), uint64(s.Bytes), uint64(s.Declared)
		c.EndedHere, c.FailedBy = s.ClosedBy, s.FailedBy
	}
	return c
}

func (d *Driver) countKind(c *Counts, k teewire.Kind) {
	b, name := &d.books, k.String()
	put(c.Read, name, b.read[k])
	put(c.Replayed, name, b.replayed[k])
	put(c.Pending, name, b.waiting[k]+d.queue.n[k])
	for w, n := range b.dropped[k] {
		if n > 0 && c.Dropped[name] == nil {
			c.Dropped[name] = map[string]uint64{}
		}
		put(c.Dropped[name], why(w).String(), n)
	}
}

func put(m map[string]uint64, name string, n uint64) {
	if n > 0 {
		m[name] = n
	}
}

func seconds(ns int64) float64 { return float64(ns) / 1e9 }

// spans is a bounded list of times that are excluded.
type spans struct{ list []Span }

// spansMax bounds the list; behind that its last one grows. spanGap is how near
// to each other spans of one reason become one.
const (
	spansMax = 1024
	spanGap  = time.Second
)

func (s *spans) add(from, to time.Time, reason string) {
	if n := len(s.list); n > 0 {
		last := &s.list[n-1]
		if n == spansMax || last.Why == reason && from.Sub(last.To) <= spanGap && last.From.Sub(to) <= spanGap {
			if from.Before(last.From) {
				last.From = from
			}
			if to.After(last.To) {
				last.To = to
			}
			return
		}
	}
	s.list = append(s.list, Span{From: from, To: to, Why: reason})
}

// Sum adds up what was counted by kind or reason.
func Sum(by map[string]uint64) (n uint64) {
	for _, v := range by {
		n += v
	}
	return n
}

// LeftOut is how many records were dropped, for whatever reason.
func (c *Counts) LeftOut() (n uint64) {
	for _, by := range c.Dropped {
		n += Sum(by)
	}
	return n
}

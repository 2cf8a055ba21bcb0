package tap

import (
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
)

// books of a shard, or of all: for each kind seen = sent + the sum of dropped.
type books struct {
	seen, sent   [teewire.KindLimit]uint64
	dropped      [teewire.KindLimit][teewire.DropLimit]uint64
	conns        int64
	joined, torn uint64
}

func (b *books) add(o *books) {
	for k := range b.seen {
		b.seen[k] += o.seen[k]
		b.sent[k] += o.sent[k]
		for d := range b.dropped[k] {
			b.dropped[k][d] += o.dropped[k][d]
		}
	}
	b.conns += o.conns
	b.joined += o.joined
	b.torn += o.torn
}

// both counts a record that is always sent.
func (b *books) both(k teewire.Kind) {
	b.seen[k]++
	b.sent[k]++
}

// sum is what all shards have counted since the tee began.
type sum struct {
	books
	cpu, waiting int64
	joining      bool
}

func (t *Tap) sum() (all sum) {
	for _, s := range t.shards() {
		s.mu.Lock()
		all.books.add(&s.books)
		all.cpu += s.cpu
		all.waiting += s.waiting()
		all.joining = all.joining || s.joining
		s.mu.Unlock()
	}
	return all
}

// Status returns the books of the tee under way, or of the last one.
func (t *Tap) Status() pushdapi.Tap {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status()
}

// status needs t.mu.
func (t *Tap) status() pushdapi.Tap {
	r := t.last
	if r == nil {
		return pushdapi.Tap{}
	}
	all := t.sum()
	all.add(&r.own)
	s := pushdapi.Tap{ID: r.o.ID, Active: !r.over.Load(), Since: r.since, To: r.o.To, Asked: r.o.Sample, Redact: r.o.Redact.String(),
		Joined: all.joined, Torn: all.torn, Bytes: r.bytes.Load(), CPUSeconds: float64(all.cpu+r.cpu.Load()) / 1e9,
		Seen: map[string]uint64{}, Sent: map[string]uint64{}, Dropped: map[string]uint64{}, DroppedBy: map[string]uint64{}}
	if s.Active {
		s.Sample, s.Connections, s.Joining = r.sample(), all.conns, all.joining
		s.BufferBytes, s.CPUPercent = all.waiting, float64(r.percent.Load())/1000
	} else {
		s.EndedAt, s.EndReason, s.EndDetail = t.Wall(r.end.At), r.end.Reason, r.end.Detail
	}
	all.fill(&s)
	return s
}

func (b *books) fill(s *pushdapi.Tap) {
	for k := teewire.KindHead; k < teewire.KindLimit; k++ {
		s.Seen[k.String()], s.Sent[k.String()] = b.seen[k], b.sent[k]
		dropped := uint64(0)
		for _, d := range teewire.Drops() {
			dropped += b.dropped[k][d]
			s.DroppedBy[d.String()] += b.dropped[k][d]
		}
		s.Dropped[k.String()] = dropped
	}
}

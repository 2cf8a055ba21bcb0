package stats

import (
	"sync/atomic"
	"unsafe"

	"pushfleet/internal/decay"
)

// fadedShare is the part of one message's weight below which a rate is not
// worth a row: the last message is 4.6 horizons ago.
const fadedShare = 0.01

// scanRates ranks by a rate. The keys say who may beat the threshold; the
// window has the last word.
func (s *Scanner) scanRates(src uint32, c *Columns) {
	what := decay.QuantityIn
	if s.q.By == ByOut {
		what = decay.QuantityOut
	}
	field := keyField(what, s.win)
	blocks(c.WinUsed.Load(), func(from, to uint32) {
		least := s.leastRate()
		floor := s.leastKey(least)
		for ; from < to; from++ {
			if from += reaching(c.Keys[from:to], field, floor); from == to {
				return
			}
			w := &c.Win[from]
			if w.Bound(what, s.win) <= least { // a stored rate only falls
				continue
			}
			rate := w.Rate(what, s.win, uint32(s.now))
			owner := atomic.LoadUint32(&c.Owner[from])
			if rate <= least || owner == 0 {
				continue
			}
			s.offer(entry{score: floatScore(rate), src: src, slot: owner - 1, win: from + 1})
			least = s.leastRate()
			floor = s.leastKey(least)
		}
	})
}

// reaching finds the first record whose key reaches floor; len(keys) if there
// is none.
func reaching(keys []decay.Keys, field uintptr, floor uint32) uint32 {
	for i := range keys {
		key := atomic.LoadUint32((*uint32)(unsafe.Add(unsafe.Pointer(&keys[i]), field)))
		if decay.AtLeast(key, floor) && key != 0 {
			return uint32(i)
		}
	}
	return uint32(len(keys))
}

// leastRate is the rate that a candidate must exceed.
func (s *Scanner) leastRate() float64 {
	return max(floatOf(s.rank.threshold()), fadedShare/decay.Tau(s.win))
}

// leastKey is the key that a candidate must reach. Over 1 s there are no keys,
// but τ·S grows with τ, so a rate of 1 s is at most 10 times that of 10 s. For
// the others the slack decides ties: a million connections that receive the
// same would otherwise all be read.
func (s *Scanner) leastKey(rate float64) uint32 {
	switch s.win {
	case 0:
		return decay.Floor10(rate/10, s.now) - decay.KeySlack
	case 1:
		return decay.Floor10(rate, s.now) + 1
	}
	return decay.Floor100(rate, s.now) + 1
}

// keyField is the offset in decay.Keys of what a window is ranked with.
func keyField(what decay.Quantity, win int) uintptr {
	var k decay.Keys
	switch {
	case win == 2 && what == decay.QuantityIn:
		return unsafe.Offsetof(k.In100)
	case win == 2:
		return unsafe.Offsetof(k.Out100)
	case what == decay.QuantityIn:
		return unsafe.Offsetof(k.In10)
	}
	return unsafe.Offsetof(k.Out10)
}

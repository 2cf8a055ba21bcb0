package slab

// Slots hands out indexes of a table: the one freed last first, so that the
// pages in use stay few and warm. Index 0 is never handed out and may mean
// none. Not safe for concurrent use.
type Slots struct {
	next []uint32 // off-heap; next[i] is the free slot after i
	free uint32
	high uint32 // first index never handed out
	live uint32
}

// NewSlots uses next, whose length bounds the indexes.
func NewSlots(next []uint32) Slots { return Slots{next: next, high: 1} }

// Take returns a free index; ok is false when all are in use.
func (s *Slots) Take() (i uint32, ok bool) {
	if s.free != 0 {
		i = s.free
		s.free = s.next[i]
	} else {
		if s.high >= uint32(len(s.next)) {
			return 0, false
		}
		i = s.high
		s.high++
	}
	s.live++
	return i, true
}

// Give takes an index back.
func (s *Slots) Give(i uint32) {
	s.next[i] = s.free
	s.free = i
	s.live--
}

// Live is the number of indexes in use; High is one above the highest ever used.
func (s *Slots) Live() uint32 { return s.live }

// High is one above the highest index ever handed out.
func (s *Slots) High() uint32 { return s.high }

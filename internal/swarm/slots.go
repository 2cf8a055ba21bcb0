package swarm

// slotQueue is slots that wait, first in, first out. Whoever leaves costs
// nothing but its share of moving the others up, now and then. The zero value
// is empty.
type slotQueue struct {
	slots []uint32
	head  int // of slots: the first one
}

func (q *slotQueue) empty() bool      { return q.head == len(q.slots) }
func (q *slotQueue) push(slot uint32) { q.slots = append(q.slots, slot) }

// take takes out the one that waits longest, of a queue that is not empty.
func (q *slotQueue) take() (slot uint32) {
	slot = q.slots[q.head]
	if q.head++; 2*q.head >= len(q.slots) { // no more are moved than have left since
		q.slots = q.slots[:copy(q.slots, q.slots[q.head:])]
		q.head = 0
	}
	return slot
}

package session

// wheel holds the rare deadlines of connections: handshakes, polls, goodbyes.
// It is a hashed timing wheel (Varghese and Lauck, 1987) with one slot per
// tick; heartbeats do not use it, they are a sweep over a column. An entry is
// never taken back: when it comes due it is compared with what the connection
// is then.
type wheel struct {
	slots [wheelSize][]entry
	at    uint64
}

const wheelSize = 1024 // ticks; deadlines beyond go round again

type entry struct {
	slot  uint32
	gen   uint16
	kind  uint8
	round uint8
}

// Kinds of deadlines.
const (
	dueHandshake uint8 = iota
	duePoll
	dueClose   // close the socket, goodbye or not
	dueGoodbye // say goodbye (drain)
)

// add makes the entry come due after so many ticks, at least one.
func (w *wheel) add(e entry, ticks uint64) {
	ticks = max(1, ticks)
	e.round = uint8(min(255, (ticks-1)/wheelSize))
	i := (w.at + ticks) % wheelSize
	w.slots[i] = append(w.slots[i], e)
}

// tick advances by one and gives what is due to f. f may add entries.
func (w *wheel) tick(f func(entry)) {
	w.at++
	i := w.at % wheelSize
	due := w.slots[i]
	w.slots[i] = nil
	for _, e := range due {
		if e.round > 0 {
			e.round--
			w.slots[i] = append(w.slots[i], e)
			continue
		}
		f(e)
	}
}

// fifo is a queue of entries.
type fifo struct {
	list []entry
	head int
	n    int
}

func (f *fifo) push(e entry) {
	f.list = append(f.list, e)
	f.n++
}

func (f *fifo) pop() entry {
	e := f.list[f.head]
	f.head++
	f.n--
	if f.head > 1024 && f.head > len(f.list)/2 {
		f.list = append(f.list[:0], f.list[f.head:]...)
		f.head = 0
	}
	return e
}

// trim drops entries from the front that are over.
func (f *fifo) trim(over func(entry) bool) {
	for f.n > 0 && over(f.list[f.head]) {
		f.pop()
	}
}

package slab

import "fmt"

// Ref names a block by its offset in units of 64 bytes. 0 names none.
type Ref uint32

const (
	unit      = 64
	chunkBits = 21
	chunkSize = 1 << chunkBits // also the largest block
	// BlockMax is the largest block in bytes.
	BlockMax = chunkSize
)

// classes are the block sizes: powers of two and the halves between them, so
// that at most a third of a block is wasted.
var classes = makeClasses()

func makeClasses() (sizes []uint32) {
	for s := uint32(unit); s <= chunkSize; s *= 2 {
		sizes = append(sizes, s)
		if half := s + s/2; half%unit == 0 && half < chunkSize {
			sizes = append(sizes, half)
		}
	}
	return sizes
}

func classOf(n int) int {
	lo, hi := 0, len(classes)-1
	for lo < hi {
		mid := (lo + hi) / 2
		if int(classes[mid]) < n {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// chunk is a range of chunkSize bytes cut into blocks of one class. After
// Bonwick's slab allocator (USENIX 1994): a chunk whose blocks are all free
// goes back to the kernel.
type chunk struct {
	class      int
	free       Ref    // first of the list threaded through free blocks
	used       uint32 // blocks handed out
	cut        uint32 // blocks ever cut off
	next, prev int32  // in the class's list of chunks with room; -1 ends it
	listed     bool
}

// Blocks allocates byte blocks of up to BlockMax. It is not safe for
// concurrent use; memory of a block may be used by whoever holds its Ref.
type Blocks struct {
	m      *Mapping
	mem    []byte
	chunks []chunk
	empty  []int32 // chunks given back, for use by any class
	room   []int32 // per class: first chunk with room
	max    int
	used   int64
}

// NewBlocks reserves address space for max bytes.
func NewBlocks(name string, max int64) (*Blocks, error) {
	max = Align(max, chunkSize)
	if max > int64(^uint32(0))*unit {
		return nil, fmt.Errorf("blocks %s: %d bytes is more than references can name", name, max)
	}
	m, err := Map(name, max)
	if err != nil {
		return nil, err
	}
	b := &Blocks{m: m, mem: Slice[byte](m, 0, max), room: make([]int32, len(classes)), max: int(max / chunkSize)}
	for i := range b.room {
		b.room[i] = -1
	}
	return b, nil
}

// Close unmaps all blocks.
func (b *Blocks) Close() error { return b.m.Close() }

// Used is the sum of the sizes of blocks handed out, in bytes.
func (b *Blocks) Used() int64 { return b.used }

// Alloc returns a block of at least n bytes, whose content is undefined.
// ok is false when the reserved space is used up or n exceeds BlockMax.
func (b *Blocks) Alloc(n int) (r Ref, ok bool) {
	if n > BlockMax {
		return 0, false
	}
	c := classOf(n)
	i := b.room[c]
	if i < 0 {
		if i, ok = b.newChunk(c); !ok {
			return 0, false
		}
	}
	ch := &b.chunks[i]
	if ch.free != 0 {
		r = ch.free
		ch.free = *b.link(r)
	} else {
		r = b.cutBlock(i, ch)
	}
	ch.used++
	if ch.free == 0 && b.nextCut(i, ch) >= chunkSize {
		b.unlist(i)
	}
	b.used += int64(classes[c])
	return r, true
}

// first skips offset 0 of the first chunk, which Ref cannot name.
func first(i int32) uint32 {
	if i == 0 {
		return unit
	}
	return 0
}

// nextCut is the end offset, within the chunk, of the next block to cut, minus
// one; at or above chunkSize there is none.
func (b *Blocks) nextCut(i int32, ch *chunk) uint32 {
	return first(i) + (ch.cut+1)*classes[ch.class] - 1
}

func (b *Blocks) cutBlock(i int32, ch *chunk) Ref {
	off := uint64(i)<<chunkBits + uint64(first(i)+ch.cut*classes[ch.class])
	ch.cut++
	return Ref(off / unit)
}

// Free gives a block back.
func (b *Blocks) Free(r Ref) {
	i := int32(uint64(r) * unit >> chunkBits)
	ch := &b.chunks[i]
	*b.link(r) = ch.free
	ch.free = r
	ch.used--
	b.used -= int64(classes[ch.class])
	if !ch.listed {
		b.list(i)
	}
	// One empty chunk per class is kept, so that a class that goes to and fro
	// around zero does not fault its pages in again each time.
	if ch.used == 0 && (b.room[ch.class] != i || ch.next >= 0) {
		b.giveBack(i)
	}
}

// Size returns the usable bytes of a block.
func (b *Blocks) Size(r Ref) int {
	return int(classes[b.chunks[uint64(r)*unit>>chunkBits].class])
}

// Bytes returns n bytes of the block; n must not exceed its size.
func (b *Blocks) Bytes(r Ref, n int) []byte {
	off := uint64(r) * unit
	return b.mem[off : off+uint64(n) : off+uint64(n)]
}

func (b *Blocks) link(r Ref) *Ref {
	return &Slice[Ref](b.m, int64(r)*unit, 1)[0]
}

func (b *Blocks) newChunk(class int) (int32, bool) {
	// The first chunk lacks its first unit, too little for a block as large as a chunk.
	var i int32
	switch {
	case len(b.empty) > 0:
		i = b.empty[len(b.empty)-1]
		b.empty = b.empty[:len(b.empty)-1]
	case len(b.chunks) < b.max:
		i = int32(len(b.chunks))
		b.chunks = append(b.chunks, chunk{})
	default:
		return 0, false
	}
	if i == 0 && classes[class] == chunkSize {
		j, ok := b.newChunk(class)
		b.empty = append(b.empty, 0)
		return j, ok
	}
	b.chunks[i] = chunk{class: class, next: -1, prev: -1}
	b.list(i)
	return i, true
}

func (b *Blocks) giveBack(i int32) {
	b.unlist(i)
	b.empty = append(b.empty, i)
	// On failure the pages merely stay resident until the chunk is used again.
	_ = b.m.Discard(int64(i)<<chunkBits, chunkSize)
}

func (b *Blocks) list(i int32) {
	ch := &b.chunks[i]
	ch.next, ch.prev, ch.listed = b.room[ch.class], -1, true
	if ch.next >= 0 {
		b.chunks[ch.next].prev = i
	}
	b.room[ch.class] = i
}

func (b *Blocks) unlist(i int32) {
	ch := &b.chunks[i]
	if ch.prev >= 0 {
		b.chunks[ch.prev].next = ch.next
	} else {
		b.room[ch.class] = ch.next
	}
	if ch.next >= 0 {
		b.chunks[ch.next].prev = ch.prev
	}
	ch.next, ch.prev, ch.listed = -1, -1, false
}

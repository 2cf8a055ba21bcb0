package slab

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"pushfleet/internal/push"
)

// Meta is the head of a message, 32 bytes before its tail. All but the
// reference count is constant once the message was posted.
type Meta struct {
	At       int64  // publish time, ns of the node's clock
	Deadline uint32 // ms of the node's clock after which it is not sent; 0 none
	Key      uint32 // hash of the coalesce key; 0 none
	Len      uint32 // bytes of the tail
	refs     int32
	Class    push.Class
	_        [7]byte
}

const metaSize = int(unsafe.Sizeof(Meta{}))

// TailMax is the largest tail of a message in bytes.
const TailMax = BlockMax - metaSize

// Messages holds reference-counted messages, encoded once and shared by every
// queue that holds them. Safe for concurrent use: a tail is written by whoever
// made the message and read by all once it is posted.
type Messages struct {
	max  func() int64
	used atomic.Int64

	mu     sync.Mutex
	blocks *Blocks
}

// NewMessages reserves address space for limit bytes; max says how many of
// them may be in use now (a knob).
func NewMessages(limit int64, max func() int64) (*Messages, error) {
	b, err := NewBlocks("messages", limit)
	if err != nil {
		return nil, err
	}
	return &Messages{max: max, blocks: b}, nil
}

// New makes a message with one reference, which is the caller's, and returns
// its tail for the caller to fill. ok is false when the memory budget is used
// up.
func (m *Messages) New(tailLen int, meta Meta) (r Ref, tail []byte, ok bool) {
	if m.used.Load() >= m.max() {
		return 0, nil, false
	}
	m.mu.Lock()
	r, ok = m.blocks.Alloc(metaSize + tailLen)
	m.used.Store(m.blocks.Used())
	m.mu.Unlock()
	if !ok {
		return 0, nil, false
	}
	meta.refs, meta.Len = 1, uint32(tailLen)
	*m.Meta(r) = meta
	return r, m.Tail(r), true
}

// Meta returns the head of a message.
func (m *Messages) Meta(r Ref) *Meta {
	return (*Meta)(unsafe.Pointer(&m.blocks.mem[uint64(r)*unit]))
}

// Tail returns the part of the frame that all connections share.
func (m *Messages) Tail(r Ref) []byte {
	off := uint64(r)*unit + uint64(metaSize)
	end := off + uint64(m.Meta(r).Len)
	return m.blocks.mem[off:end:end]
}

// Retain adds n references.
func (m *Messages) Retain(r Ref, n int32) { atomic.AddInt32(&m.Meta(r).refs, n) }

// Release gives up one reference.
func (m *Messages) Release(r Ref) {
	if m.drop(r) {
		m.mu.Lock()
		m.blocks.Free(r)
		m.used.Store(m.blocks.Used())
		m.mu.Unlock()
	}
}

func (m *Messages) drop(r Ref) bool {
	n := atomic.AddInt32(&m.Meta(r).refs, -1)
	if n < 0 {
		panic("slab: message released more often than held")
	}
	return n == 0
}

// Bytes is the memory that messages use now.
func (m *Messages) Bytes() int64 { return m.used.Load() }

// Max is the budget in force.
func (m *Messages) Max() int64 { return m.max() }

// Close unmaps all messages.
func (m *Messages) Close() error { return m.blocks.Close() }

// Bin collects the last references that one loop gives up, so that the lock
// is taken once per turn and not once per message. Not safe for concurrent use.
type Bin struct {
	m    *Messages
	refs []Ref
}

// NewBin makes a Bin of the given capacity.
func (m *Messages) NewBin(n int) *Bin { return &Bin{m: m, refs: make([]Ref, 0, n)} }

// Release gives up one reference; memory may be freed only at Flush.
func (b *Bin) Release(r Ref) {
	if !b.m.drop(r) {
		return
	}
	b.refs = append(b.refs, r)
	if len(b.refs) == cap(b.refs) {
		b.Flush()
	}
}

// Flush frees what was collected.
func (b *Bin) Flush() {
	if len(b.refs) == 0 {
		return
	}
	b.m.mu.Lock()
	for _, r := range b.refs {
		b.m.blocks.Free(r)
	}
	b.m.used.Store(b.m.blocks.Used())
	b.m.mu.Unlock()
	b.refs = b.refs[:0]
}

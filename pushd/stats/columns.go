// Package stats holds what is known of all connections at once: dense columns
// that a query scans without stopping a loop, totals, connections that are
// gone, and why one is slow. Room of ARCHITECTURE.md: imports internal/push,
// internal/decay, internal/hist, internal/pushdapi.
package stats

import (
	"sync/atomic"

	"pushfleet/internal/decay"
	"pushfleet/internal/push"
)

// Columns are one loop's connections by column, over memory of the loop's
// choice, usually outside the Go heap. The first group is indexed by slot, the
// second by window: a connection gets a window on its first message. Only the
// owning loop writes, through the Set methods; anyone reads with atomic loads.
// Entries of one row need not be from one instant.
//
// 20 bytes per connection and 84 per window, 88 with WinOf.
type Columns struct {
	// Static after construction.
	Loop int
	Node push.NodeID

	Used    atomic.Uint32 // slots below it have been in use: where a scan ends
	WinUsed atomic.Uint32 // the same for windows

	Ident  []uint32 // gen<<16 | proto<<8 | state; state 0 is a free slot
	Queued []uint32 // messages queued; 0 in a free slot
	QBytes []uint32 // bytes queued; 0 in a free slot
	Drops  []uint32 // messages dropped since it opened
	RTT    []uint32 // smoothed round-trip time in µs, 0 if not sampled

	Win   []decay.Windows
	Keys  []decay.Keys
	Owner []uint32 // slot+1 of the window, 0 free
	// WinOf is the way back, window+1 of the slot, 0 none. It may be nil; then
	// each query that is not by rate rebuilds it, some 3 ms per million.
	WinOf []uint32
}

// Ident packs the parts of the Ident column.
func Ident(gen uint16, p push.Proto, state uint8) uint32 {
	return uint32(gen)<<16 | uint32(p)<<8 | uint32(state)
}

// SetIdent says who is in a slot; see Ident.
func (c *Columns) SetIdent(slot, ident uint32) { atomic.StoreUint32(&c.Ident[slot], ident) }

// SetQueued stores the queue's length in messages and bytes.
func (c *Columns) SetQueued(slot, messages, bytes uint32) {
	atomic.StoreUint32(&c.Queued[slot], messages)
	atomic.StoreUint32(&c.QBytes[slot], bytes)
}

// SetDrops stores the number of messages dropped.
func (c *Columns) SetDrops(slot, n uint32) { atomic.StoreUint32(&c.Drops[slot], n) }

// AddDrops adds to the number of messages dropped.
func (c *Columns) AddDrops(slot, n uint32) { atomic.AddUint32(&c.Drops[slot], n) }

// SetRTT stores the smoothed round-trip time in µs.
func (c *Columns) SetRTT(slot, us uint32) { atomic.StoreUint32(&c.RTT[slot], us) }

// SetOwner gives a window to the connection in slot owner-1, or frees it with
// owner 0. Free it before its slot is given to another connection.
func (c *Columns) SetOwner(win, owner uint32) {
	if c.WinOf != nil {
		if owner != 0 {
			atomic.StoreUint32(&c.WinOf[owner-1], win+1)
		} else if old := c.Owner[win]; old != 0 {
			atomic.StoreUint32(&c.WinOf[old-1], 0)
		}
	}
	atomic.StoreUint32(&c.Owner[win], owner)
}

// SetKeys stores the keys of a window after an update. These are plain stores,
// as are those of decay.Windows.Add: an atomic one costs 5 ns on amd64, and Go
// never tears a word. Only a build with the race detector, which would object
// to columns in heap memory, pays for atomics.
func (c *Columns) SetKeys(win uint32, k decay.Keys) {
	if raceBuild {
		setKeysAtomic(&c.Keys[win], k)
		return
	}
	c.Keys[win] = k
}

func setKeysAtomic(to *decay.Keys, k decay.Keys) {
	atomic.StoreUint32(&to.In10, k.In10)
	atomic.StoreUint32(&to.Out10, k.Out10)
	atomic.StoreUint32(&to.In100, k.In100)
	atomic.StoreUint32(&to.Out100, k.Out100)
}

// ClearSlot empties a slot's columns when its connection is gone. Its window is
// freed with SetOwner.
func (c *Columns) ClearSlot(slot uint32) {
	c.SetIdent(slot, 0)
	c.SetQueued(slot, 0, 0)
	c.SetDrops(slot, 0)
	c.SetRTT(slot, 0)
}

// handle names the connection in a slot.
func (c *Columns) handle(slot, ident uint32) push.Handle {
	return push.MakeHandle(c.Node, uint8(c.Loop), slot, uint16(ident>>16))
}

func live(ident uint32) bool { return ident&0xff != 0 }

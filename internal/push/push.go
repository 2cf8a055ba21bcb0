// Package push is the vocabulary of pushfleet: the names that every room uses
// for users, connections, messages and the reasons why something ended. It has
// no behaviour beyond printing and parsing those names and imports nothing of
// the project.
package push

import (
	"fmt"
	"strconv"
	"strings"
)

// NodeID numbers a gateway node within a fleet. A standalone node is 0.
type NodeID uint16

// Limits of names, in bytes. They are part of the protocol, hence no knobs.
const (
	UserIDMax  = 255
	GroupIDMax = 255
	IDMax      = 255
)

// Handle names one connection: node (16 bits), loop (8), slot (24),
// generation (16). The generation grows each time a slot is used again, so an
// old handle never reaches a new connection until it has wrapped after 65,536
// uses of that one slot. The zero Handle names nothing (generations start at 1).
type Handle uint64

// Bounds of the parts of a Handle.
const (
	LoopMax = 1<<8 - 1
	SlotMax = 1<<24 - 1
)

// MakeHandle packs the parts; each must be within its bound.
func MakeHandle(node NodeID, loop uint8, slot uint32, gen uint16) Handle {
	return Handle(node)<<48 | Handle(loop)<<40 | Handle(slot&SlotMax)<<16 | Handle(gen)
}

// Node returns the node that holds the connection.
func (h Handle) Node() NodeID { return NodeID(h >> 48) }

// Loop returns the loop that owns the connection.
func (h Handle) Loop() int { return int(h >> 40 & LoopMax) }

// Slot returns the index of the connection's record in its loop's slab.
func (h Handle) Slot() uint32 { return uint32(h >> 16 & SlotMax) }

// Gen returns the generation of the slot.
func (h Handle) Gen() uint16 { return uint16(h) }

// String prints "loop.slot.generation" with the slot in hex, as in 3.1f20.2;
// a node other than 0 is put before it, as in 7:3.1f20.2.
func (h Handle) String() string {
	s := fmt.Sprintf("%d.%x.%d", h.Loop(), h.Slot(), h.Gen())
	if h.Node() != 0 {
		s = strconv.Itoa(int(h.Node())) + ":" + s
	}
	return s
}

// ParseHandle reads what String prints.
func ParseHandle(s string) (Handle, error) {
	node, rest := "0", s
	if i := strings.IndexByte(s, ':'); i >= 0 {
		node, rest = s[:i], s[i+1:]
	}
	p := strings.Split(rest, ".")
	if len(p) != 3 {
		return 0, fmt.Errorf("connection %q: want LOOP.SLOT.GENERATION as printed by pushctl top, for example 3.1f20.2", s)
	}
	var v [4]uint64
	for i, f := range []struct {
		text       string
		base, bits int
	}{{node, 10, 16}, {p[0], 10, 8}, {p[1], 16, 24}, {p[2], 10, 16}} {
		n, err := strconv.ParseUint(f.text, f.base, f.bits)
		if err != nil {
			return 0, fmt.Errorf("connection %q: %q is no part of one; want LOOP.SLOT.GENERATION as printed by pushctl top, for example 3.1f20.2", s, f.text)
		}
		v[i] = n
	}
	return MakeHandle(NodeID(v[0]), uint8(v[1]), uint32(v[2]), uint16(v[3])), nil
}

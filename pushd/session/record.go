package session

import (
	"net/netip"

	"pushfleet/internal/push"
	"pushfleet/pushd/queue"
	"pushfleet/pushd/router"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/wire/ws"
)

// State is where a connection stands.
type State uint8

// The states, in the order a connection goes through them.
const (
	StateFree      State = iota
	StateProxy           // waiting for a PROXY header
	StateHandshake       // waiting for a request
	StateOpen            // receiving messages
	StateClosing         // goodbye said or due; nothing new is offered
)

var stateNames = [...]string{"free", "proxy", "handshake", "open", "closing"}

func (s State) String() string { return stateNames[s] }

type flag uint16

const (
	flagBlocked  flag = 1 << iota // the socket takes no more; EPOLLOUT will tell
	flagDirty                     // in Table.dirty
	flagResume                    // frames carry positions
	flagTraced                    // somebody watches this user
	flagShut                      // our side of the socket is shut
	flagClosed                    // the close frame is written or queued: nothing may follow
	flagKeep                      // poll: the connection may ask again, or waits to do so
	flagAnswer                    // poll: end the response with this flush
	flagPeer6                     // peer address is in a block
	flagReadMore                  // input left for the next turn
	flagExpires                   // expires is set
	flagDead                      // the socket is lost: closed at the end of the turn
	flagHeld                      // in Table.held: what is queued waits for more
	flagSampled                   // mirrored by a tee
	flagTorn                      // was, and has a hole
)

// Conn is everything a connection is, 144 bytes without pointers. Only the
// owning loop writes it. Statistics columns hold the rest: backlog, drops,
// round-trip time, last sign of life (24 bytes), and windows once it had a
// message (84 bytes).
type Conn struct {
	fd     int32
	gen    uint16
	flags  flag
	state  State
	proto  push.Proto
	why    push.CloseReason // when closing
	beats  uint8            // pings unanswered
	queue  queue.Q
	ws     ws.Decoder
	users  router.Link
	groups router.GLink
	in     slab.Ref // input not decodable yet
	msg    slab.Ref // client message under way
	ctl    slab.Ref // control frames that wait
	inLen  uint16
	ctlLen uint16
	ctlOff uint16
	port   uint16
	msgLen uint32

	opened    uint32 // ms clock
	expires   uint32 // s of the clock, when the token ends
	readAt    uint32 // ms clock of the last read-rate refill
	readLeft  uint16 // messages the client may send now
	_         uint16
	peer      [4]byte // IPv4, or a slab.Ref to 16 bytes
	delivered uint32
	received  uint32
	bytesOut  uint64
	pos       uint32 // position of the message offered last, with flagResume
}

func (c *Conn) is(f flag) bool { return c.flags&f != 0 }
func (c *Conn) set(f flag)     { c.flags |= f }
func (c *Conn) clear(f flag)   { c.flags &^= f }

func (t *Table) setPeer(c *Conn, a netip.AddrPort) {
	c.port = a.Port()
	ip := a.Addr().Unmap()
	if ip.Is4() {
		c.peer = ip.As4()
		return
	}
	if r, ok := t.buffers.Alloc(16); ok && ip.IsValid() {
		b := ip.As16()
		copy(t.buffers.Bytes(r, 16), b[:])
		c.peer = [4]byte{byte(r), byte(r >> 8), byte(r >> 16), byte(r >> 24)}
		c.set(flagPeer6)
	}
}

func (c *Conn) peerRef() slab.Ref {
	return slab.Ref(c.peer[0]) | slab.Ref(c.peer[1])<<8 | slab.Ref(c.peer[2])<<16 | slab.Ref(c.peer[3])<<24
}

func (t *Table) peerOf(c *Conn) netip.AddrPort {
	if c.is(flagPeer6) {
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(t.buffers.Bytes(c.peerRef(), 16))), c.port)
	}
	return netip.AddrPortFrom(netip.AddrFrom4(c.peer), c.port)
}

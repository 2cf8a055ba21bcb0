package swarm

import "pushfleet/internal/push"

// recordBytesMax is the budget of one record; a test holds the type to it.
const recordBytesMax = 96

// record is one connection. It holds no pointer, so that the garbage collector
// never looks at a million of them.
type record struct {
	fd    int32
	since int64 // ns, when the attempt under way began

	// Numbering, of the session and (pos) across sessions.
	window   uint64 // bit k: seq-k has been seen
	seq      uint32 // highest seen
	pos      uint32 // highest position of the user's messages
	missing  uint32 // numbers jumped over and not seen since
	declared uint32 // of them, announced by gap frames

	// Parser: where the next byte belongs.
	remain uint64 // bytes left of the payload or chunk
	part   uint32 // 1 + index of the borrowed buffer with the begin of a message; 0 none
	out    uint32 // 1 + index of the borrowed buffer with bytes not yet written; 0 none
	hdr    [10]byte
	hlen   uint8
	op     uint8 // of the WebSocket frame under way
	parse  parseState

	gen     uint16 // grows with each attempt
	epoch   uint16 // worker's count of epochs when pos was seen
	state   connState
	proto   push.Proto
	profile Profile
	tries   uint8 // failed attempts in a row
	flags   connFlags
	credit  uint32 // bytes that may be read while flagHeld
}

// reading tells that a connection reads what comes.
func (c *record) reading() bool {
	return c.flags&flagNoRead == 0 && (c.flags&flagHeld == 0 || c.credit > 0)
}

type connState uint8

const (
	connIdle    connState = iota // not dialled yet, or waiting to be dialled again
	connDialing                  // TCP handshake under way
	connAsking                   // request sent, response head not complete
	connOpen
	connEnded // given up, or closed for good
)

type connFlags uint8

const (
	flagSettled   connFlags = 1 << iota // counted in Swarm.pending
	flagNoRead                          // the profile reads on timers, or not at all
	flagBye                             // the server closes after this response
	flagReplayGap                       // positions before this session are lost, announced
	flagHeld                            // reads credit bytes only
	flagQueued                          // has a place in worker.dials, which may be void
)

type parseState uint8

const (
	parseHead       parseState = iota // HTTP response head
	parseFrame                        // WebSocket frame header
	parsePayload                      // WebSocket payload
	parseChunkSize                    // hex digits
	parseChunkExt                     // the rest of the size line
	parseChunkData                    // body bytes
	parseChunkEnd                     // CR LF behind the data
	parseTrailer                      // behind the last chunk, at the begin of a line
	parseTrailerRow                   // within a line of the trailer
)

// reset forgets the session but not the connection's place and history.
func (c *record) reset() {
	c.window, c.seq = 0, 0
	c.missing, c.declared = 0, 0
	c.remain, c.hlen, c.parse = 0, 0, parseHead
	c.flags &= flagSettled
	c.credit = 0
}

package probe

import "net/netip"

// NetOptions are those of a probe of TCP. The socket of a connection is looked
// at every Interval, or every second if that is 0, and once at the end.
type NetOptions struct {
	Options
	// Peers limits the probe to the connections with these other ends, at most
	// NetPeersMax, and then reports them also when they are well; nil for all
	// connections of the process, of which only those are reported that
	// something is wrong with.
	Peers []netip.AddrPort
	Look  func(*NetReport) // told what was seen so far, every Interval; may be nil
}

// NetPeersMax bounds NetOptions.Peers.
const NetPeersMax = 1024

// NetConnsMax is how many connections a report keeps: the worst.
const NetConnsMax = 4096

// NetReport is what a probe of TCP saw of one process.
type NetReport struct {
	Run
	Listeners   []Listener   `json:"listeners"`   // most drops first
	Connections []NetConn    `json:"connections"` // the worst first, at most NetConnsMax
	Peers       []NetPeer    `json:"peers"`       // most retransmits first
	Totals      NetTotals    `json:"totals"`
	Findings    []NetFinding `json:"findings"` // what is wrong, the first thing first; none if all is well
}

// NetFinding is one thing that is wrong.
type NetFinding struct {
	Cause NetCause `json:"cause"`
	What  string   `json:"what"` // in a sentence
	Do    []string `json:"do"`   // about it, most useful first
}

// NetCause is who keeps data from getting out.
type NetCause string

// The causes.
const (
	NetListener NetCause = "listener" // connections are turned away
	NetWindow   NetCause = "window"   // clients do not read fast enough
	NetLoss     NetCause = "loss"     // the network loses
	NetUnread   NetCause = "unread"   // the process itself does not read
)

// NetTotals add up all connections of the process.
type NetTotals struct {
	Open        int    `json:"open"`          // connections at the last look
	Unwell      int    `json:"unwell"`        // of these: held back, sent again, or left unread since the probe began
	Stalled     int    `json:"stalled"`       // of these: data waits now that the peer's window does not let go
	Limited     int    `json:"limited"`       // listed ones whose peer held them back for WindowLimitedMin of the time or more
	Unsent      uint64 `json:"unsent_bytes"`  // at the last look, written by the process and still in the kernel
	Unacked     uint64 `json:"unacked_bytes"` // at the last look
	Segments    uint64 `json:"segments"`      // with data, sent during the run by connections open at the last look
	Retransmits uint64 `json:"retransmits"`   // segments sent again during the run, by all connections
	Resets      uint64 `json:"resets"`        // received during the run
	Drops       uint64 `json:"listen_drops"`  // during the run, by all listeners
	NotListed   int    `json:"not_listed"`    // unwell ones beyond NetConnsMax
}

// Listener is one address that a process listens at. With SO_REUSEPORT it has
// a socket for each loop.
type Listener struct {
	Local      netip.AddrPort `json:"local"`
	Sockets    int            `json:"sockets"`
	Backlog    uint32         `json:"backlog"`     // connections that wait to be accepted, at the end
	Peak       uint32         `json:"peak"`        // the most that a look saw waiting at one socket
	BacklogMax uint32         `json:"backlog_max"` // that may wait at one socket
	Drops      uint64         `json:"drops"`       // connections turned away during the run: at most what all of this network turned away
	Dropped    uint64         `json:"dropped"`     // packets dropped at the sockets, also those of connections that broke off
	Parts      []ListenSocket `json:"parts"`       // the sockets, most drops first
}

// ListenSocket is one socket of a listener.
type ListenSocket struct {
	Inode   uint64 `json:"inode"`
	Backlog uint32 `json:"backlog"`
	Peak    uint32 `json:"peak"`
	Dropped uint64 `json:"dropped"`
}

// NetPeer is the events of all connections with one address.
type NetPeer struct {
	Addr        netip.Addr `json:"addr"`
	Retransmits uint64     `json:"retransmits"`
	Resets      uint64     `json:"resets"` // received
}

// NetConn is one TCP connection: how it stood at the last look, and what
// happened since the probe began or, if it is younger, since it was opened.
type NetConn struct {
	Local netip.AddrPort `json:"local"`
	Peer  netip.AddrPort `json:"peer"`
	Inode uint64         `json:"inode"` // of the socket, as in /proc/PID/fd
	Open  bool           `json:"open"`  // at the end; a closed one stands as it was last seen
	// Conn and User are what a node calls it, where somebody asked it.
	Conn string `json:"conn,omitempty"`
	User string `json:"user,omitempty"`

	Unsent  uint32  `json:"unsent_bytes"`  // written by the process, not sent yet
	Unacked uint32  `json:"unacked_bytes"` // sent, not acknowledged
	Unread  uint32  `json:"unread_bytes"`  // received, not read by the process
	Window  uint32  `json:"window_bytes"`  // that the peer allows beyond what it acknowledged
	Cwnd    uint32  `json:"cwnd_segments"` // that the network is believed to carry
	MSS     uint32  `json:"mss_bytes"`
	Probes  uint8   `json:"probes"`      // to a closed window, without an answer yet
	RTT     float64 `json:"rtt_seconds"` // smoothed; 0 if nothing was measured
	RTTVar  float64 `json:"rttvar_seconds"`
	Backoff uint8   `json:"backoff"` // how often the time until it sends again was doubled

	Seconds     float64 `json:"seconds"`     // over which the following counts
	Segments    uint32  `json:"segments"`    // with data, sent
	Acked       uint64  `json:"acked_bytes"` // by the peer
	Retransmits uint32  `json:"retransmits"`
	// Shares of that time, 0 to 1, by the kernel's own clocks.
	Busy          float64 `json:"busy"`           // there was something to send or to be acknowledged
	WindowLimited float64 `json:"window_limited"` // the peer's window kept it from sending
	BufferLimited float64 `json:"sndbuf_limited"` // the process's send buffer was too small for the path
	Looks         int     `json:"looks"`          // that saw it
	StalledLooks  int     `json:"stalled_looks"`  // of these, data waited while the window was closed
}

// Stalled says whether data waits that the peer's window does not let go.
func (c *NetConn) Stalled() bool { return c.Unsent > 0 && c.Unacked+c.MSS > c.Window }

// WindowLimitedMin is the share of time from which a peer counts as what holds
// its connection back.
const WindowLimitedMin = 0.1

package stats

import "pushfleet/internal/pushdapi"

// socket is what the kernel says, over the last seconds if they were looked at,
// else since the connection opened.
type socket struct {
	known, recent                  bool
	tcp                            pushdapi.TCP
	span                           string  // what the shares are of
	busy, rwnd, sndbuf, retransmit float64 // shares
}

// spanLeast is the shortest time in seconds over which shares mean something.
const spanLeast = 0.3

func readSocket(in *CauseInput) (s socket) {
	if in.TCP != nil {
		s.known, s.tcp = true, *in.TCP
		s.fromLife(in.AgeSeconds)
	}
	if r := in.Recent; r != nil && r.OverSeconds >= spanLeast {
		s.known, s.recent = true, true
		s.span = "the last " + duration(r.OverSeconds)
		s.busy, s.rwnd, s.sndbuf, s.retransmit = r.Busy, r.RwndLimited, r.SndbufLimited, r.Retransmits
	}
	return s
}

// fromLife takes the shares of the time that the socket had anything to send:
// most of its life it had nothing, and that says nothing about today.
func (s *socket) fromLife(age float64) {
	s.span = "the time it had data to send"
	if s.tcp.BusySeconds > 0 {
		s.rwnd = s.tcp.RwndLimited / s.tcp.BusySeconds
		s.sndbuf = s.tcp.SndbufLimited / s.tcp.BusySeconds
		s.busy = min(s.tcp.BusySeconds/max(age, s.tcp.BusySeconds), 1)
	}
	if s.tcp.SegmentsOut > 0 {
		s.retransmit = float64(s.tcp.Retransmits) / float64(s.tcp.SegmentsOut)
	}
}

// clientClosed tells that the client's receive window was full most of the
// time, or that this side probes a closed window and is answered.
func (s *socket) clientClosed() bool {
	if s.rwnd >= mostOfTheTime {
		return true
	}
	return s.tcp.Probes > 0 && s.tcp.UnsentBytes > 0 && s.tcp.LastAckAgo < silentLong
}

// networkSilent tells that data is on its way and nothing comes back.
func (s *socket) networkSilent() bool {
	return s.tcp.LastAckAgo >= silentLong &&
		(s.tcp.UnackedSegments > 0 || s.tcp.Probes > 1)
}

// networkSlow tells that segments are lost, or that data waits in the kernel
// although neither window nor buffer held it up lately: the path is full.
func (s *socket) networkSlow() bool {
	return s.retransmit >= lossHigh && s.tcp.Retransmits >= lossLeast ||
		s.recent && s.tcp.UnsentBytes > 0 && s.busy-s.rwnd-s.sndbuf >= mostOfTheTime
}

// bufferSmall tells that the send buffer was full most of the time.
func (s *socket) bufferSmall() bool { return s.sndbuf >= mostOfTheTime }

package session

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"pushfleet/internal/pushdapi"
)

// tcpInfo asks the kernel for one socket's TCP_INFO into the loop's own
// buffer: the library's wrapper allocates, and its ordinary system call wakes
// the runtime's monitor thread, too much for a sweep of a million.
func (t *Table) tcpInfo(fd int) (*unix.TCPInfo, bool) {
	_, err := t.Loop.Budget().Getsockopt(fd, unix.IPPROTO_TCP, unix.TCP_INFO, unsafe.Pointer(&t.tcp), uint32(unsafe.Sizeof(t.tcp)))
	return &t.tcp, err == nil
}

func (t *Table) sampleRTT(slot uint32, c *Conn) {
	if info, ok := t.tcpInfo(int(c.fd)); ok {
		t.Cols.SetRTT(slot, info.Rtt)
	}
}

var tcpStates = [...]string{"", "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait",
	"close", "close-wait", "last-ack", "listen", "closing"}

func tcpOf(i *unix.TCPInfo, outq int) *pushdapi.TCP {
	state := "unknown"
	if int(i.State) < len(tcpStates) {
		state = tcpStates[i.State]
	}
	return &pushdapi.TCP{
		State:             state,
		RTTSeconds:        float64(i.Rtt) / 1e6,
		RTTVarSeconds:     float64(i.Rttvar) / 1e6,
		Retransmits:       i.Total_retrans,
		SegmentsOut:       i.Segs_out,
		Lost:              i.Lost,
		CongestionWindow:  i.Snd_cwnd,
		UnsentBytes:       i.Notsent_bytes,
		UnackedSegments:   i.Unacked,
		BusySeconds:       float64(i.Busy_time) / 1e6,
		RwndLimited:       float64(i.Rwnd_limited) / 1e6,
		SndbufLimited:     float64(i.Sndbuf_limited) / 1e6,
		SendBufferBytes:   uint32(max(0, outq)),
		LastReceivedAgo:   float64(i.Last_data_recv) / 1e3,
		LastAckAgo:        float64(i.Last_ack_recv) / 1e3,
		LastSentAgo:       float64(i.Last_data_sent) / 1e3,
		AckedBytes:        i.Bytes_acked,
		DeliveryRateBytes: i.Delivery_rate,
		Probes:            i.Probes,
	}
}

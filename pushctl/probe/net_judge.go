package probe

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// unreadMin is how much a process must leave unread before it counts as slow,
// in bytes; as in bpf/net.bpf.c.
const unreadMin = 64 << 10

// well says that nothing holds a connection back.
func (c *NetConn) well() bool {
	return c.Retransmits == 0 && c.WindowLimited == 0 && c.Probes == 0 && c.Backoff == 0 && c.Unread < unreadMin && !c.Stalled()
}

// Loss is the share of segments that had to be sent again, 0 to 1.
func (c *NetConn) Loss() float64 { return loss(uint64(c.Retransmits), uint64(c.Segments)) }

// loss counts segments: those that go again are among those sent.
func loss(again, sent uint64) float64 {
	if again == 0 {
		return 0
	}
	return min(1, float64(again)/float64(max(again, sent)))
}

// Loss from which the network is named as a cause, and how many segments must
// have gone again: single ones happen everywhere.
const (
	lossMin  = 0.01
	againMin = 5
)

// badness orders connections: how much of the time the peer held one back, or
// how much the network lost of it, where a tenth is as bad as can be.
func (c *NetConn) badness() float64 {
	b := max(c.WindowLimited, min(1, 10*c.Loss()))
	if c.Stalled() {
		b++
	}
	return b
}

func worse(a, b *NetConn) int {
	return cmp.Or(cmp.Compare(b.badness(), a.badness()), cmp.Compare(b.Unsent, a.Unsent), cmp.Compare(b.Retransmits, a.Retransmits),
		cmp.Compare(b.Unread, a.Unread), a.Peer.Compare(b.Peer), cmp.Compare(a.Inode, b.Inode))
}

// judgeNet says what is wrong, the first thing first. It is pure.
func judgeNet(r *NetReport) []NetFinding {
	out := []NetFinding{}
	for _, judge := range []func(*NetReport) *NetFinding{judgeListeners, judgeWindows, judgeLoss, judgeUnread} {
		if f := judge(r); f != nil {
			out = append(out, *f)
		}
	}
	return out
}

func judgeListeners(r *NetReport) *NetFinding {
	if r.Totals.Drops == 0 {
		return nil
	}
	l := r.Listeners[0]
	return &NetFinding{NetListener, fmt.Sprintf("%s turned away %s because its queue of %d was full", l.Local, number(l.Drops, "connection"), l.BacklogMax), []string{
		fmt.Sprintf("pushctl probe sched --pid %d: does it get a processor to accept with?", r.PID),
		"pushctl doctor: is net.core.somaxconn less than the program asks for?",
	}}
}

func judgeWindows(r *NetReport) *NetFinding {
	i := slices.IndexFunc(r.Connections, func(c NetConn) bool { return c.WindowLimited >= WindowLimitedMin })
	if i < 0 {
		return nil
	}
	do, c := "does", &r.Connections[i]
	if r.Totals.Limited > 1 {
		do = "do"
	}
	return &NetFinding{NetWindow, fmt.Sprintf("%s %s not read fast enough: the window of %s kept data back for %.0f %% of the time", number(uint64(r.Totals.Limited), "client"), do, c.Peer, 100*c.WindowLimited), []string{
		"pushctl top --by wait: who they are; pushctl why USER: what else holds one back",
	}}
}

func judgeLoss(r *NetReport) *NetFinding {
	if again, sent := r.Totals.Retransmits, r.Totals.Segments; len(r.Peers) > 0 && again >= againMin && loss(again, sent) >= lossMin {
		p := r.Peers[0]
		return lossTo(p.Addr, fmt.Sprintf("the network loses: %s sent again, %.1f %%, of them %d to %s", number(again, "segment"), 100*loss(again, sent), p.Retransmits, p.Addr))
	}
	i := slices.IndexFunc(r.Connections, func(c NetConn) bool { return c.Retransmits >= againMin && c.Loss() >= lossMin })
	if i < 0 {
		return nil
	}
	c := &r.Connections[i]
	return lossTo(c.Peer.Addr(), fmt.Sprintf("the network loses on the way to %s: %s sent again, %.1f %%", c.Peer, number(uint64(c.Retransmits), "segment"), 100*c.Loss()))
}

func lossTo(a netip.Addr, what string) *NetFinding {
	return &NetFinding{NetLoss, what, []string{fmt.Sprintf("look at the way to it: ip route get %s, then ip -s link show and ethtool -S of that interface", a)}}
}

func judgeUnread(r *NetReport) *NetFinding {
	var most *NetConn
	n := 0
	for i := range r.Connections {
		if c := &r.Connections[i]; c.Open && c.Unread >= unreadMin {
			if n++; most == nil || c.Unread > most.Unread {
				most = c
			}
		}
	}
	if most == nil {
		return nil
	}
	return &NetFinding{NetUnread, fmt.Sprintf("the process leaves data unread on %s, most from %s: %d KiB", number(uint64(n), "connection"), most.Peer, most.Unread>>10), []string{
		fmt.Sprintf("what keeps it from reading? pushctl probe sched --pid %d, pushctl probe lock --pid %d", r.PID, r.PID),
	}}
}

// number writes a number with its noun.
func number(n uint64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

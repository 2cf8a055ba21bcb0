package probe

import (
	"cmp"
	"fmt"
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

// judgeNet says what is wrong, the first thing first, and what to do about all
// of it; nothing if all is well. It is pure.
func judgeNet(r *NetReport) (verdict string, do []string) {
	for _, judge := range []func(*NetReport) (string, []string){judgeListeners, judgeWindows, judgeLoss, judgeUnread} {
		what, then := judge(r)
		if verdict == "" {
			verdict = what
		} else if what != "" {
			verdict += "; " + what
		}
		do = append(do, then...)
	}
	return verdict, do
}

func judgeListeners(r *NetReport) (string, []string) {
	if r.Totals.Drops == 0 {
		return "", nil
	}
	l := r.Listeners[0]
	return fmt.Sprintf("%s turned away %s because its queue of %d was full", l.Local, number(l.Drops, "connection"), l.BacklogMax),
		[]string{"pushctl doctor: is net.core.somaxconn below what the program asks for?", fmt.Sprintf("pushctl probe sched --pid %d: does it get a processor to accept with?", r.PID)}
}

func judgeWindows(r *NetReport) (string, []string) {
	if r.Totals.Limited == 0 {
		return "", nil
	}
	for i := range r.Connections {
		c := &r.Connections[i]
		if c.WindowLimited < WindowLimitedMin {
			continue
		}
		return fmt.Sprintf("%s not read fast enough: worst %s, whose window held data back for %.0f %% of the time", clients(r.Totals.Limited), c.Peer, 100*c.WindowLimited),
			[]string{"pushctl top --by wait: who they are; pushctl why USER: what else holds one back"}
	}
	return "", nil
}

func clients(n int) string {
	if n == 1 {
		return "1 client does"
	}
	return fmt.Sprintf("%d clients do", n)
}

func judgeLoss(r *NetReport) (string, []string) {
	again, sent := r.Totals.Retransmits, r.Totals.Segments
	if again >= againMin && loss(again, sent) >= lossMin {
		p := r.Peers[0]
		return fmt.Sprintf("the network loses: %s sent again, %.1f %% of what was sent, most of it to %s", number(again, "segment"), 100*loss(again, sent), p.Addr),
			[]string{fmt.Sprintf("look at the way to %s: ip route get %s, then ip -s link and ethtool -S of that interface", p.Addr, p.Addr)}
	}
	for i := range r.Connections {
		c := &r.Connections[i]
		if c.Retransmits >= againMin && c.Loss() >= lossMin {
			return fmt.Sprintf("the network loses on the way to %s: %s sent again, %.1f %%", c.Peer, number(uint64(c.Retransmits), "segment"), 100*c.Loss()),
				[]string{fmt.Sprintf("look at the way to %s: ip route get %s, then ip -s link and ethtool -S of that interface", c.Peer.Addr(), c.Peer.Addr())}
		}
	}
	return "", nil
}

func judgeUnread(r *NetReport) (string, []string) {
	var most *NetConn
	n := 0
	for i := range r.Connections {
		if c := &r.Connections[i]; c.Open && c.Unread >= unreadMin {
			n++
			if most == nil || c.Unread > most.Unread {
				most = c
			}
		}
	}
	if most == nil {
		return "", nil
	}
	return fmt.Sprintf("the process itself leaves data unread on %s, most from %s: %d KB", number(uint64(n), "connection"), most.Peer, most.Unread>>10),
		[]string{fmt.Sprintf("pushctl probe sched --pid %d, pushctl probe lock --pid %d: what keeps it from reading?", r.PID, r.PID)}
}

// number writes a number with its noun.
func number(n uint64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

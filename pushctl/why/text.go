package why

import (
	"fmt"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

// sentence says in words why a candidate is named.
func (f *facts) sentence(c *Candidate) string {
	switch c.Kind {
	case Client:
		return f.clientSentence(c.Cause)
	case Network:
		return f.networkSentence(c.Cause)
	case Publisher:
		return f.publisherSentence()
	}
	return f.nodeSentence(c.Cause)
}

func (f *facts) clientSentence(cause string) string {
	text := "The client does not read fast enough"
	if cause == Stalled {
		text = "The client takes nothing"
	}
	text = fmt.Sprintf("%s: its receive window was full for %s of %s, %s%s.", text, share(f.s.RwndLimited), f.time(), f.lossText(), f.lateText())
	if f.burst() >= 0.3 && f.usual > 0 {
		text += fmt.Sprintf(" Publishing to it also rose, from %s to %s.", table.Rate(f.usual), table.Rate(f.now))
	}
	return text
}

func (f *facts) lossText() string {
	if f.s.Resent == 0 {
		return "the network lost nothing"
	}
	return fmt.Sprintf("the network lost %s of %s segments", table.Count(f.s.Resent), table.Count(f.s.Segments))
}

func (f *facts) lateText() string {
	if f.late() < 0.2 {
		return ", and this node was never late"
	}
	return fmt.Sprintf(". This node was late as well, by %s on average", table.Seconds(f.w.Loop.LateMean))
}

func (f *facts) networkSentence(cause string) string {
	switch cause {
	case Loss:
		return fmt.Sprintf("The network loses data: %s of %s segments were sent again in %s, at a round trip of up to %s.",
			table.Count(f.s.Resent), table.Count(f.s.Segments), f.time(), table.Seconds(f.s.RTTMax))
	case Silent:
		return fmt.Sprintf("The client's host is cut off, asleep or gone: nothing came back for %s while data was on its way.", table.Seconds(f.s.SilentMax))
	}
	return fmt.Sprintf("The network carries less than is sent: up to %s wait in the kernel although the client's window is open (round trip up to %s).",
		table.Bytes(f.s.UnsentMax), table.Seconds(f.s.RTTMax))
}

func (f *facts) publisherSentence() string {
	usual := "almost nothing"
	if f.usual >= 0.5 {
		usual = table.Rate(f.usual)
	}
	text := fmt.Sprintf("The publisher bursts: %s where %s was usual, and the client takes %s, as much as ever.", table.Rate(f.now), usual, table.Rate(f.out))
	if f.w.Dropped > 0 {
		text += fmt.Sprintf(" Its queue was full: %s dropped in %s.", table.Plural(int64(f.w.Dropped), "message"), f.time())
	}
	return text
}

func (f *facts) nodeSentence(cause string) string {
	p, l := &f.w.Process, &f.w.Loop
	late := fmt.Sprintf("This node is late, by %s on average and %s at p99", table.Seconds(l.LateMean), table.Seconds(l.Late.P99))
	switch cause {
	case CPU:
		if p.ThrottledSeconds/f.over >= 0.05 {
			return fmt.Sprintf("%s: it is starved of CPU, its limit kept it from running for %s of %s.", late, table.Seconds(p.ThrottledSeconds), f.time())
		}
		return fmt.Sprintf("%s: it is starved of CPU, its threads ran %s and waited %s for a processor.", late, table.Seconds(p.CPUSeconds),
			table.Seconds(max(p.RunQueueSeconds, f.schedTotal())))
	case LockWait:
		if e := f.e.Locks; e != nil && len(e.Sites) > 0 && e.Sites[0].OnLoop {
			s := &e.Sites[0]
			return fmt.Sprintf("%s: its loops wait for a lock in %s%s, %s× for %s of %s.", late, s.Func, at(s.Place), table.Count(s.Count), table.Seconds(s.Total), f.time())
		}
		return fmt.Sprintf("%s: its goroutines wait for locks, %s in %s all together.", late, table.Seconds(p.LockWaitSeconds), f.time())
	case Collector:
		return fmt.Sprintf("%s: its garbage collector took %s of its CPU in %s, longest stop %s.", late, share(p.GCShare),
			table.Plural(int64(p.GCCycles), "cycle"), table.Seconds(f.pauseMax()))
	case Turns, Broadcast:
		what := ""
		if cause == Broadcast {
			what = ", with broadcasts or group sends under way " + share(l.Walking) + " of the time"
		}
		return fmt.Sprintf("%s: its loop has long turns, %s at p99%s.", late, table.Seconds(l.Turn.P99), what)
	case Buffer:
		return fmt.Sprintf("The send buffer of this node's socket is too small: it was full for %s of %s, at a round trip of up to %s.",
			share(f.s.SndbufLimited), f.time(), table.Seconds(f.s.RTTMax))
	case Held:
		return fmt.Sprintf("This node does not hand messages to the socket: the oldest has waited %s while the socket was empty.", table.Seconds(f.w.Queue.OldestSeconds))
	}
	return late + ", and nothing says why."
}

func (f *facts) healthySentence() string {
	took := fmt.Sprintf("this node took work up within %s", table.Seconds(f.w.Loop.LateMean))
	switch {
	case f.w.Delivered > 0:
		return fmt.Sprintf("Nothing holds it back: %s written in %s, %s.", table.Plural(int64(f.w.Delivered), "message"), f.time(), took)
	case f.w.Offered > 0:
		return fmt.Sprintf("Nothing holds it back: %s.", took)
	}
	return fmt.Sprintf("Nothing holds it back, and nothing was sent to it in %s: %s.", f.time(), took)
}

func (f *facts) unsureSentence() string {
	if !f.socket {
		return "Messages wait, but the socket could not be asked, so client and network cannot be told apart."
	}
	return fmt.Sprintf("It is held back (%s), but neither client, network, publisher nor node stands out.", f.waiting())
}

func (f *facts) betweenSentence(a, b *Candidate) string {
	return fmt.Sprintf("It is held back (%s), and the evidence does not decide between the %s and the %s.", f.waiting(), a.Kind, b.Kind)
}

// roomMax is the most that the knob of the queue's length takes.
const roomMax = 65_536

// hints are the next commands.
func (f *facts) hints(kind Kind, cause string) []pushdapi.Hint {
	hint := func(what, format string, args ...any) pushdapi.Hint {
		return pushdapi.Hint{What: what, Command: fmt.Sprintf(format, args...)}
	}
	c := &f.w.Conn
	kick := hint("let it go", "pushctl kick %s", c.Conn)
	pid := f.w.Place.PID
	switch kind {
	case Client:
		return []pushdapi.Hint{hint("send it less", "pushctl knob set queue.normal.policy coalesce --for 1h"), kick}
	case Network:
		return []pushdapi.Hint{hint("see whether others suffer", "pushctl top --by rtt"), kick}
	case Publisher:
		room := int64(1024)
		for room < 2*max(c.QueueLimit, f.w.Queue.Max) && room < roomMax {
			room *= 2
		}
		h := []pushdapi.Hint{hint("take the burst", "pushctl knob set queue.messages_max %d --for 1h", room)}
		if c.User != "" {
			h = append(h, hint("see what is sent", "pushctl trace %s", pushdapi.Quote(c.User)))
		}
		return h
	case Unsure:
		return []pushdapi.Hint{hint("look longer", "pushctl why %s --for 20s", c.Conn)}
	case Healthy:
		return nil
	}
	return nodeHints(cause, pid)
}

func nodeHints(cause string, pid int) []pushdapi.Hint {
	hint := func(what, format string, args ...any) pushdapi.Hint {
		return pushdapi.Hint{What: what, Command: fmt.Sprintf(format, args...)}
	}
	switch cause {
	case CPU:
		return []pushdapi.Hint{hint("see who waits", "sudo pushctl probe sched --pid %d", pid), hint("see the machine", "pushctl rec show"), hint("check its limits", "pushctl doctor")}
	case LockWait:
		return []pushdapi.Hint{hint("see who keeps it", "sudo pushctl probe lock --pid %d --go --holders", pid)}
	case Collector:
		return []pushdapi.Hint{hint("collect less often", "pushctl knob set gc.percent 400 --for 1h"), hint("see each cycle", "sudo pushctl probe gc --pid %d --assist", pid)}
	case Broadcast:
		return []pushdapi.Hint{hint("shorten its turns", "pushctl knob set broadcast.slice 16 --for 1h"), hint("pace broadcasts", "pushctl knob set broadcast.rate_max 50000 --for 1h")}
	case Buffer:
		return []pushdapi.Hint{hint("let sockets hold more", "pushctl knob set socket.unsent_bytes_max 131072 --for 1h")}
	}
	return []pushdapi.Hint{hint("see where it computes", "sudo pushctl probe cpu --pid %d", pid), hint("see the loops", "pushctl stats -o wide")}
}

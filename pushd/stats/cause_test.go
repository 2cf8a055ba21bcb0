package stats

import (
	"strings"
	"testing"

	"pushfleet/internal/pushdapi"
)

// slow is a connection with a growing queue and a socket that shows nothing;
// each case changes what is different.
func slow() CauseInput {
	w := func(a, b, c float64) pushdapi.Windows { return pushdapi.Windows{S1: a, S10: b, S100: c} }
	return CauseInput{Conn: "3.1f20.2", User: "u-88121", Queued: 600, QueueLimit: 1024, OldestSeconds: 20, AgeSeconds: 7000,
		Rates:  pushdapi.ConnRate{In: w(25, 25, 24), Out: w(10, 10, 10), Level: w(600, 500, 100)},
		Wait:   pushdapi.Estimate{State: "known", Seconds: 60},
		Drain:  pushdapi.Estimate{State: "growing", Growth: 15, CapSeconds: 28},
		TCP:    &pushdapi.TCP{RTTSeconds: 0.04, UnsentBytes: 2000, SendBufferBytes: 3000, LastReceivedAgo: 20, LastAckAgo: 0.2, SegmentsOut: 10_000, Retransmits: 10},
		Recent: &pushdapi.TCPShare{OverSeconds: 10, Busy: 0.4},
	}
}

func TestCause(t *testing.T) {
	f := func(name string, change func(*CauseInput), kind, say string) {
		t.Helper()
		in := slow()
		change(&in)
		c := Cause(in)
		if c.Kind != kind || !strings.Contains(c.Sentence, say) {
			t.Errorf("%s: %s: %q, want %s saying %q", name, c.Kind, c.Sentence, kind, say)
		}
		if n := strings.Count(c.Sentence, ". ") + 1; n > 3 || !strings.HasSuffix(c.Sentence, ".") {
			t.Errorf("%s: not one to three sentences: %q", name, c.Sentence)
		}
		if len(c.Evidence) < 3 {
			t.Errorf("%s: evidence %q", name, c.Evidence)
		}
		if (kind == kindHealthy) != (len(c.Try) == 0) {
			t.Errorf("%s: hints %v", name, c.Try)
		}
	}
	f("client reads slowly", func(in *CauseInput) {
		in.Recent.Busy, in.Recent.RwndLimited = 0.98, 0.94
	}, "client", "closed for 94 % of the last 10s, the network lost almost nothing, and this node was never late")
	f("client reads slowly and the publisher doubled", func(in *CauseInput) {
		in.Recent.Busy, in.Recent.RwndLimited = 0.98, 0.94
		in.Rates.In.S100 = 11
	}, "client", "rose, from 11/s to 25/s")
	f("client reads slowly and the node is late too", func(in *CauseInput) {
		in.Recent.Busy, in.Recent.RwndLimited, in.LoopTurn = 0.98, 0.94, 0.2
	}, "client", "This node was late as well")
	f("client stopped, first look", func(in *CauseInput) {
		in.Recent, in.TCP.Probes = nil, 1
	}, "client", "stopped reading")
	f("client slow over its life, first look", func(in *CauseInput) {
		in.Recent, in.TCP.BusySeconds, in.TCP.RwndLimited = nil, 100, 80
	}, "client", "80 % of the time it had data to send")
	f("host gone", func(in *CauseInput) {
		in.Recent = &pushdapi.TCPShare{OverSeconds: 10, Busy: 1}
		in.TCP.UnackedSegments, in.TCP.LastAckAgo = 8, 14
	}, "network", "not answered for 14s")
	f("a client that acknowledges and never sends", func(in *CauseInput) {
		in.TCP.UnackedSegments, in.TCP.LastReceivedAgo = 8, 900
	}, "unsure", "stands out")
	f("probes to a dead host", func(in *CauseInput) {
		in.TCP.Probes, in.TCP.LastAckAgo = 4, 60
	}, "network", "not answered for 1m")
	f("loss", func(in *CauseInput) {
		in.Recent.Retransmits, in.TCP.RTTSeconds = 0.08, 0.35
	}, "network", "8 % of the segments of the last 10s were sent again, at a round trip of 350 ms")
	f("one segment lost of a few", func(in *CauseInput) {
		in.Recent.Retransmits, in.TCP.Retransmits = 0.25, 1
	}, "unsure", "stands out")
	f("path is full", func(in *CauseInput) {
		in.Recent.Busy, in.TCP.UnsentBytes = 0.99, 131_000
	}, "network", "131 KB waits in the kernel")
	f("publisher bursts", func(in *CauseInput) {
		in.Rates.In = pushdapi.Windows{S1: 900, S10: 700, S100: 120}
		in.TCP.UnsentBytes = 0
	}, "publisher", "900/s now against 120/s over 100 s")
	f("publisher bursts, socket unknown, connection keeps its pace", func(in *CauseInput) {
		in.TCP, in.Recent = nil, nil
		in.Rates.In = pushdapi.Windows{S1: 900, S10: 700, S100: 120}
	}, "publisher", "more than the connection takes (10/s).")
	f("loop late", func(in *CauseInput) { in.LoopTurn = 0.18 }, "node", "180 ms per turn")
	f("loop late, nothing queued", func(in *CauseInput) { in.LoopTurn, in.Queued = 0.18, 0 }, "node", "late")
	f("messages stall here", func(in *CauseInput) {
		in.TCP.UnsentBytes, in.TCP.SendBufferBytes, in.Recent.Busy = 0, 0, 0.01
	}, "node", "does not hand messages to the socket")
	f("send buffer too small", func(in *CauseInput) {
		in.Recent.Busy, in.Recent.SndbufLimited, in.TCP.RTTSeconds = 0.95, 0.9, 0.25
	}, "node", "too small for a round trip of 250 ms")
	f("nothing queued", func(in *CauseInput) {
		in.Queued, in.Rates.Level.S10 = 0, 0
	}, "healthy", "Nothing waits.")
	f("nothing queued, loss on the way", func(in *CauseInput) {
		in.Queued, in.Recent.Retransmits = 0, 0.1
	}, "healthy", "over the last 10 s it was 500 messages")
	f("queue of a moment", func(in *CauseInput) {
		in.Queued, in.OldestSeconds, in.Drops = 3, 0.01, 7
		in.Wait.Seconds, in.Drain = 0.012, pushdapi.Estimate{State: "unsure"}
	}, "healthy", "3 messages queued and leave within 12 ms. It has lost 7")
	f("socket unknown", func(in *CauseInput) { in.TCP, in.Recent = nil, nil }, "unsure", "could not be asked")
	f("nothing stands out", func(in *CauseInput) {
		in.Drain = pushdapi.Estimate{State: "known", Seconds: 41}
	}, "unsure", "drain in about 41s")
	f("too short a look", func(in *CauseInput) {
		in.Recent.OverSeconds, in.Recent.RwndLimited, in.Recent.Busy = 0.05, 1, 1
	}, "unsure", "stands out")
}

func TestCauseHints(t *testing.T) {
	in := slow()
	in.Recent.Busy, in.Recent.RwndLimited = 1, 1
	c := Cause(in)
	if got := c.Try[len(c.Try)-1].Command; got != "pushctl kick 3.1f20.2" {
		t.Errorf("last hint %q", got)
	}
	in = slow()
	in.Rates.In.S100, in.TCP.UnsentBytes = 1, 0
	if got := Cause(in).Try[0].Command; got != "pushctl knob set queue.messages_max 2048 --for 1h" {
		t.Errorf("hint for a burst: %q", got)
	}
	// Users are named by clients, and the command is copied into a shell.
	in.User = "u; reboot"
	if got := Cause(in).Try[1].Command; got != "pushctl trace 'u; reboot'" {
		t.Errorf("trace hint %q", got)
	}
}

func TestCauseInputOfTakesEverything(t *testing.T) {
	in := slow()
	c := &pushdapi.Conn{ConnRow: pushdapi.ConnRow{Conn: in.Conn, User: in.User, Queued: in.Queued, AgeSeconds: in.AgeSeconds,
		Wait: in.Wait, Drain: in.Drain, Drops: 5}, QueueLimit: in.QueueLimit, OldestSeconds: in.OldestSeconds,
		Rates: in.Rates, TCP: in.TCP, TCPRecent: in.Recent, LoopTurn: 0.001}
	in.Drops, in.LoopTurn = 5, 0.001
	if got := CauseInputOf(c); got != in {
		t.Errorf("got  %+v\nwant %+v", got, in)
	}
}

func TestCauseFigures(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(duration(0), "0s")
	f(duration(0.000041), "41 µs")
	f(duration(0.0123), "12.3 ms")
	f(duration(0.2123), "212 ms")
	f(duration(14.04), "14s")
	f(duration(120), "2m")
	f(duration(104), "1m44s")
	f(duration(7860), "2h11m")
	f(rate(0), "0/s")
	f(rate(9.84), "9.8/s")
	f(rate(1204.4), "1204/s")
	f(rate(0.02), "0.02/s")
	f(percent(0.94), "94 %")
	f(size(131_072), "131 KB")
	f(size(12), "12 B")
}

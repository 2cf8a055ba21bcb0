package why

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

// calm is a connection that nobody holds back, on a node that is never late.
func calm() *pushdapi.Watched {
	w := &pushdapi.Watched{OverSeconds: 5, Looks: 199, UsualIn: 20, Offered: 100, Delivered: 100, BytesOut: 20_000,
		Place: pushdapi.Place{PID: 4711}}
	w.Conn.Conn, w.Conn.User, w.Conn.Node, w.Conn.Proto, w.Conn.Peer = "3.1f20.2", "u-1", "gw-1", "ws", "203.0.113.7:51234"
	w.Conn.AgeSeconds, w.Conn.QueueLimit = 3600, 512
	w.Conn.Rates.In = pushdapi.Windows{S1: 20, S10: 20, S100: 20}
	w.Socket = &pushdapi.WatchedSocket{Busy: 0.01, Segments: 100, AckedBytes: 24_000, RTTMax: 0.03}
	w.Loop = pushdapi.WatchedLoop{LateMean: 0.0006, Late: pushdapi.Quantiles{P50: 0.0003, P99: 0.004}, Turn: pushdapi.Quantiles{P99: 0.0004}, Turns: 900, TurnSeconds: 0.03}
	w.Process = pushdapi.WatchedProcess{Cores: 2, CPUSeconds: 0.4, RunQueueSeconds: 0.05, GCCycles: 1, GCShare: 0.01, GCPauseMax: 0.0001}
	return w
}

// seen changes a calm connection.
func seen(edit func(*pushdapi.Watched)) Evidence {
	w := calm()
	edit(w)
	return Evidence{Seen: w}
}

// queue makes messages wait.
func queue(w *pushdapi.Watched, first, last int64, oldest float64) {
	w.Queue = pushdapi.WatchedQueue{First: first, Last: last, Max: max(first, last), OldestSeconds: oldest, Waiting: 1}
}

// clientSlow closes the client's window for a share of the time.
func clientSlow(w *pushdapi.Watched, share float64, acked uint64) {
	queue(w, 300, 390, 20)
	w.Delivered = 10
	*w.Socket = pushdapi.WatchedSocket{Busy: 1, RwndLimited: share, Segments: 30, AckedBytes: acked, Unsent: 1, UnsentMax: 33_000, RTTMax: 0.2}
}

// nodeLate makes the loop late.
func nodeLate(w *pushdapi.Watched, mean, p99 float64) {
	w.Loop.LateMean, w.Loop.Late.P99 = mean, p99
}

func TestJudge(t *testing.T) {
	f := func(name string, e Evidence, kind Kind, cause string) {
		t.Helper()
		v := Judge(e)
		if v.Kind != kind || v.Cause != cause {
			t.Errorf("%s: %s %s (held %.2f), want %s %s\n%s", name, v.Kind, v.Cause, v.Held, kind, cause, strings.Join(Lines(e.Seen, &v, true, table.Style{}), "\n"))
		}
	}
	f("nothing known", Evidence{}, Unsure, "")
	f("calm", seen(func(*pushdapi.Watched) {}), Healthy, "")
	f("nothing sent", seen(func(w *pushdapi.Watched) { w.Offered, w.Delivered, w.UsualIn = 0, 0, 0 }), Healthy, "")
	f("queued for a moment", seen(func(w *pushdapi.Watched) { queue(w, 0, 3, 0.02) }), Healthy, "")
	f("one blip of the loop", seen(func(w *pushdapi.Watched) { nodeLate(w, 0.002, 0.05) }), Healthy, "")
	f("a burst that it takes", seen(func(w *pushdapi.Watched) { w.Offered, w.Delivered = 2000, 2000 }), Healthy, "")
	f("window closed at times, nothing waits", seen(func(w *pushdapi.Watched) { w.Socket.RwndLimited = 0.5 }), Healthy, "")
	f("no socket, nothing waits", seen(func(w *pushdapi.Watched) { w.Socket = nil }), Healthy, "")

	f("slow reader", seen(func(w *pushdapi.Watched) { clientSlow(w, 0.94, 6000) }), Client, Slow)
	f("stalled reader", seen(func(w *pushdapi.Watched) { clientSlow(w, 1, 0); w.Delivered = 0 }), Client, Stalled)
	f("probes of a closed window", seen(func(w *pushdapi.Watched) {
		clientSlow(w, 0, 0)
		w.Delivered, w.Socket.ProbesMax = 0, 1
	}), Client, Stalled)
	f("slow reader of a young connection", seen(func(w *pushdapi.Watched) {
		clientSlow(w, 0.9, 6000)
		w.Conn.AgeSeconds, w.UsualIn = 9, 0
	}), Client, Slow)
	f("slow reader to which nothing was sent before", seen(func(w *pushdapi.Watched) {
		clientSlow(w, 0.9, 6000)
		w.UsualIn, w.Offered, w.Delivered = 0, 500, 5
	}), Client, Slow)
	f("slow reader, some segments sent again", seen(func(w *pushdapi.Watched) {
		clientSlow(w, 0.95, 6000)
		w.Socket.Resent = 4
	}), Client, Slow)
	f("slow reader on a node that is a little late", seen(func(w *pushdapi.Watched) {
		clientSlow(w, 0.95, 6000)
		nodeLate(w, 0.02, 0.15)
	}), Client, Slow)

	f("lossy link", seen(func(w *pushdapi.Watched) { queue(w, 0, 9, 0.8); w.Socket.Resent, w.Socket.Busy = 12, 0.7 }), Network, Loss)
	f("a little loss", seen(func(w *pushdapi.Watched) { w.Socket.Segments, w.Socket.Resent = 1000, 2 }), Healthy, "")
	f("host gone", seen(func(w *pushdapi.Watched) {
		queue(w, 40, 140, 9)
		*w.Socket = pushdapi.WatchedSocket{Busy: 1, Segments: 3, Resent: 2, Unsent: 1, SilentMax: 4.9, RTTMax: 0.2}
		w.Delivered = 0
	}), Network, Silent)
	f("thin link", seen(func(w *pushdapi.Watched) {
		queue(w, 40, 140, 3)
		w.Socket.Busy, w.Socket.Unsent, w.Socket.UnsentMax = 1, 1, 33_000
	}), Network, Full)

	burst := func(w *pushdapi.Watched) {
		w.Offered, w.Delivered, w.Dropped = 5000, 600, 3900
		w.Conn.Rates.In = pushdapi.Windows{S1: 1000, S10: 500, S100: 60}
		queue(w, 512, 512, 0.9)
	}
	f("burst beyond the queue", seen(burst), Publisher, Burst)
	f("burst that fills the client's window", seen(func(w *pushdapi.Watched) {
		burst(w)
		w.Socket.RwndLimited, w.Socket.Unsent, w.Socket.Busy = 0.9, 1, 1
	}), Publisher, Burst)
	f("burst to a client that takes less than usual", seen(func(w *pushdapi.Watched) {
		burst(w)
		clientSlow(w, 0.95, 2000)
		w.Delivered = 20
	}), Client, Slow)

	f("starved of CPU", seen(func(w *pushdapi.Watched) {
		nodeLate(w, 0.05, 0.3)
		w.Process.CPUSeconds, w.Process.RunQueueSeconds = 0.3, 6
	}), Node, CPU)
	f("starved of CPU, its collections too", seen(func(w *pushdapi.Watched) {
		nodeLate(w, 0.1, 0.5)
		w.Process.CPUSeconds, w.Process.RunQueueSeconds, w.Process.GCPauseMax = 0.1, 7, 0.3
		w.Process.GCShare, w.Process.GCCycles, w.Loop.Turn.P99 = 0.13, 2, 0.2
	}), Node, CPU)
	f("held by its control group", seen(func(w *pushdapi.Watched) {
		nodeLate(w, 0.05, 0.1)
		w.Process.ThrottledSeconds = 3
	}), Node, CPU)
	f("collector", seen(func(w *pushdapi.Watched) {
		nodeLate(w, 0.03, 0.2)
		w.Process.CPUSeconds, w.Process.GCShare, w.Process.RunQueueSeconds, w.Process.LockWaitSeconds = 6, 0.25, 12, 2
		w.Process.GCCycles = 40
	}), Node, Collector)
	f("long stops", seen(func(w *pushdapi.Watched) { nodeLate(w, 0.03, 0.2); w.Process.GCPauseMax = 0.2 }), Node, Collector)
	f("locks, by the runtime's word", seen(func(w *pushdapi.Watched) { nodeLate(w, 0.03, 0.06); w.Process.LockWaitSeconds = 9 }), Node, LockWait)
	e := seen(func(w *pushdapi.Watched) {
		nodeLate(w, 0.03, 0.06)
		w.Process.LockWaitSeconds, w.Loop.Turn.P99 = 9, 0.06
	})
	e.Locks = &Locks{Seconds: 5, Loops: 8, Sites: []Lock{{Func: "router.(*shard).walk", Place: "router/shard.go:88", Count: 100, Total: 8, P99: 0.06, OnLoop: true}}}
	f("locks, by a probe", e, Node, LockWait)
	if v := Judge(e); !strings.Contains(v.Sentence, "router.(*shard).walk (router/shard.go:88)") {
		t.Errorf("the sentence does not name the lock: %s", v.Sentence)
	}
	f("long turns", seen(func(w *pushdapi.Watched) { nodeLate(w, 0.03, 0.1); w.Loop.Turn.P99, w.Loop.TurnSeconds = 0.09, 4.5 }), Node, Turns)
	f("broadcasts", seen(func(w *pushdapi.Watched) {
		nodeLate(w, 0.03, 0.1)
		w.Loop.Turn.P99, w.Loop.TurnSeconds, w.Loop.Walking = 0.09, 4.5, 0.9
	}), Node, Broadcast)
	f("late without a reason", seen(func(w *pushdapi.Watched) { nodeLate(w, 0.03, 0.1) }), Node, Late)
	f("small send buffer", seen(func(w *pushdapi.Watched) { queue(w, 20, 90, 2); w.Socket.SndbufLimited, w.Socket.Busy = 0.9, 1 }), Node, Buffer)
	f("held here", seen(func(w *pushdapi.Watched) { queue(w, 20, 90, 2) }), Node, Held)

	f("waits, and nobody stands out", seen(func(w *pushdapi.Watched) { queue(w, 20, 90, 2); w.Socket.Busy = 0.4 }), Unsure, "")
	f("waits, and the socket could not be asked", seen(func(w *pushdapi.Watched) { queue(w, 20, 90, 2); w.Socket = nil }), Unsure, "")
	f("loss and a late node", seen(func(w *pushdapi.Watched) { nodeLate(w, 0.05, 0.2); w.Socket.Resent = 12 }), Unsure, "")
}

func TestHintsBelongToTheCause(t *testing.T) {
	f := func(e Evidence, words ...string) {
		t.Helper()
		var all []string
		for _, h := range Judge(e).Try {
			all = append(all, h.Command)
		}
		for _, w := range words {
			if !slices.ContainsFunc(all, func(c string) bool { return strings.Contains(c, w) }) {
				t.Errorf("%q does not say %q", all, w)
			}
		}
	}
	f(seen(func(w *pushdapi.Watched) { clientSlow(w, 1, 0) }), "pushctl kick 3.1f20.2", "coalesce")
	f(seen(func(w *pushdapi.Watched) { nodeLate(w, 0.05, 0.3); w.Process.RunQueueSeconds = 9 }), "probe sched --pid 4711")
	f(seen(func(w *pushdapi.Watched) { nodeLate(w, 0.05, 0.3); w.Process.LockWaitSeconds = 9 }), "probe lock --pid 4711")
	f(seen(func(w *pushdapi.Watched) { queue(w, 20, 90, 2); w.Socket.Busy = 0.4 }), "why 3.1f20.2 --for 20s")
	if h := Judge(seen(func(*pushdapi.Watched) {})).Try; h != nil {
		t.Errorf("healthy: %v", h)
	}
}

func TestLines(t *testing.T) {
	e := seen(func(w *pushdapi.Watched) { clientSlow(w, 0.94, 6000); w.Conn.User = "u-\x1b[31m" })
	e.Missing = []Missing{{What: "locks by line", Why: "this user may not probe", Do: "sudo pushctl why u-1"}}
	v := Judge(e)
	got := strings.Join(Lines(e.Seen, &v, false, table.Style{}), "\n")
	want := `u-` + "\uFFFD" + `[31m on gw-1, ws from 203.0.113.7:51234, conn 3.1f20.2, watched 5 s

The client does not read fast enough: its receive window was full for 94 % of
5 s, the network lost nothing, and this node was never late.

client     strong receive window full 94 % of 5 s
                  took 1.2 KB/s, 300 → 390 queued, oldest 20 s
network    –      0 of 30 segments sent again, round trip up to 200 ms
publisher  –      in 20/s, 20/s before; out 2/s
node       –      took work up within 0.6 ms on average, p99 4.0 ms; turns p99
                    400 µs
without locks by line: this user may not probe
  to have it   sudo pushctl why u-1
  send it less   pushctl knob set queue.normal.policy coalesce --for 1h
  let it go      pushctl kick 3.1f20.2`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, style := range []table.Style{{}, {Color: true}} {
		for _, e := range []Evidence{{}, e, seen(func(*pushdapi.Watched) {})} {
			v := Judge(e)
			for _, wide := range []bool{false, true} {
				if len(Lines(e.Seen, &v, wide, style)) < 6 {
					t.Error("hardly anything is shown")
				}
			}
		}
	}
}

func ExampleJudge() {
	v := Judge(seen(func(w *pushdapi.Watched) { clientSlow(w, 1, 0) }))
	fmt.Println(v.Kind, v.Cause)
	// Output: client stalled
}

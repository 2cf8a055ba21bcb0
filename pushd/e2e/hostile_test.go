package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/swarm"
)

// attack is one way to harm a node.
type attack struct {
	name string
	// run attacks until ctx ends.
	run func(ctx context.Context, a *arena)
	// Reasons that the node must count meanwhile: one of closed (which, depends
	// on how fast this machine is), and all of dropped.
	closed  []push.CloseReason
	dropped []push.DropReason
}

// The budgets that the node is given, and what it may use in all. The rest is
// for code, records and the collector.
const (
	messageBudget = 64 << 20
	bufferBudget  = 32 << 20
	pssMax        = messageBudget + bufferBudget + 128<<20
)

// attackTime is how long an attack takes, or longer if the node has not counted
// by then what it must: on a busy machine attackers are slow.
const attackTime = 3 * time.Second

// arena is a node under attack with well-behaved clients on it.
type arena struct {
	t    *testing.T
	node *process
	good *herd
	sent atomic.Int64 // messages published to the good clients
	pss  atomic.Int64 // the most that the node used
}

const goodClients = 200

// TestHostileClients attacks a node while 200 well-behaved clients get 500
// messages per second. They lose nothing, the node stays within its budget and
// says what happened. What the attack costs them in time is only told.
func TestHostileClients(t *testing.T) {
	n := startPushd(t, "--knob", "handshake.timeout=1s", "--knob", "handshake.pending_max=2000", "--knob", "close.wait=1s",
		"--knob", "memory.message_bytes_max="+itoa(messageBudget), "--knob", "conns.buffer_bytes_max="+itoa(bufferBudget))
	a := &arena{t: t, node: n}
	a.good = startHerd(t, n.client[0], swarm.Options{Conns: goodClients,
		Protos: evenly(push.ProtoWS, push.ProtoSSE, push.ProtoStream), User: func(i int) string { return "good-" + itoa(i) }})
	stop := a.publish()
	calm := a.round(t, attack{name: "calm"}, stats(t, n))
	for _, at := range attacks() {
		t.Run(at.name, func(t *testing.T) {
			before := stats(t, n)
			p99 := a.round(t, at, before)
			t.Logf("p99 of the well-behaved: calm %s, now %s; PSS at most %d MiB", calm, p99, a.pss.Load()>>20)
			a.judge(t, at, before)
		})
	}
	stop()
	eventually(t, "the good clients have everything", func() bool { return a.good.Received() >= a.sent.Load() })
	c := a.good.Snapshot()
	if c.Received != a.sent.Load() || c.Lost+c.Declared+c.Duplicates+c.OutOfOrder+c.Malformed+c.Closed != 0 {
		t.Errorf("well-behaved clients: sent %d, %+v", a.sent.Load(), c)
	}
}

// publish sends 500 messages per second to the good clients until stop.
func (a *arena) publish() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Add(1)
	go func() { // ended by stop
		defer done.Done()
		clock := swarm.NewClock()
		pub := a.node.API.Publish(context.Background(), false, nil)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for begin := time.Now(); ctx.Err() == nil; <-tick.C {
			// A tick that came late is made up for.
			for due := int64(time.Since(begin) / (2 * time.Millisecond)); a.sent.Load() < due; a.sent.Add(1) {
				i := a.sent.Load()
				data := fmt.Sprintf(`{"t":%d,"k":0,"fill":"%s"}`, clock.Now(), strings.Repeat("x", 150))
				if err := pub.Send(&pushdapi.Send{User: "good-" + itoa(int(i%goodClients)), Data: json.RawMessage(data)}); err != nil {
					a.t.Errorf("publish: %v", err)
					return
				}
			}
			if err := pub.Flush(); err != nil {
				a.t.Errorf("publish: %v", err)
				return
			}
		}
		if r, err := pub.Close(); err != nil || int64(r.Delivered) != a.sent.Load() {
			a.t.Errorf("published %d to the well-behaved: %+v, %v", a.sent.Load(), r, err)
		}
	}()
	return func() { cancel(); done.Wait() }
}

// round attacks for attackTime, watches the node's memory and returns the
// well-behaved clients' p99 meanwhile.
func (a *arena) round(t *testing.T, at attack, before *pushdapi.Stats) time.Duration {
	t.Helper()
	a.pss.Store(0)
	a.good.Latency(true)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var done sync.WaitGroup
	if at.run != nil {
		done.Add(1)
		go func() { defer done.Done(); at.run(ctx, a) }()
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); ; <-tick.C {
		a.pss.Store(max(a.pss.Load(), pss(t, a.node.cmd.Process.Pid)))
		if took := time.Since(begin); took > patience || took > attackTime && at.counted(before, stats(t, a.node)) {
			break
		}
	}
	cancel()
	done.Wait()
	l := a.good.Latency(true)
	return time.Duration(l.Kind[0].Quantile(0.99))
}

// counted tells whether the node has counted what an attack must bring about.
func (at *attack) counted(before, now *pushdapi.Stats) bool {
	for _, r := range at.dropped {
		if now.DroppedBy[r.String()] == before.DroppedBy[r.String()] {
			return false
		}
	}
	return len(at.closed) == 0 || at.reason(before, now) != ""
}

// reason is the first of those that the node has closed connections for.
func (at *attack) reason(before, now *pushdapi.Stats) string {
	for _, r := range at.closed {
		if word := r.String(); now.ClosedBy[word] > before.ClosedBy[word] {
			return word
		}
	}
	return ""
}

// pss is what the kernel says a process uses, in bytes.
func pss(t *testing.T, pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "\nPss:")
	f := strings.Fields(rest)
	kib, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// judge checks what the node says of an attack.
func (a *arena) judge(t *testing.T, at attack, before *pushdapi.Stats) {
	if got := a.pss.Load(); got > pssMax {
		t.Errorf("the node used %d MiB, its budgets and all else make %d", got>>20, pssMax>>20)
	}
	if len(at.closed) > 0 {
		word := at.reason(before, stats(t, a.node))
		if word == "" {
			t.Fatalf("no connection is counted as closed with a reason of %v", at.closed)
		}
		var rows []pushdapi.ClosedRow
		ctlJSON(t, a.node, &rows, "closed", "--reason", word)
		if len(rows) == 0 || rows[0].Reason != word || rows[0].Peer == "" {
			t.Errorf("pushctl closed --reason %s shows %+v", word, rows)
		}
	}
	if now := stats(t, a.node); !at.counted(before, now) {
		t.Errorf("dropped %v, want all of %v", now.DroppedBy, at.dropped)
	}
	// What is left of one attack must not come on top of the next.
	var s *pushdapi.Stats
	eventually(t, "only the well-behaved are left", func() bool {
		s = stats(t, a.node)
		return s.Connections.Total == goodClients && s.Memory.MessageBytes < messageBudget/8
	})
	if want := []string{"ws", "sse", "stream"}; slices.ContainsFunc(want, func(p string) bool { return s.Connections.ByProto[p] < goodClients/3 }) {
		t.Errorf("well-behaved clients are gone: %v", s.Connections.ByProto)
	}
}

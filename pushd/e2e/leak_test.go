package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"testing"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/swarm"
)

// TestConnectsLeaveNothing makes 100,000 connections on all four transports in
// turns of 10,000, each with a message, groups and a goodbye, and wants the
// node to be afterwards what it was after the first turn.
func TestConnectsLeaveNothing(t *testing.T) {
	const turns, conns = 10, 10_000
	n := startPushd(t, "--knob", "replay.ttl=1s", "--knob", "dedup.window=0s")
	opened := int64(0)
	var before figures
	for turn := range turns {
		opened += connectMany(t, n, turn, conns)
		if turn == 0 {
			before = empty(t, n)
		}
	}
	// What a busy machine has not cleared away yet is no leak.
	var after figures
	eventually(t, "the node is as before", func() bool {
		after = empty(t, n)
		return after.within(before)
	}, func() string { return fmt.Sprintf("after turn 1: %+v, after turn %d: %+v", before, turns, after) })
	if opened < turns*conns {
		t.Errorf("%d connections were opened, want %d", opened, turns*conns)
	}
	t.Logf("after turn 1:  %+v", before)
	t.Logf("after turn %d: %+v", turns, after)
}

// connectMany opens connections, sends a message to each and closes them.
func connectMany(t *testing.T, n *process, turn, conns int) int64 {
	t.Helper()
	// Addresses of its own for each turn: the ports of the one before are still
	// in TIME_WAIT.
	h := startHerd(t, n.client[0], swarm.Options{Conns: conns, Rate: 20_000, Query: "group=all&resume=1",
		Source: netip.AddrFrom4([4]byte{127, 0, 1, byte(turn + 1)}),
		Protos: evenly(push.ProtoWS, push.ProtoSSE, push.ProtoStream, push.ProtoPoll)})
	pub := n.API.Publish(context.Background(), false, nil)
	for i := range conns {
		m := numbered("u-"+itoa(i), turn*conns+i+1)
		if err := pub.Send(&m); err != nil {
			t.Fatal(err)
		}
	}
	// A poll that has been answered is away for a moment, and a message that meets
	// its end is gone for that request only.
	if r, err := pub.Close(); err != nil || r.Delivered+r.Kept+r.Dropped["gone"] != uint64(conns) {
		t.Errorf("published: %+v, %v", r, err)
	}
	eventually(t, "every client has its message", func() bool { return h.Received() >= int64(conns) })
	c := h.Snapshot()
	if c.Lost != 0 || c.Duplicates != 0 || c.Malformed != 0 {
		t.Errorf("turn %d: %+v", turn, c)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "all are gone", func() bool { return stats(t, n).Connections.Total == 0 })
	return c.Opened
}

// figures are what must come back to the start.
type figures struct {
	goroutines int
	fds        int64
	slab, heap int64
}

// within tells whether there is hardly more than before.
func (f *figures) within(before figures) bool {
	// Records are kept for reuse: what counts is the most that each loop ever had,
	// and the kernel does not spread connections evenly. A leak would make it ten
	// times as much.
	return f.goroutines <= before.goroutines+5 && f.fds <= before.fds+5 &&
		f.slab <= before.slab*3/2 && f.heap <= before.heap+4<<20
}

// empty waits until nothing is left of users, groups and messages, and returns
// what the node then holds.
func empty(t *testing.T, n *process) figures {
	t.Helper()
	eventually(t, "users, groups and messages are gone", func() bool {
		s := stats(t, n)
		return s.Users == 0 && s.Groups == 0 && s.Memory.MessageBytes == 0 && s.Queued.Messages == 0
	})
	var f figures
	// The heap counts what a collection leaves; a profile that asks for one is
	// the way to have it done.
	collect(t, n)
	s := stats(t, n)
	f.goroutines, f.fds, f.slab, f.heap = s.Process.Goroutines, s.Process.FDs, s.Memory.SlabBytes, s.Memory.HeapBytes
	return f
}

func collect(t *testing.T, n *process) {
	t.Helper()
	c := http.Client{Timeout: patience}
	defer c.CloseIdleConnections()
	for range 2 { // finalizers run after the first
		resp, err := c.Get(fmt.Sprintf("http://%s/debug/pprof/heap?gc=1", n.API.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("heap profile: %s, %v", resp.Status, err)
		}
	}
}

func stats(t testing.TB, n *process) *pushdapi.Stats {
	t.Helper()
	return statsOf(t, n.API)
}

// statsOf asks for a node's figures until all its loops have told theirs: of a
// loop that is silent nothing is counted.
func statsOf(t testing.TB, api *pushdapi.Client) (s *pushdapi.Stats) {
	t.Helper()
	eventually(t, "all loops tell their figures", func() bool {
		var err error
		if s, err = api.Stats(context.Background()); err != nil {
			t.Fatal(err)
		}
		return len(s.SilentLoop) == 0
	})
	return s
}

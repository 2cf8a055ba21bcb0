package node_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/testnode"
)

// TestWatch watches a client that has stopped to read beside one that reads.
func TestWatch(t *testing.T) {
	n := testnode.Start(t, nil)
	slow, fast := read(t, n, "user=slow", 4096), read(t, n, "user=fast", 0)
	defer slow.conn.Close()
	read := make(chan struct{})
	go func() { // ended by the end of the connection
		defer close(read)
		for fast.body.Scan() {
		}
	}()
	data := `"` + strings.Repeat("x", 2000) + `"`
	for range 200 {
		send(t, n, "slow", data)
		send(t, n, "fast", data)
	}
	n.Eventually("only the slow one is behind", func(s *pushdapi.Stats) bool { return s.Queued.Conns == 1 })
	w := watch(t, n, "slow")
	if q := w.Queue; q.First == 0 || q.Max < q.Last || q.OldestSeconds < 0.3 || q.Waiting != 1 || w.Offered != 0 || w.Looks < 5 {
		t.Errorf("a queue that stands still: %+v of %+v", q, w)
	}
	if s := w.Socket; s == nil || s.RwndLimited < 0.5 || s.Unsent < 0.5 || s.UnsentMax == 0 || s.AckedBytes > 0 {
		t.Errorf("a window that is closed: %+v", s)
	}
	if c := w.Conn; c.User != "slow" || c.Cause.Kind != "client" || c.TCPRecent == nil || w.OverSeconds < 0.5 {
		t.Errorf("%+v", w)
	}
	if l := w.Loop; len(l.Threads) == 0 || l.Late.Max <= 0 || l.Turns == 0 || l.Turn.Max <= 0 || l.RunSeconds <= 0 {
		t.Errorf("loop: %+v", l)
	}
	if p := w.Process; p.Cores < 1 || p.CPUSeconds <= 0 || w.Place.PID == 0 {
		t.Errorf("process: %+v of %+v", p, w.Place)
	}
	w = watch(t, n, "fast")
	if q := w.Queue; q.Max != 0 || q.Waiting != 0 || w.Dropped != 0 || w.Socket == nil || w.Socket.RwndLimited > 0 {
		t.Errorf("a client that reads: %+v, %+v", w, w.Socket)
	}
	fast.conn.Close()
	<-read
}

// watch watches the only connection of a user, once more if the machine stood
// still meanwhile.
func watch(t *testing.T, n *testnode.Node, user string) (w *pushdapi.Watched) {
	t.Helper()
	for tries := 0; w == nil || w.Looks < 5 && tries < 5; tries++ {
		var err error
		if w, err = n.API.Watch(t.Context(), connOf(t, n, user), 500*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func connOf(t *testing.T, n *testnode.Node, user string) string {
	t.Helper()
	u, err := n.API.User(t.Context(), user)
	if err != nil || len(u.Sessions) != 1 {
		t.Fatalf("%+v, %v", u, err)
	}
	return u.Sessions[0].Conn
}

func TestAWatchedConnectionThatEnds(t *testing.T) {
	n := testnode.Start(t, nil)
	r := read(t, n, "user=u", 0)
	id := connOf(t, n, "u")
	done := make(chan error, 1)
	go func() { // ended by the end of the connection
		_, err := n.API.Watch(context.Background(), id, time.Minute)
		done <- err
	}()
	r.conn.Close()
	e, ok := (<-done).(*pushdapi.Error)
	if !ok || e.Status != http.StatusNotFound {
		t.Errorf("%v", e)
	}
}

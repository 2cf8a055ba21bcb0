package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/swarm"
)

// production starts a node whose tap may cost what it likes: on a busy machine
// a tee of everything is over the budget that a node has by itself.
func production(t *testing.T, o nodeOptions) *node {
	t.Helper()
	o.name = "production"
	o.knobs = append([]string{"tap.cpu_percent_max=1000"}, o.knobs...)
	return startNode(t, o)
}

// shadow starts a node that takes the clients of a tee only.
func shadow(t *testing.T, o nodeOptions) *node {
	t.Helper()
	if o.name == "" {
		o.name = "shadow"
	}
	o.flags = append(o.flags, "--shadow")
	return startNode(t, o)
}

// crowd connects clients, of users name0, name1 and so on, until the test ends.
func (n *node) crowd(t *testing.T, name string, conns int, profile, proto string) *swarm.Swarm {
	t.Helper()
	o := swarm.Options{Target: n.client, Conns: conns, Reconnect: true, SlowBytes: slowBytes, ChurnMean: 300 * time.Millisecond,
		User: func(i int) string { return fmt.Sprint(name, i) }}
	var err error
	if o.Profiles, err = swarm.ParseMix(profile, swarm.ParseProfile); err != nil {
		t.Fatal(err)
	}
	if o.Protos, err = swarm.ParseMix(proto, push.ParseProto); err != nil {
		t.Fatal(err)
	}
	s, err := swarm.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start(context.Background()) // ended by Close
	t.Cleanup(func() { s.Close() })
	select {
	case <-s.Ready():
	case <-time.After(patience):
		t.Fatalf("clients do not get in: %+v", s.Snapshot())
	}
	if c := s.Snapshot(); c.GivenUp > 0 {
		t.Fatalf("clients did not get in: %+v", c)
	}
	return s
}

// slowBytes is what a slow client of a crowd reads in a second.
const slowBytes = 40_000

// tells is who is sent how many messages a second, all of them together.
type tells struct {
	name string // of a crowd
	n    int    // users of the crowd; 0: the one of that name
	rate float64
}

func (to *tells) user(i int) string {
	if to.n == 0 {
		return to.name
	}
	return fmt.Sprint(to.name, i%to.n)
}

// tell publishes messages of size bytes until stop is called, which returns how
// many there were, or the test ends. What was not in time is made up for.
func (n *node) tell(t *testing.T, size int, to ...tells) (stop func() uint64) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan uint64, 1)
	go func() { // ended by cancel
		sent, err := n.publishTo(ctx, size, to)
		if err != nil {
			t.Errorf("publish: %v", err)
		}
		done <- sent
	}()
	stop = sync.OnceValue(func() uint64 {
		cancel()
		return <-done
	})
	t.Cleanup(func() { stop() })
	return stop
}

func (n *node) publishTo(ctx context.Context, size int, to []tells) (all uint64, err error) {
	p := n.API.Publish(context.Background(), false, nil)
	random := rand.NewChaCha8([32]byte{}) // what can be packed would fill no disk
	raw := make([]byte, size*3/4)
	sent := make([]int, len(to))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	begun := time.Now()
	for err == nil {
		select {
		case <-ctx.Done():
			_, err = p.Close()
			return all, err
		case <-tick.C:
		}
		for i, who := range to {
			for due := int(time.Since(begun).Seconds() * who.rate); sent[i] < due && err == nil; sent[i]++ {
				_, _ = random.Read(raw)
				data := base64.StdEncoding.AppendEncode([]byte{'"'}, raw)
				err = p.Send(&pushdapi.Send{User: who.user(sent[i]), Data: append(data, '"')})
				all++
			}
		}
		if err == nil {
			err = p.Flush()
		}
	}
	return all, err
}

// stats are a node's figures, once all its loops have answered.
func (n *node) stats(t *testing.T) (s *pushdapi.Stats) {
	t.Helper()
	eventually(t, "the node tells its figures", func() bool {
		var err error
		s, err = n.API.Stats(context.Background())
		return err == nil && len(s.SilentLoop) == 0
	})
	return s
}

// tap is what a node's tap does.
func (n *node) tap(t *testing.T) *pushdapi.Tap {
	t.Helper()
	s, err := n.API.Tap(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// metric is the value of a metric with its labels, as written.
func (n *node) metric(t *testing.T, name string) string {
	t.Helper()
	c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", n.admin)
	}}}
	resp, err := c.Get("http://node/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("no metric %s", name)
	return ""
}

// sum adds up counts by kind or reason.
func sum[N int64 | uint64](m map[string]N) (n N) {
	for _, v := range m {
		n += v
	}
	return n
}

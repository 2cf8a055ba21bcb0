package session

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/wire/ws/wstest"
)

func TestQuietClientIsAskedAndStaysIfItAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, "heartbeat.ws.interval", "1s", "heartbeat.ws.timeout", "2s")
	c := r.rawWS("user=u")
	for i := range 3 { // longer than the timeout
		if f := c.frame(); f.Op != wstest.PingOp || len(f.Payload) != 0 {
			t.Fatalf("frame %d is %d %q, want a ping", i, f.Op, f.Payload)
		}
		c.write(string(wstest.Frame(true, 0, wstest.PongOp, "")))
	}
	if n := r.s.Closed.Totals()[push.CloseHeartbeat]; n != 0 {
		t.Errorf("%d closed", n)
	}
}

// The hello frame promises something every ping_ms: a ping to quiet clients
// then at the latest, and not many more than that.
func TestPingsKeepTheirPromise(t *testing.T) {
	f := func(clients int) {
		t.Helper()
		r := newRig(t)
		for range clients {
			r.rawWS("user=u")
		}
		const interval, tick, rounds = 25_000, 100, 4
		r.do(func() { // a clock of our own
			last, total := make([]uint32, clients+1), uint64(0)
			for s := 1; s <= clients; s++ {
				r.table.lastSeen[s], last[s] = r.table.nowMS, r.table.nowMS
			}
			for range rounds * interval / tick {
				r.table.nowMS += tick
				before := r.table.totals.Pings
				r.table.sweep()
				total += r.table.totals.Pings - before
				for s := 1; s <= clients; s++ {
					if c := &r.table.conns[s]; c.beats > 0 {
						if gap := r.table.nowMS - last[s]; gap > interval {
							t.Fatalf("%d clients: one heard nothing for %d ms", clients, gap)
						}
						last[s], r.table.lastSeen[s], c.beats = r.table.nowMS, r.table.nowMS, 0
					}
				}
			}
			if most := float64(rounds*clients) * 1.1; float64(total) > most {
				t.Errorf("%d clients were asked %d times in %d intervals", clients, total, rounds)
			}
		})
	}
	for _, n := range []int{1, 2, 124, 125, 249, 250, 251, 400} {
		f(n)
	}
}

// One that does not answer is asked once per interval, then told and closed.
func TestSilentClientIsClosed(t *testing.T) {
	t.Parallel()
	r := newRig(t, "heartbeat.ws.interval", "1s", "heartbeat.ws.timeout", "2500ms")
	c := r.rawWS("user=u")
	pings := 0
	f := c.frame()
	for ; f.Op == wstest.PingOp; f = c.frame() {
		pings++
	}
	if pings < 1 || pings > 2 {
		t.Errorf("asked %d times in 2.5 intervals, at most 2 will do", pings)
	}
	if f.Op != wstest.CloseOp || string(f.Payload[2:]) != "heartbeat" {
		t.Errorf("then %d %q, want a close", f.Op, f.Payload)
	}
	c.Close()
	r.eventually("closed", r.closed(push.CloseHeartbeat))
}

func TestClientsWithAFullSocketAreClosed(t *testing.T) {
	for _, p := range protos[:3] {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "heartbeat."+p.String()+".interval", "1s", "heartbeat."+p.String()+".timeout", "1500ms")
			r.reluctant(p, 16<<10)
			for range 20 {
				r.send("u", `"`+pad(32<<10)+`"`, slab.Meta{})
			}
			r.full()
			r.eventually("closed", r.closed(push.CloseHeartbeat))
			if n := len(r.s.Closed.List(push.CloseNone, 0)); n != 1 {
				t.Errorf("%d closed, want 1", n)
			}
		})
	}
}

func TestQuietStreamsHearPings(t *testing.T) {
	f := func(t *testing.T, p push.Proto, want string) {
		t.Parallel()
		r := newRig(t, "heartbeat."+p.String()+".interval", "1s", "heartbeat."+p.String()+".timeout", "1500ms")
		c := r.raw()
		c.write(request(p, "user=u"))
		lines := bufio.NewScanner(c.response(200).Body)
		for pings := 0; pings < 2; {
			if !lines.Scan() {
				t.Fatalf("%s ended: %v", p, lines.Err())
			}
			if line := lines.Text(); line == want {
				pings++
			} else if strings.HasPrefix(line, ":") || strings.Contains(line, `"ping"`) {
				t.Fatalf("%s: line %q", p, line)
			}
		}
		if n := r.s.Closed.Totals()[push.CloseHeartbeat]; n != 0 {
			t.Errorf("%d closed", n)
		}
	}
	t.Run("sse", func(t *testing.T) { f(t, push.ProtoSSE, ":") })
	t.Run("stream", func(t *testing.T) { f(t, push.ProtoStream, `{"type":"ping"}`) })
}

// A client that takes bytes slowly is alive.
func TestSlowButReadingClientStays(t *testing.T) {
	t.Parallel()
	r := newRig(t, "heartbeat.stream.timeout", "2s", "heartbeat.stream.interval", "1s", "queue.bytes_max", "8MiB")
	c := r.reluctant(push.ProtoStream, 16<<10)
	const n = 60
	for range n {
		r.send("u", `"`+pad(32<<10)+`"`, slab.Meta{})
	}
	r.full()
	piece := make([]byte, 64<<10)
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		if _, err := io.ReadFull(c.br, piece); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
	}
	if n := r.s.Closed.Totals()[push.CloseHeartbeat]; n != 0 {
		t.Errorf("%d closed", n)
	}
}

func TestRoundTripTimeIsSampled(t *testing.T) {
	r := newRig(t, "heartbeat.ws.interval", "1s")
	r.ws("user=u")
	r.eventually("sampled", func() bool { return r.table.Cols.RTT[1] > 0 })
}

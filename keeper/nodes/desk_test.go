package nodes

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/keeper/state"
	"pushfleet/keeper/watch"
)

// bench is a desk over a state that commits at once.
type bench struct {
	t     *testing.T
	state *state.State
	desk  *Desk
	apply func(state.Command) keeperapi.Result
	broke chan string
}

func open(t *testing.T) *bench {
	b := &bench{t: t, state: state.New(), broke: make(chan string, 8)}
	hub := &watch.Hub{}
	machine := hub.Machine(b.state)
	var mu sync.Mutex
	b.apply = func(c state.Command) (r keeperapi.Result) {
		mu.Lock()
		defer mu.Unlock()
		c.At = keeperapi.TimeOf(time.Now())
		text, err := state.Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(machine.Apply(0, text), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	b.desk = New(Config{State: b.state, Hub: hub, Member: "k1", Cluster: func() string { return "c" }, Log: slog.New(slog.DiscardHandler),
		Now:     func() keeperapi.Time { return keeperapi.TimeOf(time.Now()) },
		Propose: func(_ context.Context, c state.Command) (keeperapi.Result, error) { return b.apply(c), nil },
		Broke:   func(node string, x *keeperapi.Broke) { b.broke <- node + " " + x.Figures }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.desk.Open(ctx, func() string { return "k2:7410" }) }()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
	return b
}

func (b *bench) set(value string) uint64 {
	b.t.Helper()
	r := b.apply(state.Command{Op: state.OpTxn, Body: keeperapi.Txn{Changes: []keeperapi.Assign{
		{Knob: "queue.messages_max", Scope: keeperapi.Fleet, Value: value}}}})
	if r.Error != nil {
		b.t.Fatal(r.Error)
	}
	return r.Revision
}

// peer is a node's end of a connection.
type peer struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func (b *bench) dial(id, epoch string, from uint64) *peer {
	b.t.Helper()
	return b.greet(keeperapi.Hello{From: from, Join: keeperapi.Join{ID: id, Epoch: epoch}})
}

func (b *bench) greet(h keeperapi.Hello) *peer {
	b.t.Helper()
	here, there := net.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = b.desk.Serve(context.Background(), there, bufio.NewReader(there), h.ID+"'s address", func(context.Context) error { return nil })
	}()
	b.t.Cleanup(func() { here.Close(); <-ended })
	p := &peer{b.t, here, bufio.NewReader(here)}
	schema := keeperapi.Schema{{Name: "queue.messages_max", Type: "int", Default: "1024", Min: "1", Max: "65536"}}
	h.Schema, h.Definition = schema.Hash(), schema
	p.say(keeperapi.NodeFrame{Hello: &h})
	return p
}

func (p *peer) say(f keeperapi.NodeFrame) {
	p.t.Helper()
	b, err := json.Marshal(f)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.conn.Write(append(b, '\n')); err != nil {
		p.t.Fatal(err)
	}
}

// hear returns the next frame, leaving out signs of life.
func (p *peer) hear() keeperapi.KeeperFrame {
	p.t.Helper()
	for {
		line, err := p.in.ReadBytes('\n')
		if err != nil {
			p.t.Fatal(err)
		}
		if len(line) == 1 {
			continue
		}
		var f keeperapi.KeeperFrame
		if err := json.Unmarshal(line, &f); err != nil {
			p.t.Fatal(err)
		}
		return f
	}
}

// take hears a frame of values and says that it holds them.
func (p *peer) take() keeperapi.KeeperFrame {
	p.t.Helper()
	f := p.hear()
	a := &keeperapi.Ack{}
	if f.Knobs != nil {
		a.Applied = f.Knobs.Revision
	} else if f.Delta != nil {
		a.Applied = f.Delta.Revision
	}
	p.say(keeperapi.NodeFrame{Ack: a})
	return f
}

func (p *peer) welcomed() *peer {
	p.t.Helper()
	if f := p.hear(); f.Welcome == nil || f.Welcome.BeatMS != 2000 {
		p.t.Fatalf("no welcome: %+v", f)
	}
	return p
}

func TestSlowNodeSkipsWhatIsPast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		slow := b.dial("slow", "1", 0).welcomed()
		quick := b.dial("quick", "1", 0).welcomed()
		if f := quick.take(); f.Knobs == nil {
			t.Fatalf("first came %+v", f)
		}
		// slow reads nothing: its first frame is being written all the while.
		for i := range 100 {
			b.set(fmt.Sprint(1000 + i))
			f := quick.take()
			if f.Delta == nil || f.Delta.Knobs["queue.messages_max"].Value != fmt.Sprint(1000+i) {
				t.Fatalf("quick got %+v", f)
			}
		}
		if f := slow.take(); f.Knobs == nil {
			t.Fatalf("first came %+v", f)
		}
		f := slow.hear()
		if f.Delta == nil || f.Delta.Knobs["queue.messages_max"].Value != "1099" || f.Delta.Position != b.state.Revision() {
			t.Errorf("slow got %+v, want the latest in one", f)
		}
	})
}

func TestPositionOfAnotherClusterCountsForNothing(t *testing.T) {
	f := func(cluster string, full bool) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			b := open(t)
			b.dial("gw-1", "1", 0).welcomed().conn.Close()
			at := b.set("2000")
			b.set("3000")
			again := b.greet(keeperapi.Hello{From: at, Cluster: cluster, Join: keeperapi.Join{ID: "gw-1", Epoch: "1"}}).welcomed()
			if got := again.hear(); (got.Knobs != nil) != full || (got.Delta != nil) == full {
				t.Errorf("of the cluster %q: sent %+v", cluster, got)
			}
		})
	}
	f("c", false)
	f("", false) // an older build does not say
	f("lost", true)
}

func TestNodeThatTakesNothingIsHungUpOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		b.dial("stuck", "1", 0).welcomed()
		synctest.Wait()
		if b.desk.Len() != 1 {
			t.Fatal("no session")
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if b.desk.Len() != 0 {
			t.Error("it still has its session")
		}
	})
}

func TestNameBelongsToWhoIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		first := b.dial("gw-1", "1", 0).welcomed()
		first.hear()
		other := b.dial("gw-1", "2", 0)
		if f := other.hear(); f.Bye == nil || !strings.Contains(f.Bye.Reason, "gw-1's address") || !strings.Contains(f.Bye.Reason, "--node-name") {
			t.Errorf("another process of the same name: %+v", f)
		}
		again := b.dial("gw-1", "1", 0).welcomed() // the same process, on a new connection
		if f := first.hear(); f.Bye == nil {
			t.Errorf("the old connection: %+v", f)
		}
		again.hear()
		if b.desk.Len() != 1 {
			t.Errorf("%d sessions", b.desk.Len())
		}
	})
}

func TestLeaseLivesFromBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		p := b.dial("gw-1", "1", 0).welcomed()
		p.hear()
		p.answers(nil)
		for range 10 {
			p.say(keeperapi.NodeFrame{Beat: &keeperapi.Beat{Health: "serving", Load: map[string]float64{"conns": 7}}})
			time.Sleep(2 * time.Second)
		}
		n, ok := b.state.Node("gw-1")
		if now := keeperapi.TimeOf(time.Now()); !ok || n.Lease <= now || n.Health != "serving" || n.Load["conns"] != 7 {
			t.Errorf("after 20 s of beats: %+v at %d", n, now)
		}
		p.conn.Close()
		time.Sleep(11 * time.Second)
		n, _ = b.state.Node("gw-1")
		if n.DeadFor(keeperapi.TimeOf(time.Now())) <= 0 {
			t.Errorf("silent for 11 s, its lease runs until %d", n.Lease)
		}
	})
}

func TestForgottenNodeIsAskedToJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		p := b.dial("gw-1", "1", 0).welcomed()
		p.hear()
		b.apply(state.Command{Op: state.OpLeave, Body: keeperapi.Leave{ID: "gw-1"}})
		p.say(keeperapi.NodeFrame{Ack: &keeperapi.Ack{Applied: 0}})
		if f := p.hear(); f.Bye == nil || !strings.Contains(f.Bye.Reason, "do not know") {
			t.Errorf("it was told %+v", f)
		}
	})
}

func TestCheckNamesTheSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		a, c := b.dial("a", "1", 0).welcomed(), b.dial("c", "1", 0).welcomed()
		a.hear()
		c.hear()
		a.answers(func(f keeperapi.KeeperFrame) (out keeperapi.NodeFrame) {
			if f.Check != nil {
				out.Checked = &keeperapi.Checked{ID: f.Check.ID, Refused: []keeperapi.Refusal{{Knob: "x", Reason: "no " + f.Check.Values["x"]}}}
			}
			return out
		})
		c.answers(nil)
		q := &Question{Values: map[string]string{"x": "5"}}
		p := b.desk.Check(t.Context(), func(string, map[string]string) *Question { return q })
		if p.Asked != 2 || p.Accepted != 0 || len(p.Silent) != 1 || p.Silent[0] != "c" || len(p.Refused) != 1 || p.Refused[0] != (keeperapi.Refusal{Node: "a", Knob: "x", Reason: "no 5"}) {
			t.Errorf("%+v", p)
		}
		if p := b.desk.Check(t.Context(), func(string, map[string]string) *Question { return nil }); p.Asked != 0 {
			t.Errorf("nobody was to be asked: %+v", p)
		}
	})
}

func TestAwaitCountsWhoHasApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		a, c := b.dial("a", "1", 0).welcomed(), b.dial("c", "1", 0).welcomed()
		a.take()
		c.take()
		r := b.set("99")
		a.obedient()
		c.answers(nil)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		out := b.desk.Await(ctx, r, time.Now(), func(string, map[string]string) bool { return true })
		if out.Of != 2 || out.Applied != 1 || len(out.Pending) != 1 || out.Pending[0] != "c" {
			t.Errorf("%+v", out)
		}
	})
}

func TestAwaitKnowsANodeThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		p := b.dial("gw-1", "1", 0).welcomed()
		p.take()
		r := b.set("99")
		done := make(chan *keeperapi.Applied)
		go func() {
			done <- b.desk.Await(t.Context(), r, time.Now(), func(string, map[string]string) bool { return true })
		}()
		synctest.Wait()
		p.conn.Close() // before it has answered
		synctest.Wait()
		b.dial("gw-1", "1", 0).welcomed().obedient()
		if out := <-done; out.Of != 1 || out.Applied != 1 {
			t.Errorf("%+v", out)
		}
	})
}

func TestEndOfReignSendsNodesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		second := New(b.desk.cfg)
		go second.Open(ctx, func() string { return "k2:7410" })
		synctest.Wait()
		old := b.desk
		b.desk = second
		p := b.dial("gw-1", "1", 0).welcomed()
		p.hear()
		b.desk = old
		cancel()
		if f := p.hear(); f.Bye == nil || f.Bye.Leader != "k2:7410" {
			t.Errorf("it was told %+v", f)
		}
	})
}

// answers has the node say what f returns to each frame; nothing for nil.
func (p *peer) answers(f func(keeperapi.KeeperFrame) keeperapi.NodeFrame) {
	go func() { // ends with the connection
		for {
			line, err := p.in.ReadBytes('\n')
			if err != nil {
				return
			}
			var in keeperapi.KeeperFrame
			if f == nil || json.Unmarshal(line, &in) != nil {
				continue
			}
			out, _ := json.Marshal(f(in))
			if _, err := p.conn.Write(append(out, '\n')); err != nil {
				return
			}
		}
	}()
}

// obedient accepts whatever it is asked and applies whatever it is sent.
func (p *peer) obedient() {
	p.answers(func(f keeperapi.KeeperFrame) (out keeperapi.NodeFrame) {
		switch {
		case f.Check != nil:
			out.Checked = &keeperapi.Checked{ID: f.Check.ID}
		case f.Knobs != nil:
			out.Ack = &keeperapi.Ack{Applied: f.Knobs.Revision}
		case f.Delta != nil:
			out.Ack = &keeperapi.Ack{Applied: f.Delta.Revision}
		}
		return out
	})
}

func TestNodesThatAreAlikeAreAskedByTheFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		peers := map[string]*peer{}
		for i := range AlikeMax + 10 {
			id := fmt.Sprintf("gw-%d", i)
			peers[id] = b.dial(id, "1", 0).welcomed()
			peers[id].obedient()
		}
		synctest.Wait()
		f := func(what string, q Question, asked, spared int) {
			t.Helper()
			p := b.desk.Check(t.Context(), func(string, map[string]string) *Question { return &q })
			if p.Asked != asked || p.Accepted != asked || p.Spared != spared {
				t.Errorf("%s: asked %d, accepted %d, spared %d; want %d, %d", what, p.Asked, p.Accepted, p.Spared, asked, spared)
			}
		}
		values := map[string]string{"queue.messages_max": "5"}
		f("alike", Question{Values: values}, AlikeMax, 10)
		f("with a guard", Question{Values: values, Guard: "conns < 5"}, AlikeMax+10, 0)
		peers["gw-3"].say(keeperapi.NodeFrame{Drift: &keeperapi.Drifts{List: []keeperapi.Drift{{Knob: "x", Want: "1", Have: "2"}}}})
		peers["gw-4"].say(keeperapi.NodeFrame{Ack: &keeperapi.Ack{Nacked: 9, Reason: "no"}})
		b.apply(state.Command{Op: state.OpTxn, Body: keeperapi.Txn{Changes: []keeperapi.Assign{
			{Knob: "queue.messages_max", Scope: keeperapi.NodeScope("gw-5"), Value: "9"}}}})
		synctest.Wait()
		f("three that are special", Question{Values: values}, AlikeMax+3, 7)
	})
}

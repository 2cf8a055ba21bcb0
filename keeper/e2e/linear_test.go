package e2e

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"pushfleet/internal/keeperapi"
)

// The history that is judged.
const (
	linearFor     = 25 * time.Second // KEEPER_E2E_NEMESIS sets another time
	linearClients = 8
	linearKnobs   = 3
	linearPace    = 25 * time.Millisecond // between one client's calls
	linearTimeout = 2 * time.Second       // of one call; what is not answered then stays open
)

// TestLinearizable has clients set, compare-and-set and get through any member
// while keepers are killed, paused and cut off, and asks Porcupine whether
// there is an order of what happened that explains every answer. Afterwards the
// members' histories must agree, hold every change that was acknowledged and
// none that was refused, and a node must have held nothing else.
func TestLinearizable(t *testing.T) {
	seed := seedOf(t)
	k := startKeepers(t, newLAN(t), 3)
	c := k.client(patience)
	schema, knobs := linearSchema()
	node := startScribe(t, c, "scribe", schema)
	declared(t, c, knobs)
	remember(t, c)

	log := newLedger()
	ctx, cancel := context.WithTimeout(t.Context(), nemesisTime(t))
	defer cancel()
	var work sync.WaitGroup
	for i := range linearClients {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		work.Go(func() { newCaller(k, log, i, r, knobs).run(ctx) }) // ends with ctx
	}
	n := newNemesis(t, k, rand.New(rand.NewPCG(seed, 1<<32)))
	n.run(ctx)
	work.Wait()
	k.leader()
	t.Logf("%s; the nemesis: %v", log.summary(), n.done)
	for _, name := range knobs { // every knob is read once more when all is quiet
		newCaller(k, log, linearClients, nil, knobs).get(c, name)
	}
	past := committed(t, k, knobs)
	settle(t, log, past)
	obeyed(t, node, past)
	judge(t, log.history())
}

// nemesisTime is how long the nemesis may rage.
func nemesisTime(t testing.TB) time.Duration {
	text := os.Getenv("KEEPER_E2E_NEMESIS")
	if text == "" {
		return linearFor
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("KEEPER_E2E_NEMESIS: %v", err)
	}
	return d
}

// seedOf is the seed of this run; KEEPER_E2E_SEED repeats one.
func seedOf(t testing.TB) uint64 {
	seed := rand.Uint64()
	if text := os.Getenv("KEEPER_E2E_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("KEEPER_E2E_SEED: %v", err)
		}
	}
	t.Logf("KEEPER_E2E_SEED=%d", seed)
	return seed
}

func linearSchema() (s keeperapi.Schema, names []string) {
	for i := range linearKnobs {
		name := fmt.Sprintf("test.knob%d_max", i)
		names = append(names, name)
		s = append(s, keeperapi.Decl{Name: name, Type: "int", Default: "0", Min: "0", Max: "1000000000", Acts: "live"})
	}
	return s, names
}

// declared waits until the keepers know the knobs.
func declared(t testing.TB, c *keeperapi.Client, names []string) {
	t.Helper()
	for _, name := range names {
		eventually(t, name+" is declared", func() bool {
			_, err := c.Knob(t.Context(), name, keeperapi.Read{})
			return err == nil
		})
	}
}

// remember has the keepers keep all that a test does to a knob.
func remember(t testing.TB, c *keeperapi.Client) {
	t.Helper()
	l := keeperapi.DefaultLimits()
	l.History, l.Events = 100_000, 100_000
	if err := c.SetLimits(t.Context(), l); err != nil {
		t.Fatal(err)
	}
}

// ledger is what the clients saw.
type ledger struct {
	began time.Time
	value atomic.Int64 // no value is written twice
	mu    sync.Mutex
	ops   []porcupine.Operation
	lost  map[keeperapi.Code]int // calls that were refused because nobody led, and so on
	why   map[string]string      // of lost changes, by value
}

func newLedger() *ledger {
	return &ledger{began: time.Now(), lost: map[keeperapi.Code]int{}, why: map[string]string{}}
}

// changes is how many were acknowledged.
func (l *ledger) changes() (n int) {
	for _, o := range l.history() {
		if out := o.Output.(told); o.Input.(asked).verb != verbGet && !out.open && !out.refused {
			n++
		}
	}
	return n
}

// noteOp adds an operation; one that is open never returns.
func (l *ledger) noteOp(client int, in asked, out told, began, ended time.Time) {
	o := porcupine.Operation{ClientId: client, Input: in, Output: out, Call: began.Sub(l.began).Nanoseconds(), Return: ended.Sub(l.began).Nanoseconds()}
	if out.open {
		o.Return = ever
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ops = append(l.ops, o)
}

// noteLost counts a call that certainly changed nothing and told nothing.
func (l *ledger) noteLost(in asked, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost[cmp.Or(code(err), "silence")]++
	l.why[in.value] = fmt.Sprintf("%s %s: %v", time.Now().UTC().Format(time.RFC3339Nano), code(err), err)
}

func (l *ledger) history() []porcupine.Operation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.ops)
}

func (l *ledger) summary() string {
	count := map[string]int{}
	for _, o := range l.history() {
		in, out := o.Input.(asked), o.Output.(told)
		switch {
		case out.open:
			count["open"]++
		case out.refused:
			count["cas refused"]++
		default:
			count[string(in.verb)]++
		}
	}
	return fmt.Sprintf("answered %v, not done %v", count, l.lost)
}

// caller is one client.
type caller struct {
	id    int
	log   *ledger
	rand  *rand.Rand
	ask   []*keeperapi.Client // each member alone, then all of them
	knobs []string
	seen  map[string]uint64 // last revision that was seen of each knob
}

func newCaller(k *keepers, log *ledger, id int, r *rand.Rand, knobs []string) *caller {
	c := &caller{id: id, log: log, rand: r, knobs: knobs, seen: map[string]uint64{}}
	log.mu.Lock() // keepers.held is not made for several goroutines
	defer log.mu.Unlock()
	for i := range k.all {
		c.ask = append(c.ask, k.client(linearTimeout, i))
	}
	c.ask = append(c.ask, k.client(linearTimeout))
	return c
}

// run calls until ctx ends; calls are not broken off, but bounded.
func (c *caller) run(ctx context.Context) {
	pace := time.NewTicker(linearPace)
	defer pace.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		ask, knob := c.ask[c.rand.IntN(len(c.ask))], c.knobs[c.rand.IntN(len(c.knobs))]
		switch c.rand.IntN(4) {
		case 0:
			c.change(ask, verbSet, knob)
		case 1:
			c.change(ask, verbCAS, knob)
		default:
			c.get(ask, knob)
		}
	}
}

func (c *caller) get(ask *keeperapi.Client, knob string) {
	in, began := asked{verb: verbGet, knob: knob}, time.Now()
	info, err := ask.Knob(context.Background(), knob, keeperapi.Read{})
	if err != nil {
		c.log.noteLost(in, err)
		return
	}
	out := told{revision: info.Last}
	for _, v := range info.Values {
		if v.Scope == keeperapi.Fleet {
			out.value = v.Value.Value
		}
	}
	c.seen[knob] = out.revision
	c.log.noteOp(c.id, in, out, began, time.Now())
}

func (c *caller) change(ask *keeperapi.Client, v verb, knob string) {
	in := asked{verb: v, knob: knob, value: strconv.FormatInt(c.log.value.Add(1), 10), since: c.seen[knob]}
	r := keeperapi.TxnRequest{Txn: keeperapi.Txn{Changes: []keeperapi.Assign{{Knob: knob, Scope: keeperapi.Fleet, Value: in.value}}}}
	if v == verbCAS {
		r.IfRev = &in.since
	}
	began := time.Now()
	a, err := ask.Txn(context.Background(), r)
	ended := time.Now()
	switch {
	case err == nil:
		c.seen[knob] = a.Revision
		c.log.noteOp(c.id, in, told{revision: a.Revision}, began, ended)
	case code(err) == keeperapi.CodeRevision:
		c.log.noteOp(c.id, in, told{refused: true}, began, ended)
	case code(err) == keeperapi.CodeUnknownState:
		c.log.noteOp(c.id, in, told{open: true}, began, ended)
	default:
		c.log.noteLost(in, err)
	}
}

// judge asks Porcupine, which draws what it could not explain.
func judge(t *testing.T, history []porcupine.Operation) {
	t.Helper()
	model := knobModel()
	result, info := porcupine.CheckOperationsVerbose(model, history, patience)
	if result == porcupine.Ok {
		return
	}
	if result == porcupine.Unknown {
		t.Skipf("Porcupine has not decided about %d operations within %s", len(history), patience)
	}
	dir, err := os.MkdirTemp("", "linear")
	if err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(dir, "history.html")
	if err := porcupine.VisualizePath(model, info, page); err != nil {
		t.Fatal(err)
	}
	t.Errorf("the history of %d operations is not shown to be linearizable (%s): see %s", len(history), result, page)
}

// committed returns what happened to each knob, on which all members must agree.
func committed(t *testing.T, k *keepers, knobs []string) map[string][]keeperapi.Change {
	t.Helper()
	all := k.client(patience)
	out := map[string][]keeperapi.Change{}
	for _, knob := range knobs {
		h, err := all.History(t.Context(), knob, keeperapi.Read{})
		if err != nil {
			t.Fatal(err)
		}
		out[knob] = h.Changes
		for i, m := range k.all {
			eventually(t, m.id+" has caught up", func() bool {
				s := k.status(i)
				return s != nil && s.Revision >= h.Last
			})
			own, err := k.client(patience, i).History(t.Context(), knob, keeperapi.Read{Stale: true})
			if err != nil {
				t.Fatal(err)
			}
			// A change whose caller was told nothing may have been made meanwhile.
			own.Changes = slices.DeleteFunc(own.Changes, func(c keeperapi.Change) bool { return c.Revision > h.Last })
			if !slices.EqualFunc(own.Changes, h.Changes, sameChange) {
				t.Errorf("%s has another history of %s than the leader", m.id, knob)
			}
		}
	}
	return out
}

func sameChange(a, b keeperapi.Change) bool {
	return a.Revision == b.Revision && a.New != nil && b.New != nil && a.New.Value == b.New.Value && a.At == b.At
}

// settle holds what clients were told against what was committed.
func settle(t *testing.T, log *ledger, past map[string][]keeperapi.Change) {
	t.Helper()
	outcome := map[string]porcupine.Operation{} // by value
	for _, o := range log.history() {
		if in := o.Input.(asked); in.verb != verbGet {
			outcome[in.value] = o
		}
	}
	done := map[string]uint64{}
	for knob, changes := range past {
		for _, c := range changes {
			o, ok := outcome[c.New.Value]
			if out, _ := o.Output.(told); !ok || out.refused || o.Input.(asked).knob != knob {
				t.Errorf("r%d of %s = %s was made, which was told as not made: %s %+v", c.Revision, knob, c.New.Value, log.why[c.New.Value], out)
			}
			if done[c.New.Value] != 0 {
				t.Errorf("%s = %s was made twice, at r%d and r%d", knob, c.New.Value, done[c.New.Value], c.Revision)
			}
			done[c.New.Value] = c.Revision
		}
	}
	for value, o := range outcome {
		if out := o.Output.(told); !out.open && !out.refused && done[value] != out.revision {
			t.Errorf("%s was acknowledged and is not there (found at r%d)", describe(o.Input.(asked), out), done[value])
		}
	}
}

// obeyed checks that a node held at each revision what was committed by then,
// and never went back.
func obeyed(t *testing.T, n *scribe, past map[string][]keeperapi.Change) {
	t.Helper()
	last := uint64(0)
	for _, changes := range past {
		last = max(last, changes[len(changes)-1].Revision)
	}
	eventually(t, "the node has caught up", func() bool {
		notes := n.written()
		return len(notes) > 0 && notes[len(notes)-1].revision >= last
	})
	before := uint64(0)
	for _, w := range n.written() {
		if w.revision < before {
			t.Errorf("%s went back from r%d to r%d", n.id, before, w.revision)
		}
		before = w.revision
		if w.revision > last { // came after the history was read
			break
		}
		for knob, changes := range past {
			at, found := slices.BinarySearchFunc(changes, w.revision, func(c keeperapi.Change, r uint64) int { return cmp.Compare(c.Revision, r) })
			if found {
				at++
			}
			h, held := w.held[knob]
			switch {
			case at == 0 && held:
				t.Errorf("%s at r%d holds %s = %s of r%d, and nothing was committed by then", n.id, w.revision, knob, h.Value, h.Revision)
			case at > 0 && (!held || h.Revision != changes[at-1].Revision || h.Value != changes[at-1].New.Value):
				t.Errorf("%s at r%d holds %s = %q of r%d, committed was %s of r%d", n.id, w.revision, knob, h.Value, h.Revision,
					changes[at-1].New.Value, changes[at-1].Revision)
			}
		}
	}
	t.Logf("%s was told %d times, the last was r%d", n.id, len(n.written()), before)
}

package e2e

import (
	"context"
	"strconv"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
)

// TestMembersFail kills, cuts off and pauses members under a fleet that is
// turned on: after each, a new value reaches all nodes, and none goes back.
func TestMembersFail(t *testing.T) {
	k := startKeepers(t, newLAN(t), 3)
	c := k.client(patience)
	nodes := startNodes(t, k, 3)
	schema, names := linearSchema()
	witness := startScribe(t, c, "witness", schema)
	declared(t, c, names)
	value := 1000
	turn := func(t *testing.T) {
		t.Helper()
		began := time.Now()
		defer func() { t.Logf("all nodes hold %d after %s", value, time.Since(began).Round(time.Millisecond)) }()
		value++
		v := strconv.Itoa(value)
		must(t, c, set(keeperapi.Fleet, knobQueue, v))
		must(t, c, set(keeperapi.Fleet, names[0], v))
		eventually(t, "all nodes hold "+v, func() bool { return all(nodes, knobQueue, v) })
	}
	turn(t)
	each := func(name string, do func(t *testing.T) (undo func())) {
		t.Run(name, func(t *testing.T) {
			undo := do(t)
			turn(t)
			undo()
			k.leader()
			turn(t)
		})
	}
	kill := func(i int) func() {
		k.all[i].proc.kill()
		return func() { k.run(i) }
	}
	each("leader is killed", func(*testing.T) func() { return kill(k.leader()) })
	each("follower is killed", func(*testing.T) func() { return kill((k.leader() + 1) % 3) })
	each("all are killed", func(t *testing.T) func() {
		for _, m := range k.all {
			m.proc.kill()
		}
		for i := range k.all {
			k.run(i)
		}
		k.leader()
		return func() {}
	})
	t.Run("leader is cut off", func(t *testing.T) { cutOff(t, k, turn) })
	t.Run("leader is paused", func(t *testing.T) { pausedLeader(t, k, nodes, turn) })
	follow(t, c, 4)
	obeyed(t, witness, committed(t, k, names[:1]))
}

// cutOff: a leader that is cut off takes no change, however it is asked.
func cutOff(t *testing.T, k *keepers, turn func(*testing.T)) {
	lead := k.leader()
	heal := k.part(lead, true, true)
	old := k.client(1500*time.Millisecond, lead)
	stale := set(keeperapi.Fleet, knobQueue, "666")
	stale.WaitMS = 0
	if a, err := old.Txn(t.Context(), stale); err == nil {
		t.Errorf("the leader that is cut off took r%d", a.Revision)
	}
	turn(t)
	if _, err := old.Knob(t.Context(), knobQueue, keeperapi.Read{}); err == nil {
		t.Error("the leader that is cut off answered a linearizable read")
	}
	if s, err := k.client(patience, lead).Knob(t.Context(), knobQueue, keeperapi.Read{Stale: true}); err != nil || s.Last == 0 {
		t.Errorf("a stale read there: %+v, %v", s, err)
	}
	heal()
	k.leader()
	turn(t)
	never(t, k, "666")
}

// pausedLeader: a change that waits in a leader which sleeps for longer than
// its lease is not taken when it wakes up, or after all that came meanwhile.
func pausedLeader(t *testing.T, k *keepers, nodes []*node, turn func(*testing.T)) {
	lead := k.leader()
	slow := k.client(patience, lead)
	if _, err := slow.Knobs(t.Context(), keeperapi.Read{}); err != nil { // its connection is there
		t.Fatal(err)
	}
	seen, err := slow.Knob(t.Context(), knobQueue, keeperapi.Read{})
	if err != nil {
		t.Fatal(err)
	}
	k.all[lead].proc.pause()
	defer k.all[lead].proc.resume()
	type answer struct {
		*keeperapi.Answer
		error
	}
	got := make(chan answer, 1)
	go func() { // ends with its answer, or its context
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		r := set(keeperapi.Fleet, knobQueue, "667")
		r.IfRev = &seen.Last
		a, err := slow.Txn(ctx, r)
		got <- answer{a, err}
	}()
	k.leader(lead)
	turn(t)
	k.all[lead].proc.resume()
	k.leader()
	if a := <-got; a.error == nil || code(a.error) != keeperapi.CodeRevision {
		t.Errorf("a compare-and-set on what the sleeper knew: %+v, %v", a.Answer, a.error)
	}
	turn(t)
	never(t, k, "667")
}

// never checks that a value was at no time committed.
func never(t *testing.T, k *keepers, value string) {
	t.Helper()
	for _, c := range committed(t, k, []string{knobQueue})[knobQueue] {
		if c.New.Value == value {
			t.Errorf("%s was committed at r%d", value, c.Revision)
		}
	}
}

package state

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"pushfleet/internal/keeperapi"
)

// TestRolloutShare: a step never reaches more than the plan says, and nobody
// that was reached is let go, whoever joins, leaves or dies meanwhile.
func TestRolloutShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, s := newTeller(t), New()
		for i := range r.number("fleet", 1, 60) {
			r.run(s, Command{Op: OpJoin, At: start, Body: joinOf(fmt.Sprintf("gw-%d", i), nil, fleetSchema(), 1000*int64(r.number("lease", 5, 100)))})
		}
		steps := rapid.SampledFrom([][]string{{"1", "5%", "25%", "all"}, {"1%", "10%", "33.33%", "99%", "all"}, {"3", "2", "40%", "all"}}).Draw(t, "plan")
		got := r.run(s, Command{Op: OpRolloutStart, At: start, Body: keeperapi.RolloutStart{Steps: steps,
			Changes: []keeperapi.Assign{{Knob: "tap.on", Scope: keeperapi.Fleet, Value: "on"}}}})
		if got.Error != nil {
			t.Fatal(got.Error)
		}
		before, left := []string{}, ""
		for step := 0; step < len(steps)-1; step++ {
			ro, _ := s.Rollout(got.Rollout)
			allowed, _ := readStep(steps[step], ro.Of)
			if len(ro.Nodes) > max(allowed, len(before)) {
				t.Fatalf("step %s reaches %d of %d", steps[step], len(ro.Nodes), ro.Of)
			}
			for _, id := range before {
				if _, known := s.Node(id); known && id != left && !slices.Contains(ro.Nodes, id) {
					t.Fatalf("%s was let go in step %s", id, steps[step])
				}
			}
			holds := 0
			for _, n := range s.Nodes() {
				if h, ok := s.HeldBy(n.ID, "tap.on"); ok && h.Layer == keeperapi.LayerCanary {
					holds++
				}
			}
			if holds != len(ro.Nodes) {
				t.Fatalf("%d nodes hold it, %d were chosen", holds, len(ro.Nodes))
			}
			before = ro.Nodes
			left = fmt.Sprintf("gw-%d", r.number("leaves", 0, 80))
			r.run(s, Command{Op: OpLeave, At: start, Body: keeperapi.Leave{ID: left}})
			r.run(s, Command{Op: OpJoin, At: start, Body: joinOf(fmt.Sprintf("gw-%d", r.number("joins", 0, 80)), nil, fleetSchema(), 100_000)})
			r.now += keeperapi.Time(r.number("later", 0, 9000))
			r.run(s, Command{Op: OpRolloutAdvance, At: r.now, Body: keeperapi.RolloutMove{Rollout: got.Rollout, Step: step + 1, Force: true}})
		}
		for _, n := range s.Nodes() {
			if h, ok := s.HeldBy(n.ID, "tap.on"); !ok || h.Layer != keeperapi.LayerCanary {
				t.Fatalf("%s was not reached by all: %+v", n.ID, h)
			}
		}
	})
}

// TestLargerShareContainsSmaller for one rollout, over any fleet.
func TestLargerShareContainsSmaller(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New()
		sc := fleetSchema()
		read, no := readSchema(sc)
		if no != nil {
			t.Fatal(no)
		}
		s.schemas[sc.Hash()] = read
		for i := range rapid.IntRange(1, 500).Draw(t, "fleet") {
			id := fmt.Sprintf("gw-%d", i)
			s.nodes[id] = &keeperapi.Node{ID: id, Schema: sc.Hash(), Lease: start}
		}
		low := rapid.IntRange(1, 10000).Draw(t, "low")
		high := rapid.IntRange(low, 10000).Draw(t, "high")
		r := &rollout{Rollout: keeperapi.Rollout{ID: "ro7", Scope: keeperapi.Fleet, Values: map[string]string{"tap.on": "on"},
			Steps: []string{share(low), share(high), "all"}}}
		small, large, all := s.choose(r, 0, 0).nodes, s.choose(r, 1, 0).nodes, s.choose(r, 2, 0).nodes
		if !slices.Equal(small, large[:len(small)]) || !slices.Equal(large, all[:len(large)]) || len(all) != len(s.nodes) {
			t.Fatalf("%s is %v, %s is %v", share(low), small, share(high), large)
		}
		if want := max(len(s.nodes)*low/10000, 1); len(small) != want {
			t.Fatalf("%s of %d is %d, want %d", share(low), len(s.nodes), len(small), want)
		}
	})
}

func share(hundredths int) string { return fmt.Sprintf("%d.%02d%%", hundredths/100, hundredths%100) }

// TestChoiceIsSpread: over many rollouts every node is first about as often.
func TestChoiceIsSpread(t *testing.T) {
	first := map[string]int{}
	for r := range 2000 {
		best, least := "", ^uint64(0)
		for n := range 10 {
			id := fmt.Sprintf("gw-%d", n)
			if k := rank(fmt.Sprintf("ro%d", r), id); k < least {
				best, least = id, k
			}
		}
		first[best]++
	}
	for id, n := range first {
		if n < 140 || n > 260 { // 200 expected, 4.5 standard deviations
			t.Errorf("%s was first %d times of 2000", id, n)
		}
	}
}

// TestAbortTakesBackOnlyItsOwn: with a rollout begun and ended by any way but
// its end, every node holds what it held, and knew it beforehand.
func TestAbortTakesBackOnlyItsOwn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, s := newTeller(t), New()
		for range 6 {
			r.run(s, r.command(OpJoin))
		}
		for range 10 {
			r.run(s, r.command(OpTxn))
		}
		held := map[string]map[string]keeperapi.Held{}
		for _, n := range s.Nodes() {
			held[n.ID] = s.Effective(n.ID).Knobs
		}
		got := r.run(s, r.command(OpRolloutStart))
		if got.Error != nil {
			return
		}
		for step := range r.number("steps", 0, 2) {
			r.run(s, Command{Op: OpRolloutAdvance, At: r.now, Body: keeperapi.RolloutMove{Rollout: got.Rollout, Step: step + 1, Force: true}})
		}
		for id, before := range held {
			for knob, h := range s.Effective(id).Knobs {
				if h.Layer == keeperapi.LayerCanary && (h.Else == nil || h.Else.Value != before[knob].Value || h.Else.Deadline != before[knob].Deadline ||
					!slices.Equal(h.ElseThen, before[knob].Then)) {
					t.Fatalf("%s of %s would go back to %+v, held %+v", knob, id, h.Else, before[knob])
				}
			}
		}
		op := rapid.SampledFrom([]Op{OpRolloutAbort, OpRolloutBreak}).Draw(t, "end")
		end := r.run(s, Command{Op: op, At: r.now, Body: keeperapi.RolloutMove{Rollout: got.Rollout}})
		if ro, _ := s.Rollout(got.Rollout); ro.Phase == keeperapi.PhaseDone {
			return
		}
		if end.Error != nil {
			t.Fatal(end.Error)
		}
		for id, before := range held {
			now := s.Effective(id).Knobs
			if len(now) != len(before) {
				t.Fatalf("%s holds %v, held %v", id, now, before)
			}
			for knob, h := range before {
				if now[knob].Value != h.Value || now[knob].Revision != h.Revision {
					t.Fatalf("%s of %s is %v, was %v", knob, id, now[knob], h)
				}
			}
		}
	})
}

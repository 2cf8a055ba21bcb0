package state

import (
	"fmt"
	"sync"
	"testing"

	"pushfleet/internal/keeperapi"
)

// machine is what the replicated log needs of a state.
type machine interface {
	Apply(index uint64, cmd []byte) (result []byte)
	Snapshot() ([]byte, error)
	Restore(snapshot []byte) error
}

var _ machine = (*State)(nil)

// TestReadersMeanwhile is for the race detector: what readers were given is
// not changed under them by later commands.
func TestReadersMeanwhile(t *testing.T) {
	s := New()
	for i := range 4 {
		must(t, s, Command{Op: OpJoin, At: start, Body: joinOf(fmt.Sprintf("gw-%d", i), map[string]string{"app": "shop"}, fleetSchema(), 90_000)})
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for at := uint64(0); ; {
				select {
				case <-done:
					return
				default:
				}
				if events, ok := s.Since(at); ok && len(events) > 0 {
					at = events[len(events)-1].Revision
				}
				for _, n := range s.Nodes() {
					for knob, h := range s.Effective(n.ID).Knobs {
						if x, ok := s.Explain(n.ID, knob); !ok || h.Value == "" {
							t.Errorf("%+v, %+v", h, x)
						}
					}
				}
				for _, r := range s.Rollouts() {
					_ = fmt.Sprint(r)
				}
				changes, _, _ := s.History("tap.on")
				_ = fmt.Sprint(changes, s.Audit(5), s.Values())
			}
		})
	}
	one := []keeperapi.Assign{{Knob: "tap.on", Scope: "fleet", Value: "on"}}
	for i := range 200 {
		at := start + keeperapi.Time(i*100)
		must(t, s, Command{Op: OpTxn, At: at, Body: keeperapi.Txn{Changes: one, ForMS: 50}})
		r := must(t, s, Command{Op: OpRolloutStart, At: at, Body: keeperapi.RolloutStart{Changes: one, Steps: []string{"50%", "all"}}})
		must(t, s, Command{Op: OpRolloutAdvance, At: at, Body: keeperapi.RolloutMove{Rollout: r.Rollout, Step: 1}})
		must(t, s, Command{Op: OpRolloutAbort, At: at, Body: keeperapi.RolloutMove{Rollout: r.Rollout}})
		must(t, s, Command{Op: OpReport, At: at, Body: keeperapi.Report{Nodes: []keeperapi.NodeReport{{ID: "gw-1", LeaseMS: 90_000, Load: map[string]float64{"cpu": 1}}}}})
		must(t, s, Command{Op: OpExpire, At: at + 60})
		if i%50 == 0 {
			if err := s.Restore([]byte(snapshot(t, s))); err != nil {
				t.Error(err)
			}
		}
	}
	close(done)
	readers.Wait()
}

// What is read for a compare-and-set is of one moment.
func TestValuesWithLast(t *testing.T) {
	s := New()
	must(t, s, Command{Op: OpJoin, At: start, Body: joinOf("gw-0", nil, fleetSchema(), 90_000)})
	done := make(chan struct{})
	var reader sync.WaitGroup
	seen := 0
	reader.Go(func() { // until done
		for {
			values, last := s.ValuesWithLast()
			if v := values["fleet"]["tap.on"]; v != nil {
				seen++
				if v.Revision != last["tap.on"] {
					t.Errorf("the value is of r%d, the last change of r%d", v.Revision, last["tap.on"])
				}
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for i := range 2000 {
		value := []string{"on", "off"}[i%2]
		must(t, s, Command{Op: OpTxn, At: start, Body: keeperapi.Txn{Changes: []keeperapi.Assign{{Knob: "tap.on", Scope: "fleet", Value: value}}}})
	}
	close(done)
	reader.Wait()
	if seen == 0 {
		t.Error("nothing was read")
	}
}

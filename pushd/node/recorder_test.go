package node_test

import (
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/record"
	"pushfleet/internal/testnode"
)

// TestANodeRemembers asks a running node for what it recorded of itself, and
// its files after it has stopped.
func TestANodeRemembers(t *testing.T) {
	dir := t.TempDir()
	n := testnode.Start(t, func(c *testnode.Config) { c.StateDir = dir })
	if _, err := n.API.SetKnob(t.Context(), "queue.messages_max", pushdapi.KnobSet{Value: "256", Why: "INC-311"}); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(30 * time.Second)
	for {
		records, knobs := remembered(t, n.API)
		if records >= 2 && knobs == 1 {
			break
		}
		select {
		case <-deadline:
			t.Fatalf("%d records, %d knob changes", records, knobs)
		case <-time.After(50 * time.Millisecond): // asks again
		}
	}
	n.Stop()
	folder, err := record.OpenFolder(dir + "/recorder")
	if err != nil {
		t.Fatal(err)
	}
	var stopped bool
	if err := record.Scan(folder, record.Query{Ring: "1s", To: 1 << 60}, func(it record.Item) error {
		stopped = stopped || it.Mark != nil && it.Mark.Kind == record.MarkStop
		return nil
	}); err != nil || !stopped {
		t.Errorf("no stop is marked (%v)", err)
	}
}

// remembered counts records whose figures make sense, and changes of knobs.
func remembered(t *testing.T, api *pushdapi.Client) (records, knobs int) {
	t.Helper()
	body, err := api.Rec(t.Context(), pushdapi.RecQuery{Ring: "1s", From: time.Now().Add(-time.Minute), To: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if err := record.Read(body, func(it record.Item) error {
		switch {
		case it.Mark != nil && it.Mark.Kind == record.MarkKnob:
			knobs++
		case it.Record != nil && it.Record.V[it.Schema.Index("loops.silent")] == 0:
			if v := it.Record.V[it.Schema.Index("process.rss")]; v <= 0 {
				t.Errorf("process.rss is %d", v)
			}
			if v := it.Record.V[it.Schema.Index("conns")]; v != 0 {
				t.Errorf("%d connections of nobody", v)
			}
			records++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return records, knobs
}

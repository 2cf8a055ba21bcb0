package keeperapi_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/testkeeper"
)

// holder is a node that takes everything.
type holder struct {
	mu    sync.Mutex
	from  uint64
	fulls int
	knobs map[string]string
}

func (h *holder) Hello(definition bool) keeperapi.Hello {
	h.mu.Lock()
	defer h.mu.Unlock()
	schema := keeperapi.Schema{{Name: "queue.messages_max", Type: "int", Default: "512", Min: "1", Max: "65536"}}
	hello := keeperapi.Hello{From: h.from, Join: keeperapi.Join{ID: "gw-1", Epoch: "e1", Schema: schema.Hash(), LeaseMS: 2000}}
	if definition {
		hello.Definition = schema
	}
	return hello
}

func (h *holder) Update(u keeperapi.Update) keeperapi.Ack {
	h.mu.Lock()
	defer h.mu.Unlock()
	if u.Full {
		h.fulls++
		h.knobs = map[string]string{}
	}
	for name, held := range u.Knobs {
		delete(h.knobs, name)
		if held != nil {
			h.knobs[name] = held.Value
		}
	}
	h.from = u.Position
	return keeperapi.Ack{Offered: u.Revision, Applied: u.Revision}
}

func (h *holder) Check(c keeperapi.Check) keeperapi.Checked { return keeperapi.Checked{} }
func (h *holder) Beat() keeperapi.Beat                      { return keeperapi.Beat{Health: "serving"} }

func (h *holder) holds(value string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.knobs["queue.messages_max"] == value
}

func TestSessionOutlivesItsLeader(t *testing.T) {
	keepers := testkeeper.Start(t, 3, nil)
	client := keepers.Client()
	h := &holder{}
	s := client.NewSession(h, slog.New(slog.NewTextHandler(t.Output(), nil)))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer running.Wait()
	defer cancel()
	wait := func(what string, f func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("never: %s (%v)", what, s.Err())
			}
		}
	}
	set := func(value string) {
		t.Helper()
		txn := keeperapi.Txn{Changes: []keeperapi.Assign{{Knob: "queue.messages_max", Scope: keeperapi.Fleet, Value: value}}}
		if _, err := client.Txn(ctx, keeperapi.TxnRequest{Txn: txn}); err != nil {
			t.Fatal(err)
		}
		wait("the node holds "+value, func() bool { return h.holds(value) })
	}
	connected := func(but string) func() bool {
		return func() bool { name, up, _ := s.State(); return up && name != but }
	}
	wait("connected", connected(""))
	wait("the schema is known", func() bool {
		_, err := client.Knob(ctx, "queue.messages_max", keeperapi.Read{})
		return err == nil
	})
	set("256")
	leader := keepers.Leader()
	old := keepers.Configs[leader].Store.ID
	keepers.Stop(leader)
	began := time.Now()
	wait("connected with the next leader", connected(old))
	t.Logf("with the next leader %s after the stop", time.Since(began).Round(time.Millisecond))
	set("128")
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fulls > 1 {
		t.Errorf("everything was sent %d times instead of what had changed", h.fulls)
	}
}

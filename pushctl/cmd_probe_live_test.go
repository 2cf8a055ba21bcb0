package main

import (
	"bytes"
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/testnode"
	"pushfleet/pushctl/probe"
)

// TestProbeGCOfNode probes a node in this very process while it collects, and
// wants the node to agree and its recorder's figures beside the cycles.
func TestProbeGCOfNode(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("probes need root")
	}
	if _, err := probe.Calibrate(); err != nil {
		t.Skipf("this host does not allow probes: %v", err)
	}
	n := testnode.Start(t, nil)
	n.Eventually("the recorder writes", func(*pushdapi.Stats) bool {
		s, err := n.API.RecState(t.Context())
		return err == nil && s.On && s.Records > 0
	})
	var over atomic.Bool
	done := make(chan struct{})
	go func() { // ended by end
		defer close(done)
		for !over.Load() {
			runtime.GC()
		}
	}()
	end := func() { over.Store(true); <-done }
	t.Cleanup(end)
	f := func(format string) string {
		var out, errs bytes.Buffer
		e := testEnv()
		e.out, e.err = &out, &errs
		if code := run([]string{"probe", "gc", "--node", n.PrivateAddr(), "-d", "1500ms", "--max-cpu", "0", "-o", format}, e); code != exitFine {
			t.Fatalf("exit %d: %s", code, errs.String())
		}
		return out.String()
	}
	var r probe.GCReport
	beside := 0
	for try := 0; try < 5 && beside == 0; try++ { // a busy machine may keep the recorder from its second
		r = probe.GCReport{}
		if err := json.Unmarshal([]byte(f("json")), &r); err != nil {
			t.Fatal(err)
		}
		for _, c := range r.Cycles {
			if c.Beside != nil && c.Beside.Sched != nil {
				beside++
			}
		}
	}
	screen := f("table")
	end()
	if r.PID != os.Getpid() || r.Runtime == nil || !r.Runtime.Agrees || r.Runtime.Cycles == 0 {
		t.Errorf("%+v, %+v", r.Run, r.Runtime)
	}
	if beside == 0 {
		t.Errorf("nothing stands beside any of %d cycles", len(r.Cycles))
	}
	if !strings.Contains(screen, "agrees with the runtime: yes") || !strings.Contains(screen, " forced ") {
		t.Errorf("%s", screen[max(0, len(screen)-2000):])
	}
}

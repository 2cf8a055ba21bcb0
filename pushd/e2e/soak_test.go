package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/swarm"
)

// soakReport is what this test reads of bench's report.
type soakReport struct {
	Clients   swarm.Counts
	Published struct {
		Sent   int64
		Result struct {
			Delivered int64
			Absent    int64
			Dropped   map[string]int64
		}
	}
	Samples []struct {
		Second  float64
		Phase   string
		NodePSS int64 `json:"node_pss"`
	}
	Figures []struct {
		Name  string
		Value float64
		Unit  string
	}
	Invalid, Wrong []string
}

// TestClassicJob holds 10,000 WebSockets and sends them 1000 messages per
// second for a minute. Not one may be lost, doubled or out of order, and the
// node may not grow. How fast it was is only told: this machine may be busy.
func TestClassicJob(t *testing.T) {
	if raceBuild {
		t.Skip("the race detector changes nothing in the programs that run here, and the test process only watches")
	}
	n := startPushd(t)
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := pushctlCmd(ctx, "--node", n.admin, "bench", "soak", "--addr", n.client[0], "--conns", itoa(soakConns), "--rate", "1000/s",
		"--for", "60s", "--ramp", "4000/s", "--report", "", "--allow-invalid", "--allow-loss", "-o", "json")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var err error
	ended := make(chan struct{})
	go func() { // ended by ctx
		defer close(ended)
		err = cmd.Wait()
	}()
	before := held(t, n, 15_000, ended)
	after := held(t, n, 45_000, ended)
	<-ended
	var r soakReport
	if jerr := json.Unmarshal(out.Bytes(), &r); err != nil || jerr != nil {
		t.Fatalf("bench soak: %v, %v\n%s", err, jerr, out.Bytes())
	}
	for _, f := range r.Figures {
		t.Logf("%-28s %12.6g %s", f.Name, f.Value, f.Unit)
	}
	if len(r.Invalid) > 0 {
		t.Logf("latencies prove nothing: %s", strings.Join(r.Invalid, "; "))
	}
	for _, w := range r.Wrong {
		t.Error(w)
	}
	c := r.Clients
	if c.Lost != 0 || c.Duplicates != 0 || c.OutOfOrder != 0 || c.Malformed != 0 || c.Declared != 0 || c.Closed != 0 || c.GivenUp != 0 {
		t.Errorf("clients: %+v", c)
	}
	p := r.Published
	if p.Sent < 10_000 || p.Result.Delivered != p.Sent || c.Received != p.Sent || p.Result.Absent != 0 || len(p.Result.Dropped) != 0 {
		t.Errorf("sent %d, delivered %d, received %d; %+v", p.Sent, p.Result.Delivered, c.Received, p.Result)
	}
	// What a collection leaves does not depend on how busy the machine was.
	t.Logf("in use after 15,000 messages %d KiB, after 45,000 %d KiB", before>>10, after>>10)
	if before > 0 && after > before+heldMore {
		t.Errorf("%d bytes were in use after 15,000 messages, %d after 45,000", before, after)
	}
	if len(r.Invalid) == 0 {
		wantFlat(t, &r)
	}
}

// soakConns is how many connections there are, heldMore how many bytes 30,000
// messages may leave behind: 70 each would be a leak.
const (
	soakConns = 10_000
	heldMore  = 2 << 20
)

// held waits until so many messages have been delivered, and returns the bytes
// that a collection leaves in use while all connections are there; 0 if the load
// ended before.
func held(t *testing.T, n *process, messages uint64, ended <-chan struct{}) int64 {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for stats(t, n).Totals.Delivered < messages {
		select {
		case <-ended:
			return 0
		case <-tick.C:
		}
	}
	collect(t, n)
	s := stats(t, n)
	if s.Connections.Total != soakConns {
		return 0
	}
	return s.Memory.HeapBytes + s.Memory.SlabBytes
}

// flatLeast is how many samples tell anything: one a second, of 60.
const flatLeast = 24

// wantFlat compares the node's memory at the begin and the end of the last three
// quarters of the time under load, the median of a quarter of it each: the
// collector's heap goes up and down by more than a sample tells.
func wantFlat(t *testing.T, r *soakReport) {
	t.Helper()
	var load []int64
	for _, s := range r.Samples {
		if s.Phase == "load" && s.NodePSS > 0 {
			load = append(load, s.NodePSS)
		}
	}
	if len(load) < flatLeast {
		t.Skipf("this machine is too busy: %d samples of the node's memory in a minute under load, want %d", len(load), flatLeast)
	}
	quarter := len(load) / 4
	load = load[quarter:]
	first, last := median(load[:quarter]), median(load[len(load)-quarter:])
	growth := float64(last-first) / float64(first)
	t.Logf("memory of the node: %d KiB, at the end %+.1f %%", first>>10, growth*100)
	if growth >= 0.10 {
		t.Errorf("memory grew by %.1f %%: %v", growth*100, load)
	}
}

func median(v []int64) int64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

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
	cmd := pushctlCmd(ctx, "--node", n.admin, "bench", "soak", "--addr", n.client[0], "--conns", "10000", "--rate", "1000/s",
		"--for", "60s", "--ramp", "4000/s", "--report", "", "--allow-invalid", "--allow-loss", "-o", "json")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	err := cmd.Run()
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
	if p.Sent < 30_000 || p.Result.Delivered != p.Sent || c.Received != p.Sent || p.Result.Absent != 0 || len(p.Result.Dropped) != 0 {
		t.Errorf("sent %d, delivered %d, received %d; %+v", p.Sent, p.Result.Delivered, c.Received, p.Result)
	}
	wantFlat(t, &r)
}

// wantFlat compares the node's memory at the begin and the end of the last 45
// seconds under load, the median of ten seconds each: the collector's heap goes
// up and down by more than a sample tells.
func wantFlat(t *testing.T, r *soakReport) {
	t.Helper()
	var load []int64
	for _, s := range r.Samples {
		if s.Phase == "load" && s.NodePSS > 0 {
			load = append(load, s.NodePSS)
		}
	}
	if len(load) < 45 {
		t.Fatalf("%d samples of the node's memory under load, want 45 or more", len(load))
	}
	load = load[len(load)-45:]
	first, last := median(load[:10]), median(load[35:])
	growth := float64(last-first) / float64(first)
	t.Logf("memory of the node: %d KiB, after 45 s %+.1f %%", first>>10, growth*100)
	if growth >= 0.10 {
		t.Errorf("memory grew by %.1f %% in 45 s: %v", growth*100, load)
	}
}

func median(v []int64) int64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pushfleet/internal/swarm"
)

// asFloor makes the test program the bare server, as pushctl is of itself.
const asFloor = "BENCH_TEST_FLOOR"

func TestMain(m *testing.M) {
	if os.Getenv(asFloor) != "" {
		fmt.Fprintln(os.Stderr, ServeFloor(netip.MustParseAddrPort("127.0.0.1:0"), os.Stdout))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func clients(n int) Clients {
	return Clients{Options: swarm.Options{Conns: n, Rate: 2000}, Unshare: "auto"}
}

func TestSoakReportsWhatItDid(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	base := filepath.Join(t.TempDir(), "soak")
	r, err := RunSoak(t.Context(), &Out{Progress: &text}, newFakeNode(t).target(t), Soak{Clients: clients(50),
		Publish: Publish{Rate: 500, Arrivals: "poisson", Size: 200}, For: 2500 * time.Millisecond, Report: base})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Wrong) > 0 {
		t.Errorf("wrong: %v", r.Wrong)
	}
	got := r.Clients.Received
	if got < 1000 || got != int64(r.Published.Result.Delivered) || got != r.Published.Sent {
		t.Errorf("received %d of %d delivered of %d sent", got, r.Published.Result.Delivered, r.Published.Sent)
	}
	for _, name := range []string{"latency_p50", "latency_p999", "cpu_per_10k", "memory_per_connection", "generator_lag_p99", "publish_rate", "deliveries_per_cpu_second", "connect_p99"} {
		if v, ok := r.Get(name); !ok || v <= 0 {
			t.Errorf("figure %s is %g (there: %v)", name, v, ok)
		}
	}
	for _, want := range []string{"plan: 50 connections from 127.0.0.2", "{connected, closed, received}", "  {50, 0, ", "latency from intended send   p50 ", "/10k msg"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	back, err := ReadReport(base + ".json")
	if err != nil || len(back.Figures) != len(r.Figures) || len(back.Samples) < 2 {
		t.Errorf("read back %d figures, %d samples, %v", len(back.Figures), len(back.Samples), err)
	}
	page, err := os.ReadFile(base + ".html")
	if err != nil || bytes.Count(page, []byte("<svg")) < 4 || bytes.Contains(page, []byte("http")) || bytes.Contains(page, []byte("NaN")) {
		t.Errorf("page of %d bytes with %d charts, %v", len(page), bytes.Count(page, []byte("<svg")), err)
	}
	f, err := os.Open(base + ".png")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if img, err := png.Decode(f); err != nil || img.Bounds().Dx() < 500 {
		t.Errorf("png: %v", err)
	}
}

func TestSoakSeesFaults(t *testing.T) {
	t.Parallel()
	f := func(set func(*fakeNode), want string) {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			seesFault(t, set, want)
		})
	}
	f(func(n *fakeNode) { n.loseEvery = 50 }, "lost without a gap frame")
	f(func(n *fakeNode) { n.loseEvery = 1 }, "did not arrive")
	f(func(n *fakeNode) { n.doubleEvery = 50 }, "came twice")
	f(func(n *fakeNode) { n.refuse = true }, "refused")
	f(func(n *fakeNode) { n.quiet = true }, "before the last result")
}

func seesFault(t *testing.T, set func(*fakeNode), want string) {
	n := newFakeNode(t)
	set(n)
	r, err := RunSoak(t.Context(), &Out{}, n.target(t), Soak{Clients: clients(5),
		Publish: Publish{Rate: 500, Size: 100}, For: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(append(r.Wrong, r.Invalid...), "; "), want) {
		t.Errorf("wrong %q, invalid %q; want %q", r.Wrong, r.Invalid, want)
	}
	if err := r.Err(true, false); !errors.Is(err, ErrLost) && len(r.Wrong) > 0 {
		t.Errorf("error %v, want ErrLost", err)
	}
	if err := r.Err(true, true); err != nil {
		t.Errorf("error %v though everything is allowed", err)
	}
}

func TestSoakPipelined(t *testing.T) {
	t.Parallel()
	r, err := RunSoak(t.Context(), &Out{}, newFakeNode(t).target(t), Soak{Clients: clients(20),
		Publish: Publish{Size: 200, Window: 64}, For: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := r.Get("deliveries_per_cpu_second"); v < 1000 || len(r.Wrong)+len(r.Invalid) > 0 || r.Clients.Received != r.Published.Sent {
		t.Errorf("%g deliveries per CPU-second, wrong %v, invalid %v", v, r.Wrong, r.Invalid)
	}
}

func TestFloodPrintsThePlanAndEndsOnInterrupt(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	n := newFakeNode(t)
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	r, err := RunFlood(ctx, &Out{Progress: &text}, n.target(t), Flood{Clients: clients(30)})
	if err != nil || r.Ended != "interrupted" || r.Clients.Opened != 30 {
		t.Errorf("report %+v, %v", r, err)
	}
	if !strings.Contains(text.String(), "{30, 0, 0}") || !strings.Contains(text.String(), "node  memory ") {
		t.Errorf("printed\n%s", text.String())
	}
	_, err = RunFlood(t.Context(), &Out{}, n.target(t), Flood{Clients: Clients{Options: swarm.Options{Conns: 100, FDsMax: 90}, Unshare: "off"}})
	if err == nil || !strings.Contains(err.Error(), "--unshare") {
		t.Errorf("error %v, want a refusal that says what to change", err)
	}
}

func TestMsggenCountsInBursts(t *testing.T) {
	t.Parallel()
	r, err := RunMsggen(t.Context(), &Out{}, newFakeNode(t).target(t), Msggen{
		Publish: Publish{Rate: 10_000, Burst: 100, Count: 1000, Users: 3, Size: 100, Choice: "zipf"}})
	if err != nil || r.Published.Sent != 1000 || r.Published.Result.Absent != 1000 {
		t.Fatalf("report %+v, %v", r.Published, err)
	}
	// Ten bursts with a hundredth of a second between them.
	if r.Seconds < 0.09 {
		t.Errorf("took %g s, want 0.09 or more", r.Seconds)
	}
}

func TestBroadcastMeasuresBothSorts(t *testing.T) {
	t.Parallel()
	n := newFakeNode(t)
	run := func() *Report {
		r, err := RunBroadcast(t.Context(), &Out{}, n.target(t), Broadcast{Clients: clients(30), Rounds: 2, Bytes: 256, Rate: 1000, Size: 100})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := run()
	for _, name := range []string{"broadcast_cpu_per_million", "broadcast_last_p50", "busy_broadcast_last_max", "unicast_during_broadcast_p99"} {
		if v, _ := r.Get(name); v <= 0 {
			t.Errorf("%s is %g", name, v)
		}
	}
	if len(r.Wrong) > 0 {
		t.Errorf("wrong: %v", r.Wrong)
	}
}

func TestFloorTakesTurns(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	r, err := RunFloor(t.Context(), &Out{Progress: &text}, newFakeNode(t).target(t), Floor{Clients: clients(20),
		Rates: []float64{500}, Size: 200, Cast: 256, Rounds: 4, Phase: 150 * time.Millisecond,
		Server: func() *exec.Cmd {
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), asFloor+"=1")
			return cmd
		}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"at_500_cpu_per_10k", "at_500_p50", "at_500_p999", "full_rate_per_cpu_second", "broadcast_cpu_per_million", "broadcast_last_receipt"} {
		for _, prefix := range []string{"", "floor_", "ratio_"} {
			if v, _ := r.Get(prefix + name); v <= 0 {
				t.Errorf("%s%s is %g\n%s", prefix, name, v, text.String())
			}
		}
	}
	if !strings.Contains(text.String(), "95 % by round") {
		t.Errorf("printed\n%s", text.String())
	}
}

func TestDemoRunsUntilStopped(t *testing.T) {
	t.Parallel()
	n := newFakeNode(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- RunDemo(ctx, &Out{}, n.target(t), Demo{Conns: 10, Rate: 500}) }()
	deadline := time.Now().Add(10 * time.Second)
	for {
		n.mu.Lock()
		sent := n.n
		n.mu.Unlock()
		if sent > 100 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no traffic")
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

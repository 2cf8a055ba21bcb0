package experiment

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/swarm"
	"pushfleet/internal/teewire"
	"pushfleet/internal/testnode"
	"pushfleet/pushctl/experiment/drive"
	"pushfleet/pushctl/experiment/verdict"
)

// live is production with clients that are sent something all the time, and a
// shadow.
type live struct {
	t          *testing.T
	production *testnode.Node
	shadow     *testnode.Node
}

const liveConns = 40

func newLive(t *testing.T) *live {
	l := &live{t: t}
	l.production = testnode.Start(t, func(c *testnode.Config) {
		c.NodeName = "production"
		c.Knobs["tap.cpu_percent_max"] = "1000" // a busy machine, under the race detector
	})
	l.shadow = testnode.Start(t, func(c *testnode.Config) { c.NodeName, c.Shadow = "shadow", true })
	l.clients()
	l.publish()
	return l
}

func (l *live) clients() {
	o := swarm.Options{Target: netip.MustParseAddrPort(l.production.Client()), Conns: liveConns, User: func(i int) string { return fmt.Sprint("u-", i) }}
	var err error
	if o.Profiles, err = swarm.ParseMix("fast", swarm.ParseProfile); err != nil {
		l.t.Fatal(err)
	}
	if o.Protos, err = swarm.ParseMix("ws,sse=20%", push.ParseProto); err != nil {
		l.t.Fatal(err)
	}
	s, err := swarm.New(o)
	if err != nil {
		l.t.Fatal(err)
	}
	s.Start(l.t.Context())
	l.t.Cleanup(func() { s.Close() })
	<-s.Ready()
}

// publish sends until the test ends.
func (l *live) publish() {
	ctx, stop := context.WithCancel(l.t.Context())
	ended := make(chan struct{})
	go func() { // ended by Cleanup
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				l.production.API.Send(ctx, pushdapi.Send{User: fmt.Sprint("u-", i%liveConns), Data: []byte(`{"n":1}`)})
			}
		}
	}()
	l.t.Cleanup(func() {
		stop()
		<-ended
		l.production.API.Close()
		l.shadow.API.Close()
	})
}

func (l *live) driver(production *pushdapi.Client, speed float64) *drive.Driver {
	l.t.Helper()
	d, err := drive.New(drive.Options{Shadow: l.shadow.API, Production: production, ConnsMax: 2000, LateMax: time.Minute, Speed: speed})
	if err != nil {
		l.t.Fatal(err)
	}
	return d
}

// exact holds the driver's books to what they promise.
func exact(t *testing.T, c *drive.Counts) {
	t.Helper()
	for kind, read := range c.Read {
		if sum := c.Replayed[kind] + c.Pending[kind] + drive.Sum(c.Dropped[kind]); sum != read {
			t.Errorf("%s: %d read, %d accounted for", kind, read, sum)
		}
	}
}

func TestAgainstNodes(t *testing.T) {
	l := newLive(t)
	held := int64(0)
	r, err := Run(t.Context(), Options{Production: l.production.API, To: Shadow{l.shadow.API, l.driver(l.production.API, 1)},
		Query: pushdapi.TeeQuery{Sample: 100}, Set: []Setting{{"queue.messages_max", "64"}}, Journals: t.TempDir(),
		Plan:  Plan{AA: 2 * time.Second, AB: 4 * time.Second, Window: time.Second, Settle: 200 * time.Millisecond, Tries: 1, Seed: 1},
		Allow: Allowable(), Tell: func(p Progress) { held = max(held, p.Open) }})
	if err != nil {
		t.Fatal(err)
	}
	if r.Stopped != nil || held != liveConns {
		t.Errorf("stopped %+v, the shadow held %d of %d", r.Stopped, held, liveConns)
	}
	exact(t, r.Driver)
	if d := r.Driver; d.Joined != liveConns || d.Replayed["publish"] == 0 || d.Frames == 0 || len(d.Pending) > 0 && drive.Sum(d.Pending) > 0 {
		t.Errorf("driver: %+v", d)
	}
	if k := r.Restored; len(k) != 1 || k[0].Before != k[0].Value || k[0].Failed != "" {
		t.Errorf("restored %+v", k)
	}
	k, err := l.shadow.API.Knob(t.Context(), "queue.messages_max")
	if err != nil || k.Value != r.Restored[0].Before {
		t.Errorf("%+v, %v", k, err)
	}
	if len(r.Trials) != 1 || len(r.Trials[0].Verdict.Effects) == 0 {
		t.Errorf("trials %+v", r.Trials)
	}
	for _, p := range r.Plots {
		positive := func(v float64) bool { return v > 0 }
		if p.Metric.Name == verdict.CPUPerMessage && !(slices.ContainsFunc(p.Production, positive) && slices.ContainsFunc(p.Shadow, positive)) {
			t.Errorf("%s: production %v, shadow %v", p.Metric.Name, p.Production, p.Shadow)
		}
	}
	if tap := r.Tap; tap == nil || tap.Joined != liveConns || drive.Sum(tap.Seen) != drive.Sum(tap.Sent)+drive.Sum(tap.Dropped) {
		t.Errorf("tap %+v", tap)
	}
}

func TestRecordAndReplay(t *testing.T) {
	l := newLive(t)
	path := filepath.Join(t.TempDir(), "traffic")
	w, err := teewire.Create(path, teewire.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), Options{Production: l.production.API, To: Shadow{Driver: NewKeeper(w)}, Mirror: true,
		Query: pushdapi.TeeQuery{Sample: 100}, Plan: Plan{AB: 2 * time.Second}, Journals: t.TempDir(), Allow: Allowable()})
	if err != nil || r.Stopped != nil {
		t.Fatalf("stopped %+v, %v", r.Stopped, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := teewire.OpenFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	in, err := files.Info()
	if err != nil || in.Conns != liveConns || in.End == nil || in.End.Reason != "stopped" || len(in.Damage) > 0 {
		t.Fatalf("%+v, %v", in, err)
	}
	for kind, n := range in.Records {
		if n != r.Driver.Read[kind] {
			t.Errorf("%s: %d in the files, %d read", kind, n, r.Driver.Read[kind])
		}
	}
	back, err := Replay(t.Context(), ReplayOptions{To: Shadow{l.shadow.API, l.driver(nil, 2)}, From: files, Allow: Allowable()})
	if err != nil || back.Ended != "" || back.Shadow != "shadow" {
		t.Fatalf("%+v, %v", back, err)
	}
	exact(t, &back.Driver)
	if d := back.Driver; d.Joined != liveConns || d.Replayed["publish"] != in.Records["publish"] || d.Frames == 0 {
		t.Errorf("driver: %+v", d)
	}
}

// A recording that has no room ends, and what is there can be read.
func TestRecordingWithoutRoom(t *testing.T) {
	l := newLive(t)
	path := filepath.Join(t.TempDir(), "traffic.tee")
	w, err := teewire.Create(path, teewire.WriterOptions{BytesMax: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), Options{Production: l.production.API, To: Shadow{Driver: NewKeeper(w)}, Mirror: true,
		Query: pushdapi.TeeQuery{Sample: 100}, Plan: Plan{AB: time.Minute}, Journals: t.TempDir(), Allow: Allowable()})
	if err != nil || r.Stopped == nil || r.Stopped.Reason != StopDisk {
		t.Fatalf("stopped %+v, %v", r.Stopped, err)
	}
	w.Close()
	if info, err := os.Stat(path); err != nil || info.Size() > 10_000 {
		t.Errorf("%v, %v", info, err)
	}
	files, err := teewire.OpenFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	if in, err := files.Info(); err != nil || in.Conns != liveConns {
		t.Errorf("%+v, %v", in, err)
	}
}

// A shadow that dies while it is tried has an end that says so; production is
// not asked for anything more.
func TestTheShadowDies(t *testing.T) {
	l := newLive(t)
	d := l.driver(l.production.API, 1)
	stopped := false
	r, err := Run(t.Context(), Options{Production: l.production.API, To: Shadow{l.shadow.API, d}, Mirror: true,
		Query: pushdapi.TeeQuery{Sample: 100}, Plan: Plan{AB: time.Minute}, Journals: t.TempDir(), Allow: Allowable(),
		Tell: func(p Progress) {
			if p.Stage == "mirror" && !stopped {
				stopped = true
				l.shadow.Stop()
			}
		}})
	if err != nil || r.Stopped == nil || r.Stopped.Reason != StopShadow && r.Stopped.Reason != StopStream {
		t.Fatalf("stopped %+v, %v", r.Stopped, err)
	}
	exact(t, r.Driver)
	tap, err := l.production.API.Tap(t.Context())
	if err != nil || tap.Active {
		t.Errorf("%+v, %v", tap, err)
	}
}

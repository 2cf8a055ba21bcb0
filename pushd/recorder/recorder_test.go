package recorder

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/record"
)

// play runs a recorder in a bubble of virtual time.
func play(t *testing.T, edit func(*Config), f func(*rig)) *rig {
	t.Helper()
	var g *rig
	synctest.Test(t, func(*testing.T) {
		g = newRig(t, edit)
		g.Start()
		f(g)
		g.Close()
	})
	return g
}

// pass lets virtual time go by and the recorder finish what it does.
func pass(d time.Duration) {
	<-time.After(d) // virtual
	synctest.Wait()
}

func TestASecondOfEverything(t *testing.T) {
	g := play(t, nil, func(g *rig) {
		g.tell(func(f *Figures) {
			f.Open[push.ProtoWS], f.Queued, f.OldestSeconds, f.Level[1] = 5, 12, 0.25, 1.25
			f.Dropped[push.DropTTL] = 3
			f.Latency.Record(80_000)
		})
		pass(25*time.Second + time.Millisecond)
	})
	all, marks := read(t, os.DirFS(g.dir), RingSecond)
	if len(all) != 25 {
		t.Fatalf("%d records in 25 s", len(all))
	}
	for i, s := range all {
		if s.at.Nanosecond() != 0 || i > 0 && s.at.Sub(all[i-1].at) != time.Second {
			t.Errorf("record %d is of %s", i, s.at)
		}
	}
	first, last := all[0].values, all[24].values
	if got := g.Last([]string{"cpu.user", "queued", "no such field", "wait.p99", "oldest"}); got[0] != 105 || got[1] != 12 || !math.IsNaN(got[2]) || !math.IsNaN(got[3]) || got[4] != 0.25 {
		t.Errorf("the last record says %v", got)
	}
	for name, want := range map[string]int64{"conns": 5, "conns.ws": 5, "queued": 12, "oldest": 250, "queued.10s": 13, "drops": 3, "drops.ttl": 3, "drops.overflow": 0, "cpu.user": 105} {
		if last[name] != want {
			t.Errorf("%s is %d, want %d", name, last[name], want)
		}
	}
	if first["wait.p99"] != 80_000 || last["wait.p99"] != record.Missing {
		t.Errorf("wait.p99 is %d, then %d; nothing was delivered later", first["wait.p99"], last["wait.p99"])
	}
	if got := kinds(marks); !slices.Equal(got, []string{"start", "gap", "stop"}) { // pressure/io is not in the fake
		t.Errorf("marks %v", marks)
	}
	long, _ := read(t, os.DirFS(g.dir), RingLong)
	if len(long) != 3 || long[1].values["queued"] != 12 {
		t.Errorf("%d records of 10 s in 25 s", len(long))
	}
	if last["recorder.bytes"] == 0 || g.Summary().Records != 25 {
		t.Errorf("own cost: %d bytes, %+v", last["recorder.bytes"], g.Summary())
	}
}

func TestKnobChangesAreMarked(t *testing.T) {
	g := play(t, nil, func(g *rig) {
		g.set(t, "recorder.long_keep", "48h") // before its first look
		pass(3*time.Second + time.Millisecond)
		g.set(t, "recorder.keep", "48h")
		pass(2 * time.Second)
	})
	_, marks := read(t, os.DirFS(g.dir), RingSecond)
	var texts []string
	for _, m := range marks {
		if m.Kind == record.MarkKnob {
			texts = append(texts, m.Text)
		}
	}
	if want := []string{"recorder.long_keep 336h → 48h (maria: INC-311)", "recorder.keep 24h → 48h (maria: INC-311)"}; !slices.Equal(texts, want) {
		t.Errorf("marks %q, want %q", texts, want)
	}
}

func TestOffIsOff(t *testing.T) {
	g := play(t, nil, func(g *rig) {
		pass(3*time.Second + time.Millisecond)
		g.set(t, "recorder.on", "off")
		pass(10 * time.Second)
		if s := g.Summary(); s.On || s.Paused != "" {
			t.Errorf("%+v", s)
		}
		g.set(t, "recorder.on", "on")
		pass(3 * time.Second)
	})
	all, marks := read(t, os.DirFS(g.dir), RingSecond)
	if len(all) < 5 || len(all) > 7 {
		t.Errorf("%d records in 6 s of 16", len(all))
	}
	if got := kinds(marks); !slices.Equal(got, []string{"start", "gap", "stop", "start", "gap", "stop"}) {
		t.Errorf("marks %v", got)
	}
}

func TestASilentLoopIsAGap(t *testing.T) {
	g := play(t, nil, func(g *rig) {
		g.tell(func(f *Figures) { f.Delivered = 1000 })
		pass(2*time.Second + time.Millisecond)
		g.tell(func(f *Figures) { *f = Figures{Silent: 1, Delivered: 400} })
		pass(time.Second)
		g.tell(func(f *Figures) { *f = Figures{Delivered: 1200} })
		pass(time.Second)
	})
	all, _ := read(t, os.DirFS(g.dir), RingSecond)
	var got []int64
	for _, s := range all {
		got = append(got, s.values["delivered"])
	}
	if diff := cmp.Diff([]int64{1000, 1000, record.Missing, 1200}, got); diff != "" || all[2].values["loops.silent"] != 1 || all[2].values["cpu.user"] != 105 {
		t.Error(diff)
	}
}

func TestATriggerHasABurstAndABundle(t *testing.T) {
	g := play(t, nil, func(g *rig) {
		g.set(t, "recorder.trigger_wait", "2s")
		g.set(t, "recorder.before", "3s")
		g.set(t, "recorder.burst", "5s")
		g.backlog.Store(99)
		pass(10*time.Second + time.Millisecond)
		g.tell(func(f *Figures) { f.OldestSeconds, f.Queued = 2.5, 500 })
		pass(30 * time.Second) // longer than a burst, shorter than recorder.burst_every
	})
	burst, marks := read(t, os.DirFS(g.dir), RingBurst)
	before, after := 0, 0
	for i, s := range burst {
		if i > 0 && s.at.Sub(burst[i-1].at) > 200*time.Millisecond {
			t.Errorf("a gap of %s in the burst", s.at.Sub(burst[i-1].at))
		}
		if s.values["cpu.user"] == record.Missing {
			before++
			if s.values["queued"] != 99 || s.values["conns"] != 3 || s.values["go.scheds"] <= 0 {
				t.Fatalf("a look of before: %v", s.values)
			}
			continue
		}
		after++
	}
	if before < 25 || before > 31 || after < 50 || after > 52 {
		t.Errorf("%d looks of 3 s before and %d records of 5 s", before, after)
	}
	if len(marks) != 1 || !strings.Contains(marks[0].Text, "waited 2.5s") || !strings.Contains(marks[0].Text, "recorder.trigger_wait") {
		t.Errorf("marks %+v", marks)
	}
	all, err := g.Bundles()
	must(t, err)
	if len(all) != 1 || g.Summary().Bursts != 1 {
		t.Fatalf("%d bundles, %d bursts; the second comes no sooner than after recorder.burst_every", len(all), g.Summary().Bursts)
	}
	checkBundle(t, g, all[0])
}

func checkBundle(t *testing.T, g *rig, b pushdapi.RecBundle) {
	t.Helper()
	r, size, err := g.Bundle(b.ID)
	must(t, err)
	defer r.Close()
	packed, err := io.ReadAll(r)
	must(t, err)
	if int64(len(packed)) != size || size != b.Bytes {
		t.Errorf("%d bytes, said are %d and %d", len(packed), size, b.Bytes)
	}
	files := unpack(t, packed)
	want := []string{"block.pb.gz", "bundle.json", "goroutine.pb.gz", "heap.pb.gz", "mutex.pb.gz", "rec/1s-0000000001.rec", "rec/burst-0000000001.rec", "top.json"}
	if diff := cmp.Diff(want, keys(files)); diff != "" {
		t.Error(diff)
	}
	inside := fstest.MapFS{"burst-0000000001.rec": {Data: files["rec/burst-0000000001.rec"]}, "1s-0000000001.rec": {Data: files["rec/1s-0000000001.rec"]}}
	if all, marks := read(t, inside, RingBurst); len(all) < 75 || len(marks) != 1 {
		t.Errorf("the bundle has %d records of the burst", len(all))
	}
	if all, _ := read(t, inside, RingSecond); len(all) < 14 {
		t.Errorf("the bundle has %d records of seconds", len(all))
	}
}

func unpack(t *testing.T, packed []byte) map[string][]byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	must(t, err)
	files := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		must(t, err)
		files[h.Name], err = io.ReadAll(r)
		must(t, err)
	}
}

// TestAnIdleNodeIsLeftAlone: nothing wakes it between two seconds.
func TestAnIdleNodeIsLeftAlone(t *testing.T) {
	asked := 0
	g := play(t, func(c *Config) {
		c.busy = 1 << 40
		backlog := c.Backlog
		c.Backlog = func() int64 { asked++; return backlog() }
	}, func(g *rig) {
		g.set(t, "recorder.trigger_wait", "2s")
		pass(5*time.Second + time.Millisecond)
		g.tell(func(f *Figures) { f.OldestSeconds = 3 })
		pass(30 * time.Second)
	})
	burst, _ := read(t, os.DirFS(g.dir), RingBurst)
	if asked != 0 || len(burst) < 100 || burst[0].values["cpu.user"] == record.Missing {
		t.Errorf("%d looks, %d records in the burst", asked, len(burst))
	}
}

func TestBundlesAreCapped(t *testing.T) {
	g := play(t, func(c *Config) {
		c.Show["big.json"] = func(context.Context) (any, error) { return strings.Repeat("x", 1<<20), nil }
		c.Show["broken.json"] = func(context.Context) (any, error) { return nil, errors.New("no answer") }
	}, func(g *rig) {
		for name, value := range map[string]string{"recorder.trigger_wait": "1s", "recorder.burst": "1s", "recorder.burst_every": "5s",
			"recorder.bundles_max": "3", "recorder.bundle_bytes_max": "900KB", "recorder.before": "0"} {
			g.set(t, name, value)
		}
		g.tell(func(f *Figures) { f.OldestSeconds = 5 })
		pass(time.Minute)
	})
	all, err := g.Bundles()
	must(t, err)
	if n := g.Summary().Bursts; n < 9 || n > 13 {
		t.Errorf("%d bursts in a minute, one each 5 s is allowed", n)
	}
	if len(all) != 3 || !slices.IsSortedFunc(all, func(a, b pushdapi.RecBundle) int { return strings.Compare(b.ID, a.ID) }) {
		t.Errorf("bundles %v", bundleIDs(all))
	}
	left := strings.Join(all[0].LeftOut, "; ")
	if !strings.Contains(left, "big.json: 1048578 bytes") || !strings.Contains(left, "broken.json: no answer") {
		t.Errorf("left out: %s", left)
	}
	entries, err := os.ReadDir(g.bundles())
	must(t, err)
	if len(entries) != 6 {
		t.Errorf("%d files of 3 bundles", len(entries))
	}
}

func TestABurstThatIsCutShort(t *testing.T) {
	slow := func(g *rig) {
		g.set(t, "recorder.trigger_wait", "1s")
		g.tell(func(f *Figures) { f.OldestSeconds = 5 })
		pass(3*time.Second + time.Millisecond)
	}
	g := play(t, nil, slow) // by the end of the node
	if all, err := g.Bundles(); err != nil || len(all) != 1 {
		t.Errorf("stopped within a burst: %v, %v", bundleIDs(all), err)
	}
	g = play(t, nil, func(g *rig) {
		slow(g)
		g.set(t, "recorder.on", "off")
		pass(20 * time.Second)
	})
	if all, err := g.Bundles(); err != nil || len(all) != 0 {
		t.Errorf("turned off within a burst: %v, %v", bundleIDs(all), err)
	}
}

func TestATraceIsTakenOnce(t *testing.T) {
	now := time.Now()
	first := beginBundle(now, "slow", time.Second, 8<<20)
	second := beginBundle(now, "slow", time.Second, 8<<20)
	for _, b := range []*bundle{first, second} {
		b.stopTrace(now.Add(500 * time.Millisecond))
		if slices.Contains(b.info.Files, "trace.out") {
			t.Error("the trace ended before its time")
		}
		b.stopTrace(now.Add(time.Second))
		b.stopTrace(now.Add(2 * time.Second))
	}
	if i := len(first.files) - 1; first.files[i].name != "trace.out" || !bytes.HasPrefix(first.files[i].data, []byte("go 1.")) {
		t.Errorf("files %v, left out %v", first.info.Files, first.info.LeftOut)
	}
	if len(second.info.LeftOut) != 1 || !strings.Contains(second.info.LeftOut[0], "trace.out: ") {
		t.Errorf("while another is taken: %v, %v", second.info.Files, second.info.LeftOut)
	}
}

func TestThereIsNoBundleOutside(t *testing.T) {
	g := newRig(t, nil)
	for _, id := range []string{"", "../../etc/passwd", "20261128T140307", "x"} {
		if _, _, err := g.Bundle(id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// TestAFolderThatCannotBeMade pauses and goes on by itself.
func TestAFolderThatCannotBeMade(t *testing.T) {
	var dir string
	g := play(t, func(c *Config) {
		dir = filepath.Dir(c.Dir)
		must(t, os.WriteFile(c.Dir, nil, 0o600)) // a file is in the way
	}, func(g *rig) {
		pass(5*time.Second + time.Millisecond)
		if s := g.Summary(); s.Paused == "" || !s.On {
			t.Errorf("%+v", s)
		}
		must(t, os.Remove(g.dir))
		pass(30 * time.Second)
		if s := g.Summary(); s.Paused != "" || s.Records == 0 {
			t.Errorf("%+v", s)
		}
	})
	all, marks := read(t, os.DirFS(g.dir), RingSecond)
	if len(all) < 20 || !slices.Contains(kinds(marks), record.MarkPause) {
		t.Errorf("%d records, marks %v in %s", len(all), marks, dir)
	}
}

func TestOneFolderHasOneRecorder(t *testing.T) {
	dir := t.TempDir()
	first, err := lock(dir)
	must(t, err)
	if _, err := lock(dir); err == nil || !strings.Contains(err.Error(), "--state-dir") {
		t.Errorf("the second: %v", err)
	}
	first.Close()
	again, err := lock(dir)
	must(t, err)
	again.Close()
}

func TestStateAndCopy(t *testing.T) {
	g := play(t, nil, func(g *rig) { pass(12*time.Second + time.Millisecond) })
	s, err := g.State(t.Context())
	must(t, err)
	if ring := s.Rings[0]; ring.Ring != RingSecond || ring.To.Sub(ring.From) != 11*time.Second || ring.Bytes <= 0 == s.On {
		t.Errorf("%+v", ring)
	}
	if len(s.Gaps) != 1 || s.Gaps[0].File != "/proc/pressure/io" {
		t.Errorf("gaps %+v", s.Gaps)
	}
	var out bytes.Buffer
	must(t, g.Copy(&out, pushdapi.RecQuery{Ring: RingSecond, From: s.Rings[0].From, To: s.Rings[0].To, Fields: []string{"queued"}}))
	n := 0
	must(t, record.Read(&out, func(it record.Item) error {
		if it.Record != nil {
			n++
		}
		return nil
	}))
	if n != 12 {
		t.Errorf("%d records of 12", n)
	}
	if len(g.Fields()) != s.Fields || s.Fields < 150 {
		t.Errorf("%d fields, %d listed", s.Fields, len(g.Fields()))
	}
	fresh := newRig(t, nil)
	if s, err := fresh.State(t.Context()); err != nil || s.Records != 0 {
		t.Errorf("before the start: %+v, %v", s, err)
	}
	if err := fresh.Copy(&out, pushdapi.RecQuery{Ring: RingSecond}); err != nil {
		t.Errorf("before the start: %v", err)
	}
}

func TestClockMark(t *testing.T) {
	f := func(wall, mono int64, want string) {
		t.Helper()
		got := ""
		if m := clockMark(&record.Record{At: 1_000_000, Mono: 500}, &record.Record{At: 1_000_000 + wall, Mono: 500 + mono}); m != nil {
			got = m.Text
		}
		if got != want {
			t.Errorf("%d ms by the wall, %d: %q, want %q", wall, mono, got, want)
		}
	}
	f(1000, 1000, "")
	f(1200, 1000, "")
	f(31_000, 31_000, "") // a gap is no jump
	f(3_601_000, 1000, "the clock was set forward by 1h0m0s")
	f(-59_000, 1000, "the clock was set back by 1m0s")
}

func TestSchedTrigger(t *testing.T) {
	g := newRig(t, nil)
	g.set(t, "recorder.trigger_sched", "20ms")
	s := &record.Schema{Fields: g.fields}
	r := &record.Record{V: make([]int64, len(g.fields))}
	missing(r.V)
	f := func(waits, p99 time.Duration, fires bool) {
		t.Helper()
		tr := newTrigger(&g.knobs, s)
		r.V[tr.num], r.V[tr.sched] = int64(waits), int64(p99)
		if why := tr.judge(r); (why != "") != fires {
			t.Errorf("%d waits, p99 %s: %q", waits, p99, why)
		}
	}
	f(1000, 25*time.Millisecond, true)
	f(1000, 19*time.Millisecond, false)
	f(5, 25*time.Millisecond, false)
	f(1000, record.Missing, false)
}

package experiment

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushfleet/internal/guard"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
	"pushfleet/pushctl/experiment/drive"
	"pushfleet/pushctl/experiment/report"
)

// run makes the experiment and wants it to have begun.
func (p *pair) run(ctx context.Context) *report.Report {
	p.t.Helper()
	r, err := Run(ctx, p.o)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

func TestAnExperimentRunsToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		begin := time.Now()
		r := p.run(t.Context())
		if took := time.Since(begin); took < 2*time.Minute || took > 2*time.Minute+5*time.Second {
			t.Errorf("took %v", took)
		}
		if r.Stopped != nil || len(r.Notes) > 0 {
			t.Errorf("stopped %+v, notes %q", r.Stopped, r.Notes)
		}
		if diff := cmp.Diff([]string{"check", "join", "aa", "ab", "restore"}, p.stages()); diff != "" {
			t.Error(diff)
		}
		// Each arm has had half of A/B, the treatment none of A/A.
		var with, without float64
		for _, s := range r.Stretches {
			if s.Phase == "ab" && s.Arm == "B" {
				with += s.To - s.From
			} else if s.Phase == "ab" {
				without += s.To - s.From
			}
		}
		if math.Abs(with-without) > 1 || with < 40 {
			t.Errorf("%v s with, %v s without", with, without)
		}
		if !p.shadow.wasSet("gc.percent=400%") || p.shadow.value("gc.percent") != "200%" || p.production.value("gc.percent") != "200%" || p.production.sets != nil {
			t.Errorf("shadow: %q, production: %q", p.shadow.sets, p.production.sets)
		}
		if diff := cmp.Diff([]report.Knob{{Name: "gc.percent", Before: "200%", Value: "200%"}}, r.Restored); diff != "" {
			t.Error(diff)
		}
		if p.journals() != 0 || !p.driver.ran {
			t.Errorf("%d journals left, driver ended: %v", p.journals(), p.driver.ran)
		}
		if len(r.Trials) != 1 || r.Trials[0].Name != "gc.percent=400" || r.From.Name != "gw-1" || !r.To.Shadow {
			t.Errorf("report of %+v to %+v: %+v", r.From, r.To, r.Trials)
		}
	})
}

// An experiment ends its own tee only: whoever reads by then may be another.
func TestNoOtherTeeIsEnded(t *testing.T) {
	f := func(id string, meanwhile func(tap *pushdapi.Tap), wantAsked []string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t)
			p.production.tap.ID = id
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			noted := ""
			tell := p.o.Tell
			p.o.Tell = func(g Progress) {
				tell(g)
				if all, err := Journals(p.o.Journals); err == nil && len(all) == 1 && g.Stage == "aa" {
					noted = all[0].Entry().Tee
				}
			}
			go func() {
				<-time.After(90 * time.Second) // in A/B
				p.production.change(func(*fakeNode) { meanwhile(&p.production.tap) })
				<-time.After(10 * time.Second) // for a look at the tap
				cancel()
			}()
			r := p.run(ctx)
			if !slices.Equal(p.production.asked, wantAsked) || noted != id {
				t.Errorf("asked to end %q, want %q; the journal names %q, want %q", p.production.asked, wantAsked, noted, id)
			}
			if r.Tap == nil || r.Tap.ID != id || r.Tap.Torn != 0 {
				t.Errorf("the report has the books of another tee: %+v", r.Tap)
			}
		})
	}
	f("3f9a1c02", func(*pushdapi.Tap) {}, []string{"3f9a1c02"})
	f("3f9a1c02", func(tap *pushdapi.Tap) { tap.ID, tap.Torn = "0badcafe", 99 }, []string{"3f9a1c02"})
	f("", func(*pushdapi.Tap) {}, nil) // a node that gives no names
}

// Whatever ends an experiment has a word, and the shadow is put back.
func TestWhatEndsAnExperiment(t *testing.T) {
	f := func(name string, do func(p *pair, cancel func()), reason, detail string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t)
				p.o.Plan = NewPlan(5*time.Minute, 0, 0, 1, false, 1)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go func() {
					<-time.After(90 * time.Second) // in A/B
					do(p, cancel)
				}()
				r := p.run(ctx)
				if r.Stopped == nil || r.Stopped.Reason != reason || !strings.Contains(r.Stopped.Detail, detail) {
					t.Fatalf("stopped by %+v, want %s: …%s…", r.Stopped, reason, detail)
				}
				if r.Stopped.At < 89 || r.Stopped.At > 240 {
					t.Errorf("at %v s", r.Stopped.At)
				}
				if p.shadow.value("gc.percent") != "200%" && p.shadow.dead == nil || !p.driver.ran {
					t.Errorf("gc.percent is %s, the driver has ended: %v", p.shadow.value("gc.percent"), p.driver.ran)
				}
			})
		})
	}
	f("interrupt", func(_ *pair, cancel func()) { cancel() }, StopInterrupted, "")
	f("the shadow is away", func(p *pair, _ func()) { p.shadow.change(func(n *fakeNode) { n.dead = io.EOF }) }, StopShadow, "has not answered for 1")
	f("the shadow was started again", func(p *pair, _ func()) {
		p.shadow.change(func(n *fakeNode) { n.born, n.second = time.Now(), nil })
	}, StopShadow, "was started again")
	f("the shadow refuses", func(p *pair, _ func()) { p.shadow.change(func(n *fakeNode) { n.refuse = "400" }) }, StopShadow, "set gc.percent to 400 on gw-shadow:7401")
	f("production is away", func(p *pair, _ func()) { p.production.change(func(n *fakeNode) { n.dead = io.EOF }) }, StopProduction, "has not answered for 1")
	f("production ends the tee", func(p *pair, _ func()) {
		var b teewire.Batch
		b.End(&teewire.End{Reason: "sample", Detail: "tap.sample_percent is 0"})
		p.production.out.Write(b.Seal())
		p.production.out.Close()
	}, StopStream, "production has ended the tee (sample): tap.sample_percent is 0")
	f("the network is cut", func(p *pair, _ func()) { p.production.out.CloseWithError(errors.New("connection reset")) }, StopStream, "connection reset")
	f("production drops", func(p *pair, _ func()) { p.production.change(func(n *fakeNode) { n.drops = 0.01 }) }, StopDrops, "production dropped")
	f("production works harder", func(p *pair, _ func()) {
		p.production.change(func(n *fakeNode) { n.cost = func(*fakeNode) float64 { return 15e-6 } })
	}, StopCPU, "surely")
	f("production is late", func(p *pair, _ func()) { p.production.change(func(n *fakeNode) { n.p99 = 3e-3 }) }, StopP99, "had a p99 of")
	f("the driver is late", func(p *pair, _ func()) {
		p.driver.mu.Lock()
		defer p.driver.mu.Unlock()
		p.driver.each = func(c *drive.Counts) {
			n := uint64(time.Now().UnixMilli())
			c.Read = map[string]uint64{"out": n}
			c.Dropped = map[string]map[string]uint64{"out": {drive.DropLate: n / 10}}
		}
	}, StopDriver, "this machine cannot keep up")
}

func TestConditionsEndAnExperiment(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t)
			expr, err := ParseStop(text)
			if err != nil {
				t.Fatal(err)
			}
			p.o.StopIf = []*guard.Expr{expr}
			r := p.run(t.Context())
			switch {
			case want == "" && r.Stopped != nil:
				t.Errorf("%s: stopped by %+v", text, r.Stopped)
			case want != "" && (r.Stopped == nil || r.Stopped.Reason != StopCondition || !strings.Contains(r.Stopped.Detail, want)):
				t.Errorf("%s: stopped by %+v, want …%s…", text, r.Stopped, want)
			}
		})
	}
	f("conns > 10", "it is so: conns > 10 (conns 1000)")
	f("shadow.conns < 10", "shadow.conns 0")
	f("conns > 5000", "")
	f("cpu.rise > 200%", "")
}

func TestUnknownConditionsAreRefused(t *testing.T) {
	if _, err := ParseStop("dorps.10s > 5/s"); err == nil || !strings.Contains(err.Error(), "did you mean drops.10s?") {
		t.Error(err)
	}
}

func TestAllowedHarmGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.o.Allow = []string{StopDrops}
		go func() {
			<-time.After(30 * time.Second)
			p.production.change(func(n *fakeNode) { n.drops = 0.01 })
		}()
		if r := p.run(t.Context()); r.Stopped != nil {
			t.Errorf("stopped by %+v", r.Stopped)
		}
	})
}

// What cannot begin changes nothing.
func TestWhatCannotBegin(t *testing.T) {
	f := func(name string, spoil func(p *pair), want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t)
				spoil(p)
				r, err := Run(t.Context(), p.o)
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want …%s… (report %+v)", err, want, r)
				}
				if len(p.shadow.sets) > 0 && p.shadow.value("gc.percent") != "200%" {
					t.Errorf("the shadow was set: %q", p.shadow.sets)
				}
				if p.journals() != 0 {
					t.Error("a journal was left")
				}
			})
		})
	}
	set := func(s ...Setting) func(*pair) { return func(p *pair) { p.o.Set = s } }
	f("no such knob", set(Setting{"gc.percnet", "400"}), "no knob gc.percnet")
	f("bad value", set(Setting{"gc.percent", "bad"}), "gc.percent cannot be bad: gc.percent bad: want 1% to 100000%")
	f("restart", set(Setting{"dedup.entries_max", "5"}), "acts after a restart: start a second shadow")
	f("new connections", set(Setting{"conns.max", "5"}), "acts on new connections only")
	f("busy", func(p *pair) {
		p.production.busy = &pushdapi.Error{Code: "busy", Message: "a tee to desk runs since 14:03", Status: 409}
	}, "a tee to desk runs since 14:03")
	f("the shadow is away", func(p *pair) { p.shadow.dead = io.EOF }, "--to gw-shadow:7401: EOF")
	f("production is away", func(p *pair) { p.production.dead = io.EOF }, "--from gw-1:7401: EOF")
	f("itself", func(p *pair) { p.o.To.Node = p.production.fakeNode }, "are the same node, gw-1")
	f("a node in use", func(p *pair) { p.shadow.shadow, p.shadow.conns = false, 12 }, "has 12 connections and was not started as a shadow")
	f("no room for the journal", func(p *pair) {
		file := filepath.Join(p.o.Journals, "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			p.t.Fatal(err)
		}
		p.o.Journals = filepath.Join(file, "sub")
	}, "nothing was changed")
}

func TestNothingInTheSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.production.tap.Connections, p.driver.counts.Open = 0, 0
		r := p.run(t.Context())
		if r.Stopped == nil || !strings.Contains(r.Stopped.Detail, "take a larger --sample") {
			t.Errorf("stopped by %+v", r.Stopped)
		}
	})
}

func TestAShadowThatTakesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.driver.counts.Open = 10
		r := p.run(t.Context())
		if r.Stopped == nil || r.Stopped.Reason != StopShadow || !strings.Contains(r.Stopped.Detail, "gw-shadow:7401 (to) holds 10 of 50 mirrored connections") {
			t.Errorf("stopped by %+v", r.Stopped)
		}
	})
}

// What is torn here or refused is not waited for; the tap does not count what
// it has torn itself.
func TestTornConnectionsAreNotWaitedFor(t *testing.T) {
	f := func(c drive.Counts, tapTorn uint64, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t)
			p.driver.counts, p.production.tap.Torn = c, tapTorn
			p.o.Mirror, p.o.Plan.AB = true, time.Minute
			r := p.run(t.Context())
			if want == "" && r.Stopped != nil || want != "" && (r.Stopped == nil || !strings.Contains(r.Stopped.Detail, want)) {
				t.Errorf("%+v, %d torn by the tap: stopped by %+v, want %q", c, tapTorn, r.Stopped, want)
			}
		})
	}
	f(drive.Counts{Open: 20, Torn: 20, Failed: 10}, 0, "")
	f(drive.Counts{Open: 50, Torn: 20}, 20, "")
	f(drive.Counts{Open: 30, Torn: 20}, 20, "gw-shadow:7401 (to) holds 30 of 50 mirrored connections, 0 refused and 20 torn")
	f(drive.Counts{Torn: 50}, 0, "(to) holds 0 of 50 mirrored connections, 0 refused and 50 torn")
}

func TestTheShadowThatLacksConnectionsIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		control, d := newFakeNode("gw-old"), newFakeDriver()
		control.conns, d.counts.Open = 0, 10
		p.o.Control, p.o.Set = &Shadow{control, d}, nil
		r := p.run(t.Context())
		if r.Stopped == nil || r.Stopped.Reason != StopShadow || !strings.Contains(r.Stopped.Detail, "gw-old:7401 (control) holds 10 of 50 mirrored connections") {
			t.Errorf("stopped by %+v", r.Stopped)
		}
	})
}

func TestProductionThatDoesNotFinishJoining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.production.tap.Joining = true
		r := p.run(t.Context())
		if r.Stopped == nil || r.Stopped.Reason != StopProduction || !strings.Contains(r.Stopped.Detail, "gw-1:7401 still has connections to tell of") {
			t.Errorf("stopped by %+v", r.Stopped)
		}
	})
}

// A killed experiment leaves its journal; the next one puts back first.
func TestTheNextOnePutsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		j := NewJournal(p.o.Journals, p.shadow.Addr(), "gw-shadow", "gw-1:7401", time.Now())
		j.entry.Start = "1" // another process had our number
		err := j.Write([]Kept{{Name: "gc.percent", Value: "200%", Tried: []string{"800%"}}, {Name: "queue.messages_max", Value: "1024", Tried: []string{"64"}}})
		if err != nil {
			t.Fatal(err)
		}
		p.shadow.knobs["gc.percent"].Value = "800%"
		p.shadow.knobs["queue.messages_max"].Value = "2048" // somebody else's
		r := p.run(t.Context())
		if len(p.shadow.sets) == 0 || p.shadow.sets[0] != "gc.percent=200%" || p.shadow.value("queue.messages_max") != "2048" {
			t.Errorf("sets: %q", p.shadow.sets)
		}
		if !slices.ContainsFunc(r.Notes, func(s string) bool { return strings.Contains(s, "gc.percent of gw-shadow is 200% again") }) {
			t.Errorf("notes: %q", r.Notes)
		}
		if r.Restored[0].Before != "200%" || p.journals() != 0 {
			t.Errorf("restored %+v, %d journals", r.Restored, p.journals())
		}
	})
}

func TestOneExperimentAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		j := NewJournal(p.o.Journals, "another way", "gw-shadow", "gw-1:7401", time.Now())
		if err := j.Write(nil); err != nil {
			t.Fatal(err)
		}
		if _, err := Run(t.Context(), p.o); err == nil || !strings.Contains(err.Error(), "runs already") {
			t.Error(err)
		}
	})
}

// What somebody else sets meanwhile is left alone, and told.
func TestAnothersValueStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-time.After(60 * time.Second)
			p.shadow.change(func(n *fakeNode) { n.knobs["gc.percent"].Value = "300%" })
			cancel()
		}()
		r := p.run(ctx)
		if p.shadow.value("gc.percent") != "300%" || len(r.Restored) != 1 || !strings.Contains(r.Restored[0].Failed, "left at 300%") {
			t.Errorf("gc.percent is %s, restored %+v", p.shadow.value("gc.percent"), r.Restored)
		}
	})
}

func TestASweepTriesEachValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		var err error
		if p.o.Sweep, err = ParseSweep("queue.messages_max=64,256,512"); err != nil {
			t.Fatal(err)
		}
		p.o.Plan = NewPlan(10*time.Minute, 0, 0, 3, false, 1)
		r := p.run(t.Context())
		if len(r.Trials) != 3 || r.Trials[2].Name != "gc.percent=400 queue.messages_max=512" {
			t.Fatalf("%+v", r.Trials)
		}
		for _, v := range []string{"64", "256", "512"} {
			if !p.shadow.wasSet("queue.messages_max=" + v) {
				t.Errorf("never set to %s: %q", v, p.shadow.sets)
			}
		}
		if p.shadow.value("queue.messages_max") != "1024" || p.shadow.value("gc.percent") != "200%" || len(r.Restored) != 2 {
			t.Errorf("restored: %+v", r.Restored)
		}
	})
}

// Two shadows are fed with the same and asked at the same time.
func TestASecondShadow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		control := newFakeNode("gw-old")
		control.conns = 0
		p.o.Control = &Shadow{control, newFakeDriver()}
		p.o.Set = nil
		p.o.Plan = NewPlan(2*time.Minute, 0, 0, 1, true, 1)
		r := p.run(t.Context())
		if r.Stopped != nil || r.Control == nil || r.Control.Name != "gw-old" || r.Beside == nil {
			t.Errorf("stopped %+v, control %+v", r.Stopped, r.Control)
		}
		if !p.o.Control.Driver.(*fakeDriver).ran || !p.driver.ran {
			t.Error("a driver has not ended")
		}
	})
}

func TestMirroringWithoutAVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.o.Mirror, p.o.Set, p.o.Plan = true, nil, Plan{AB: time.Minute}
		r := p.run(t.Context())
		if r.Stopped != nil || len(r.Trials) != 0 || p.shadow.sets != nil || r.Driver.Open != 50 {
			t.Errorf("%+v", r)
		}
		if diff := cmp.Diff([]string{"check", "join", "mirror", "restore"}, p.stages()); diff != "" {
			t.Error(diff)
		}
	})
}

// What tries nothing is allowed, and says so before it takes its time.
func TestNothingIsTried(t *testing.T) {
	f := func(set []Setting, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t)
			p.o.Set = set
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			p.o.Tell = func(g Progress) {
				if strings.Contains(g.Note, want) && g.Stage == "" {
					stop()
				}
			}
			if r, err := Run(ctx, p.o); err == nil && (r.Stopped == nil || len(r.Notes) != 1) {
				t.Errorf("%v: %+v, notes %q", set, r.Stopped, r.Notes)
			}
			if ctx.Err() == nil {
				t.Errorf("%v: it did not say %q", set, want)
			}
		})
	}
	f(nil, "nothing is tried: A and B are alike")
	f([]Setting{{"gc.percent", "200"}}, "the shadow has gc.percent=200 already: A and B are alike")
}

func TestWithoutARecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.production.mute, p.shadow.mute = true, true
		r := p.run(t.Context())
		if r.Stopped != nil || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "recorder") {
			t.Errorf("stopped %+v, notes %q", r.Stopped, r.Notes)
		}
	})
}

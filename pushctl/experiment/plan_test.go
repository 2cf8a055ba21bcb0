package experiment

import (
	"strings"
	"testing"
	"time"

	"pushfleet/pushctl/experiment/verdict"
)

func TestPlans(t *testing.T) {
	f := func(total, aa, window time.Duration, tries int, wantAA, wantAB, wantWindow, wantSettle time.Duration) {
		t.Helper()
		p := NewPlan(total, aa, window, tries, false, 1)
		if p.AA != wantAA || p.AB != wantAB || p.Window != wantWindow || p.Settle != wantSettle {
			t.Errorf("%v of %v: A/A %v, A/B %v, windows %v, settling %v", tries, total, p.AA, p.AB, p.Window, p.Settle)
		}
		if err := p.Check(); err != nil {
			t.Errorf("%v: %v", total, err)
		}
		var last time.Duration
		for _, s := range p.Slots() {
			if s.From != last || s.To-s.From != p.Window || s.From%p.Window != 0 {
				t.Errorf("%v: slot %+v after %v", total, s, last)
			}
			last = s.To
		}
		if last != p.Total() {
			t.Errorf("slots end at %v of %v", last, p.Total())
		}
	}
	const s, m = time.Second, time.Minute
	f(10*m, 0, 0, 1, 2*m, 8*m, 10*s, 2*s)
	f(m, 0, 0, 1, 20*s, 40*s, 5*s, s)
	f(10*m, 0, 0, 3, 2*m, 7*m+48*s, 6*s, 1200*time.Millisecond)
	f(10*m, 2*m, 30*s, 1, 2*m, 8*m, 30*s, 6*s)
	f(time.Hour, 0, 0, 1, 12*m, 48*m, 10*s, 2*s)
}

func TestPlansThatSayNothing(t *testing.T) {
	f := func(total, aa, window time.Duration, want string) {
		t.Helper()
		p := NewPlan(total, aa, window, 1, false, 1)
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, A/A %v, windows %v: %v, want …%s…", total, aa, window, err, want)
		}
	}
	const s, m = time.Second, time.Minute
	f(30*s, 0, 0, "with windows of 5s it takes 50s at least")
	f(10*m, 10*s, 0, "give it 40s or more")
	f(10*m, 0, s, "--window 1s: want 5s to 10m")
	f(10*m, 0, time.Hour, "want 5s to 10m")
	f(10*m, 9*m+50*s, 0, "the time is too short")
	f(25*time.Hour, 0, 0, "longer than the 24h")
}

// Each treatment of a sweep has its own control beside it, both as long.
func TestSweepsTakeTurns(t *testing.T) {
	p := NewPlan(20*time.Minute, 0, 0, 3, false, 7)
	type key struct {
		trial int
		arm   verdict.Arm
	}
	n := map[key]int{}
	var pair *Slot
	for _, s := range p.Slots() {
		if s.Phase == verdict.PhaseAA {
			continue
		}
		n[key{s.Trial, s.Arm}]++
		if pair == nil {
			pair = &s
			continue
		}
		if pair.Trial != s.Trial || pair.Arm == s.Arm {
			t.Fatalf("no pair: %+v, %+v", *pair, s)
		}
		pair = nil
	}
	for trial := range 3 {
		if a, b := n[key{trial, verdict.Control}], n[key{trial, verdict.Treatment}]; a != b || a < 10 {
			t.Errorf("trial %d: %d and %d windows", trial, a, b)
		}
	}
}

func TestBesideNothingSwitches(t *testing.T) {
	p := NewPlan(10*time.Minute, 0, 0, 1, true, 1)
	ab := 0
	for _, s := range p.Slots() {
		if s.Phase == verdict.PhaseAB {
			ab++
			if s.To-s.From != 8*time.Minute || s.Arm != verdict.Treatment {
				t.Errorf("%+v", s)
			}
		}
	}
	if ab != 1 {
		t.Errorf("%d slots", ab)
	}
	p = NewPlan(10*time.Minute, -1, 0, 1, true, 1) // they differ from the beginning
	if s := p.Slots(); len(s) != 1 || s[0].To != 10*time.Minute || p.Check() != nil {
		t.Errorf("%+v, %v", s, p.Check())
	}
}

func FuzzSettings(f *testing.F) {
	f.Add("gc.percent=400")
	f.Add("queue.messages_max=64,256,1024")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := ParseSetting(text); err == nil {
			if again, err := ParseSetting(s.String()); err != nil || again != s {
				t.Errorf("%q: %v, read again %v, %v", text, s, again, err)
			}
		}
		if all, err := ParseSweep(text); err == nil && (len(all) < 2 || len(all) > SweepMax) {
			t.Errorf("%q: %d values", text, len(all))
		}
	})
}

func TestSettings(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		s, err := ParseSetting(text)
		if got := s.String(); err == nil && got != want || err != nil && want != "" {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	f("gc.percent=400", "gc.percent=400")
	f(" gc.percent = 400 ", "gc.percent=400")
	f("a=b=c", "a=b=c")
	f("gc.percent", "")
	f("=4", "")
	f("gc.percent=", "")

	sweep := func(text string, want int) {
		t.Helper()
		if s, err := ParseSweep(text); len(s) != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %v, %v", text, s, err)
		}
	}
	sweep("queue.messages_max=64,256,1024", 3)
	sweep("queue.messages_max=64, 256", 2)
	sweep("queue.messages_max=64", 0)
	sweep("queue.messages_max=64,64", 0)
	sweep("queue.messages_max=64,,65", 0)
	sweep("queue.messages_max", 0)
	sweep("q="+strings.Repeat("1,", SweepMax)+"2", 0)
}

package verdict

import (
	"flag"
	"math/rand/v2"
	"testing"
)

// others draws experiments that no setting was chosen on. Each number above 0
// stands for others; the tests' bounds leave them little room for bad luck.
var others = flag.Uint64("others", 0, "judge other experiments than the usual ones")

// newSimulation is ten minutes at the default settings.
func newSimulation(z noise, seed uint64) *simulation {
	return &simulation{r: rand.New(rand.NewPCG(seed, 7+*others)), noise: z, aa: 120, ab: 480, window: DefaultWindow}
}

// alarm tells whether a verdict claims any difference.
func alarm(v *Verdict) bool {
	for _, e := range v.Effects {
		if e.Result == Better || e.Result == Worse {
			return true
		}
	}
	return v.Result == Fail
}

// Nothing differs in 500 experiments: at most one of a hundred may claim so.
func TestFalseAlarms(t *testing.T) {
	const runs = 500
	alarms, dirty := 0, 0
	for i := range runs {
		z := [...]noise{quiet(), usual(), usual(), busy(), busy()}[i%5]
		v := Judge(newSimulation(z, uint64(i)).input())
		if alarm(&v) {
			alarms++
		}
		if !v.AAClean {
			dirty++
		}
	}
	t.Logf("%d of %d claim a difference where there is none, %d find the A/A phase unclean", alarms, runs, dirty)
	if alarms > runs/100 {
		t.Errorf("%d false alarms of %d, want at most %d", alarms, runs, runs/100)
	}
	if dirty > runs/50 {
		t.Errorf("%d of %d A/A phases are called unclean", dirty, runs)
	}
}

// finds counts in how many experiments a handicap fails the treatment.
func finds(z noise, runs int, by float64) int {
	n := 0
	for i := range runs {
		s := newSimulation(z, uint64(1000+i))
		s.effect = map[string]float64{CPUPerMessage: by}
		v := Judge(s.input())
		if v.Result == Fail && v.Effects[0].Result == Worse {
			n++
		}
	}
	return n
}

func TestFindsWhatIsPlanted(t *testing.T) {
	f := func(name string, z noise, runs int, by float64, least int) {
		t.Helper()
		n := finds(z, runs, by)
		t.Logf("%s machine: %.0f %% more CPU found in %d of %d", name, 100*by, n, runs)
		if n < least {
			t.Errorf("%s machine: %.0f %% more CPU found in %d of %d, want %d", name, 100*by, n, runs, least)
		}
	}
	f("quiet", quiet(), 50, 0.05, 49)
	f("usual", usual(), 200, 0.05, 180)
	f("busy", busy(), 50, 0.20, 48)
}

// A minute with windows of five seconds: little can be seen, and no more is
// claimed.
func TestShortRuns(t *testing.T) {
	const runs = 300
	alarms, found := 0, 0
	for i := range runs {
		s := newSimulation([...]noise{quiet(), usual(), busy()}[i%3], uint64(5000+i))
		s.aa, s.ab, s.window = 20, 40, 5
		judge := func() Verdict {
			in := s.input()
			in.Settle = 1
			return Judge(in)
		}
		if v := judge(); alarm(&v) {
			alarms++
		}
		s.effect = map[string]float64{CPUPerMessage: 0.5}
		if v := judge(); v.Effects[0].Result == Worse {
			found++
		}
	}
	t.Logf("%d false alarms, 50 %% more CPU found in %d of %d", alarms, found, runs)
	if alarms > runs/100 || found < runs/2 {
		t.Errorf("%d false alarms, 50 %% more CPU found in %d of %d", alarms, found, runs)
	}
}

// A shadow that is always slower than production is no difference between the
// arms.
func TestSlowerShadowIsNoDifference(t *testing.T) {
	for i := range 30 {
		s := newSimulation(usual(), uint64(2000+i))
		s.tilt = 0.3
		if v := Judge(s.input()); alarm(&v) {
			t.Errorf("run %d: %s", i, v.Why)
		}
	}
}

// Of two shadows side by side one may be slower from the start, and they drift.
func TestSideBySide(t *testing.T) {
	const runs = 100
	alarms, found, unclean := 0, 0, 0
	for i := range runs {
		s := newSimulation(quiet(), uint64(13000+i))
		s.beside, s.noise.drift = true, 0.03
		s.aa, s.ab = 300, 300
		v := Judge(s.input())
		if alarm(&v) {
			alarms++
		}
		s.effect = map[string]float64{CPUPerMessage: 0.05}
		if v = Judge(s.input()); v.Effects[0].Result == Worse {
			found++
		}
		s.effect, s.pair = nil, 0.2
		if v = Judge(s.input()); v.Result == Inconclusive && !v.AAClean {
			unclean++
		}
		if v.Result == Fail {
			t.Errorf("run %d takes a slower machine for an effect: %s", i, v.Why)
		}
	}
	t.Logf("%d false alarms, %d found, %d unlike pairs named of %d", alarms, found, unclean, runs)
	if alarms > 1 || found < runs*9/10 || unclean < runs*9/10 {
		t.Errorf("%d false alarms, %d found, %d unlike pairs named of %d", alarms, found, unclean, runs)
	}
}

// Two builds side by side have no A/A phase. What two processes differ by all
// the same is no effect.
func TestSideBySideWithoutAA(t *testing.T) {
	const runs = 200
	alarms, found := 0, 0
	for i := range runs {
		s := newSimulation([...]noise{quiet(), usual(), busy()}[i%3], uint64(6000+i))
		s.beside, s.noise.drift, s.aa, s.ab = true, 0.03, 0, 300
		if v := Judge(s.input()); alarm(&v) {
			alarms++
		}
		s.effect = map[string]float64{CPUPerMessage: 0.2}
		if v := Judge(s.input()); v.Effects[0].Result == Worse {
			found++
		}
	}
	t.Logf("%d false alarms, 20 %% more CPU found in %d of %d", alarms, found, runs)
	if alarms > runs/100 || found < runs*9/10 {
		t.Errorf("%d false alarms, 20 %% more CPU found in %d of %d", alarms, found, runs)
	}
}

// Three values that do nothing: false alarms are bounded over all.
func TestSweeps(t *testing.T) {
	alarms := 0
	for i := range 60 {
		s := newSimulation(usual(), uint64(4000+i))
		trials := []Input{s.input(), s.input(), s.input()}
		for _, v := range JudgeAll(trials) {
			if alarm(&v) {
				alarms++
			}
		}
	}
	if alarms > 1 {
		t.Errorf("%d false alarms of 60 sweeps", alarms)
	}
}

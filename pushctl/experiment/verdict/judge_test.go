package verdict

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// plain is a metric of n windows in turns after an A/A phase of aa, without
// noise to speak of: treatment is by times control, production half of it.
func plain(m Metric, aa, n int, by float64) Series {
	s := Series{Metric: m}
	r := rand.New(rand.NewPCG(11, 1))
	for phase, windows := range []int{aa, n} {
		for _, arm := range Schedule(windows, 5) {
			for range DefaultWindow {
				p := Point{At: float64(len(s.Shadow)), Phase: Phase(phase), Arm: arm, Num: 100 * (1 + 0.001*r.NormFloat64()), Den: 10}
				q := p
				q.Num /= 2
				if phase == int(PhaseAB) && arm == Treatment {
					p.Num *= by
				}
				s.Shadow, s.Production = append(s.Shadow, p), append(s.Production, q)
			}
		}
	}
	return s
}

func metric(name string) Metric {
	return Metric{Name: name, Title: name, Unit: Count, Better: -1, Min: 0.02}
}

func TestResults(t *testing.T) {
	f := func(m Metric, by float64, want Result, change float64, whole Result, why string) {
		t.Helper()
		v := Judge(Input{Series: []Series{plain(m, 12, 48, by)}})
		e := v.Effects[0]
		if e.Result != want || !near(e.Change, change, 0.002) || v.Result != whole || !strings.Contains(v.Why, why) {
			t.Errorf("by %v: %+v\n%s: %s; want %s, %v, %s: %s", by, e, v.Result, v.Why, want, change, whole, why)
		}
		if !(e.Low <= e.Change && e.Change <= e.High) || !near(e.Control, 10, 0.1) || !near(e.Treatment, 10*by, 0.1*by) || !near(e.Production, 5, 0.1) || e.Windows != 24 {
			t.Errorf("by %v: %+v", by, e)
		}
		if !v.AAClean || v.Excluded != 0 || e.Noise <= 0 || e.Noise > 0.01 || e.Detectable < 0.02 || e.Detectable > 0.03 {
			t.Errorf("by %v: clean %v, excluded %v, noise %v, detectable %v", by, v.AAClean, v.Excluded, e.Noise, e.Detectable)
		}
	}
	less := metric("x")
	more := less
	more.Better = 1
	f(less, 1.1, Worse, 0.1, Fail, "worse in x (+10.0 %)")
	f(less, 0.9, Better, -0.1, Pass, "better in x (−10.0 %), worse in none; smallest that could be seen 2.0 % of x")
	f(more, 1.1, Better, 0.1, Pass, "better in x")
	f(more, 0.9, Worse, -0.1, Fail, "worse in x")
	f(less, 1.01, Equal, 0.01, Pass, "equal in all 1")
	f(less, 1.0, Equal, 0, Pass, "equal in all 1")
}

func TestAbsolute(t *testing.T) {
	m := metric("drops")
	m.Absolute, m.Min, m.Unit = true, 0.5, Seconds
	v := Judge(Input{Series: []Series{plain(m, 12, 48, 1.2)}})
	if e := v.Effects[0]; e.Result != Worse || !near(e.Change, 2, 0.01) {
		t.Errorf("%+v", e)
	}
	// What is zero on both sides is equal.
	s := plain(m, 12, 48, 1)
	for i := range s.Shadow {
		s.Shadow[i].Num, s.Production[i].Num = 0, 0
	}
	if v := Judge(Input{Series: []Series{s}}); v.Effects[0].Result != Equal || v.Result != Pass {
		t.Errorf("zeros: %+v", v)
	}
	// The same as a ratio cannot be compared.
	s.Absolute = false
	if v := Judge(Input{Series: []Series{s}}); v.Result != Inconclusive || v.Effects[0].Why != "zero most of the time" {
		t.Errorf("zeros as a ratio: %+v", v)
	}
}

// A change of a tenth of what is next to nothing does not matter.
func TestFloor(t *testing.T) {
	m := metric("p99")
	m.Floor = 3 // control is 10
	if v := Judge(Input{Series: []Series{plain(m, 12, 48, 1.1)}}); v.Effects[0].Result != Equal {
		t.Errorf("%+v", v.Effects[0])
	}
	if v := Judge(Input{Series: []Series{plain(m, 12, 48, 1.5)}}); v.Effects[0].Result != Worse {
		t.Errorf("%+v", v.Effects[0])
	}
}

func TestWatchDoesNotDecide(t *testing.T) {
	watch := metric("switches")
	watch.Watch = true
	v := Judge(Input{Series: []Series{plain(metric("cpu"), 12, 48, 1), plain(watch, 12, 48, 2)}})
	if v.Effects[1].Result != Worse || v.Result != Pass {
		t.Errorf("%s: %s, %+v", v.Result, v.Why, v.Effects[1])
	}
}

// Arms that differ when nothing does.
func TestUncleanAA(t *testing.T) {
	s := plain(metric("cpu"), 24, 48, 1)
	for i := range s.Shadow {
		if s.Shadow[i].Phase == PhaseAA && s.Shadow[i].Arm == Treatment {
			s.Shadow[i].Num *= 1.2
		}
	}
	v := Judge(Input{Series: []Series{s}})
	if v.Result != Inconclusive || v.AAClean || !strings.Contains(v.Why, "with nothing changed cpu differs by +20.0 % already") {
		t.Errorf("%s: %s", v.Result, v.Why)
	}
}

// An A/A phase whose arms are not told apart gets a schedule; one that is not
// there is said so.
func TestAAWithoutArms(t *testing.T) {
	s := plain(metric("cpu"), 12, 48, 1.1)
	for i := range s.Shadow {
		if s.Shadow[i].Phase == PhaseAA {
			s.Shadow[i].Arm = Control
		}
	}
	v := Judge(Input{Series: []Series{s}, Seed: 3})
	if !v.AAClean || v.AA[0].Windows != 6 || v.Effects[0].Result != Worse {
		t.Errorf("%+v", v)
	}
	v = Judge(Input{Series: []Series{plain(metric("cpu"), 0, 48, 1.1)}})
	if v.AAClean || v.AA != nil || v.Result != Fail || !strings.Contains(v.Why, "without an A/A phase") {
		t.Errorf("%+v", v)
	}
}

func TestTooShort(t *testing.T) {
	f := func(in Input, want string) {
		t.Helper()
		v := Judge(in)
		if v.Result != Inconclusive || !strings.Contains(v.Why+v.Effects[0].Why, want) {
			t.Errorf("%s: %s; %+v\nwant %s", v.Result, v.Why, v.Effects[0], want)
		}
	}
	f(Input{Series: []Series{plain(metric("cpu"), 12, 2, 2)}}, "it ended too early")
	f(Input{Series: []Series{plain(metric("cpu"), 12, 28, 1.5)}, Alpha: 1e-5}, "too few windows: 14 pairs cannot show anything")
	f(Input{Series: []Series{{Metric: metric("cpu")}}}, "not measured")
	lag := metric("memory")
	lag.Lag = 7
	f(Input{Series: []Series{plain(lag, 12, 48, 1.5)}}, "windows of 11 s or more are needed")
	if v := Judge(Input{}); v.Result != Inconclusive || !strings.Contains(v.Why, "no metrics") {
		t.Errorf("%+v", v)
	}
}

// Seconds that are excluded, unknown or settling do not count, and windows
// that are lost do not shift the pairs of those behind them.
func TestWhatDoesNotCount(t *testing.T) {
	f := func(name string, spoil func(*Series), exclude []Span, windows int) {
		t.Helper()
		s := plain(metric("cpu"), 12, 48, 1.1)
		s.Absolute, s.Min = true, 0.2 // nothing is clipped
		spoil(&s)
		v := Judge(Input{Series: []Series{s}, Exclude: exclude})
		if e := v.Effects[0]; e.Windows != windows || !near(e.Change, 1, 0.01) || !near(e.High-e.Low, 0, 0.02) {
			t.Errorf("%s: %+v, want %d windows", name, e, windows)
		}
	}
	spoil := func(from, to int) func(*Series) {
		return func(s *Series) {
			for i := from; i < to; i++ {
				s.Shadow[i].Num *= 50
			}
		}
	}
	f("as it is", func(*Series) {}, nil, 24)
	f("excluded", spoil(203, 207), []Span{{From: 203, To: 207}}, 24)
	f("excluded window", spoil(200, 210), []Span{{From: 200, To: 210}}, 23)
	f("unknown", func(s *Series) {
		for i := 200; i < 209; i++ {
			s.Shadow[i].Num = math.NaN()
		}
	}, nil, 23)
	f("lost", func(s *Series) { s.Shadow = append(s.Shadow[:200], s.Shadow[210:]...) }, nil, 23)
	f("lost at first", func(s *Series) { s.Shadow = append(s.Shadow[:120], s.Shadow[130:]...) }, nil, 23)
	f("out of order", func(s *Series) {
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(s.Shadow), func(i, k int) { s.Shadow[i], s.Shadow[k] = s.Shadow[k], s.Shadow[i] })
	}, nil, 24)
	f("settling", func(s *Series) {
		for i := range s.Shadow {
			if i > 0 && s.Shadow[i].Arm != s.Shadow[i-1].Arm {
				s.Shadow[i].Num *= 7
				s.Shadow[i+1].Num *= 7
			}
		}
	}, nil, 24)
	f("a late clock", func(s *Series) {
		for i := range s.Shadow {
			s.Shadow[i].At += 0.4 * math.Sin(float64(i))
			s.Production[i].At += 0.3
		}
	}, nil, 24)
}

// In a sweep the pairs of one trial lie apart.
func TestGapsBetweenPairs(t *testing.T) {
	s := plain(metric("cpu"), 12, 48, 1.1)
	for _, side := range []*[]Point{&s.Shadow, &s.Production} {
		for i := range *side {
			if p := &(*side)[i]; p.Phase == PhaseAB {
				pair := float64((i - 120) / (2 * DefaultWindow))
				p.At += 40 * pair
			}
		}
	}
	v := Judge(Input{Series: []Series{s}})
	if e := v.Effects[0]; e.Windows != 24 || e.Result != Worse || !near(e.Change, 0.1, 0.002) {
		t.Errorf("%+v", e)
	}
}

// A second that stands out does not decide, one that is slow on both sides
// does not matter.
func TestDisturbances(t *testing.T) {
	s := plain(metric("cpu"), 12, 48, 1.05)
	for i := 3; i < len(s.Shadow); i += 47 {
		s.Shadow[i].Num *= 9
	}
	for i := 130; i < 600; i++ {
		both := 1 + 0.3*math.Sin(float64(i)/5)
		s.Shadow[i].Num *= both
		s.Production[i].Num *= both
	}
	v := Judge(Input{Series: []Series{s}})
	if e := v.Effects[0]; e.Result != Worse || !near(e.Change, 0.05, 0.01) {
		t.Errorf("%+v", e)
	}
}

func TestSchedule(t *testing.T) {
	first := 0
	for seed := range uint64(200) {
		arms := Schedule(20, seed)
		for i := 0; i < 20; i += 2 {
			if arms[i] == arms[i+1] {
				t.Fatalf("seed %d: %v", seed, arms)
			}
			if arms[i] == Treatment {
				first++
			}
		}
	}
	if first < 900 || first > 1100 {
		t.Errorf("treatment is first in %d of 2000 pairs", first)
	}
	if len(Schedule(7, 1)) != 7 || len(Schedule(0, 1)) != 0 {
		t.Error("the number of windows is not kept")
	}
}

// Whatever the figures are, there is a verdict, and JSON can hold it.
func FuzzJudge(f *testing.F) {
	f.Add(uint64(1), uint8(3), []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
	f.Fuzz(func(t *testing.T, seed uint64, flags uint8, data []byte) {
		r := rand.New(rand.NewPCG(seed, 2))
		odd := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, -1, 1e-300, 1e300, 5, 5, 5}
		points := func() []Point {
			var out []Point
			for i, b := range data[:min(len(data), 400)] {
				p := Point{At: float64(i), Phase: Phase(b >> 7), Arm: Arm(b >> 6 & 1), Num: r.Float64(), Den: 1}
				if b&15 == 0 {
					p.Num = odd[r.IntN(len(odd))]
				}
				if b&15 == 1 {
					p.Den = odd[r.IntN(len(odd))]
				}
				if b&63 == 2 {
					p.At = odd[r.IntN(len(odd))]
				}
				out = append(out, p)
			}
			return out
		}
		s := Series{Metric: metric("x"), Shadow: points()}
		s.Absolute = flags&1 != 0
		if flags&2 != 0 {
			s.Production = points()
		}
		if flags&4 != 0 {
			s.Control = points()
		}
		in := Input{Series: []Series{s, s}, Window: float64(flags >> 4), Settle: float64(flags>>3&1) - 1, Exclude: []Span{{From: 3, To: 5}}}
		v := Judge(in)
		if _, err := json.Marshal(v); err != nil {
			t.Fatalf("%v: %+v", err, v)
		}
		if v.Result == "" || v.Why == "" || len(v.Effects) != 2 {
			t.Fatalf("%+v", v)
		}
	})
}

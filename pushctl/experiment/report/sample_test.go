package report

import (
	"math"
	"math/rand/v2"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/experiment/drive"
	"pushfleet/pushctl/experiment/verdict"
)

const (
	sampleBegin = 12 // seconds until the arms begin
	sampleAA    = 120
	sampleAB    = 480
)

// level is what a metric is about in a second, and how much of it is noise.
func level(name string) (v, noise float64) {
	switch name {
	case verdict.CPUPerMessage:
		return 9.8e-6, 0.04
	case verdict.MemoryPerConn:
		return 5312, 0.004
	case verdict.GCCPU:
		return 0.0041, 0.2
	case verdict.DeliverP50:
		return 120e-6, 0.1
	case verdict.DeliverP99:
		return 0.91e-3, 0.3
	case verdict.QueueWait:
		return 0.002, 0.2
	case verdict.Drops:
		return 0, 0
	case verdict.GCPause:
		return 41e-6, 0.2
	case verdict.SchedWait:
		return 90e-6, 0.3
	case verdict.LockWait:
		return 0.0004, 0.2
	case verdict.WouldWait:
		return 0.01, 0.1
	}
	return 0.4, 0.05
}

// sample is a report as a run would make it, with changes of metrics by name
// in each trial.
func sample(trials ...map[string]float64) *Report {
	r := rand.New(rand.NewPCG(4, 4))
	begin := time.Date(2026, 3, 21, 14, 3, 7, 0, time.UTC)
	out := &Report{
		Form: Form, Begin: begin, End: begin.Add((sampleBegin + sampleAA + sampleAB + 3) * time.Second), Program: "v1.4.0",
		Command: "pushctl tee run --from gw-1 --to gw-shadow --sample 5% --set gc.percent=400 --for 10m",
		From:    Side{Name: "gw-1", Address: "127.0.0.1:7401", Version: "v1.4.0", Go: "go1.26.1", Connections: 48210},
		To:      Side{Name: "gw-shadow", Address: "127.0.0.1:8401", Version: "v1.4.0", Go: "go1.26.1", Shadow: true, Connections: 2410},
		Settings: Settings{Sample: 5, Amplify: 1, Redact: "payload", For: sampleAA + sampleAB, AA: sampleAA,
			Window: verdict.DefaultWindow, Settle: verdict.DefaultSettle, Alpha: verdict.DefaultAlpha, Seed: 7},
		Excluded: []verdict.Span{{From: 300, To: 304, Why: "torn"}},
		Tap: &pushdapi.Tap{Connections: 2410, Joined: 2400, Torn: 1, Sample: 5, Bytes: 81 << 20,
			Dropped: map[string]uint64{"out": 12}, Sent: map[string]uint64{"out": 1_240_000}, Seen: map[string]uint64{"out": 1_240_012}},
		Driver: &drive.Counts{Read: map[string]uint64{"open": 2500, "in": 18_000, "out": 1_240_000, "publish": 600_000, "close": 90},
			Replayed: map[string]uint64{"open": 2499, "in": 17_990, "out": 1_239_950, "publish": 600_000, "close": 90},
			Dropped:  map[string]map[string]uint64{"open": {"torn": 1}, "in": {"torn": 10}, "out": {"torn": 30, "late": 20}},
			Open:     2410, Joined: 2400, Torn: 1, LateP50: 0.0002, LateP99: 0.003, Frames: 1_240_000, Bytes: 90 << 20},
		Cost:     &Cost{Before: Figures{Seconds: 10, CPUMessage: 9.78e-6, P99: 0.9e-3}, During: Figures{Seconds: 600, CPUMessage: 9.81e-6, P99: 0.91e-3}, TapCPU: 1.2},
		Restored: []Knob{{Name: "gc.percent", Before: "400", Value: "100"}},
	}
	arms := verdict.Schedule((sampleAA+sampleAB)/verdict.DefaultWindow, 7)
	out.Stretches = stretches(arms, len(trials))
	inputs := make([]verdict.Input, len(trials))
	for i := range trials {
		inputs[i].Window = verdict.DefaultWindow
	}
	for _, m := range verdict.Metrics() {
		plot := Plot{Metric: m}
		whole := make([]verdict.Series, len(trials))
		for i := range whole {
			whole[i].Metric = m
		}
		for s := range sampleAA + sampleAB {
			window := s / verdict.DefaultWindow
			trial := window / 2 % max(1, len(trials))
			p := verdict.Point{At: float64(s), Arm: arms[window], Den: 2000}
			if s >= sampleAA {
				p.Phase = verdict.PhaseAB
			}
			v, noise := level(m.Name)
			common := 1 + 0.2*math.Sin(float64(s)/50)
			make1 := func(by float64) verdict.Point {
				q := p
				value := v * common * math.Exp(noise*r.NormFloat64())
				if m.Absolute {
					value += by
				} else {
					value *= 1 + by
				}
				q.Num = value * q.Den
				return q
			}
			production := make1(0)
			by := 0.0
			if len(trials) > 0 && p.Phase == verdict.PhaseAB && p.Arm == verdict.Treatment {
				by = trials[trial][m.Name]
			}
			shadow := make1(by)
			for i := range whole {
				if p.Phase == verdict.PhaseAA || i == trial {
					whole[i].Production, whole[i].Shadow = append(whole[i].Production, production), append(whole[i].Shadow, shadow)
				}
			}
			plot.At = append(plot.At, sampleBegin+float64(s))
			gap := s > 290 && s < 294
			plot.Production, plot.Shadow = append(plot.Production, production.Num/production.Den), append(plot.Shadow, shadow.Num/shadow.Den)
			if gap {
				plot.Shadow[s] = math.NaN()
			}
		}
		out.Plots = append(out.Plots, plot)
		for i := range inputs {
			inputs[i].Series = append(inputs[i].Series, whole[i])
		}
	}
	if len(inputs) > 0 {
		for i, v := range verdict.JudgeAll(inputs) {
			t := Trial{Verdict: v, Set: []Knob{{Name: "gc.percent", Before: "100", Value: "400"}}}
			if len(trials) > 1 {
				value := [...]string{"64", "256", "1024", "4096"}[i]
				t.Name, t.Set[0] = "queue.messages_max="+value, Knob{Name: "queue.messages_max", Before: "512", Value: value}
			}
			out.Trials = append(out.Trials, t)
		}
	}
	out.Finish()
	return out
}

func stretches(arms []verdict.Arm, trials int) []Stretch {
	out := []Stretch{{From: 0, To: 10, Phase: "check"}, {From: 10, To: sampleBegin, Phase: "join"}}
	for i, arm := range arms {
		s := Stretch{From: sampleBegin + float64(i)*verdict.DefaultWindow, Phase: "aa", Arm: "A"}
		s.To = s.From + verdict.DefaultWindow
		if i >= sampleAA/verdict.DefaultWindow {
			s.Phase = "ab"
			s.Trial = i / 2 % max(1, trials)
			if arm == verdict.Treatment {
				s.Arm = "B"
			}
		}
		out = append(out, s)
	}
	end := out[len(out)-1].To
	return append(out, Stretch{From: end, To: end + 3, Phase: "restore"})
}

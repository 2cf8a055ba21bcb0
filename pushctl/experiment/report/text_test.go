package report

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/experiment/verdict"
	"pushfleet/pushctl/table"
)

// changes of the samples.
func better() map[string]float64 {
	return map[string]float64{verdict.CPUPerMessage: -0.09, verdict.GCCPU: -0.003, verdict.MemoryPerConn: 0.025}
}

func worse() map[string]float64 {
	return map[string]float64{verdict.CPUPerMessage: 0.2, verdict.Drops: 0.01}
}

// golden compares with a file, or writes it when UPDATE_GOLDEN is set.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s\nUPDATE_GOLDEN=1 go test writes it", path, diff)
	}
}

func text(t *testing.T, r *Report) string {
	t.Helper()
	r.Begin, r.End = r.Begin.In(time.Local), r.End.In(time.Local)
	var b bytes.Buffer
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if table.Width(strings.TrimSuffix(line, "\n")) > table.Columns {
			t.Errorf("wider than %d columns: %q", table.Columns, line)
		}
	}
	// The zone is this machine's.
	return strings.Replace(b.String(), r.Begin.Format("15:04:05"), "14:03:07", 1)
}

func TestText(t *testing.T) {
	golden(t, "run.txt", text(t, sample(better())))
	golden(t, "sweep.txt", text(t, sample(better(), nil, worse())))
}

func TestTextOfWhatWentWrong(t *testing.T) {
	r := sample(worse())
	r.Stopped = &Stop{Reason: "production_cpu", Detail: "production took 4.1 % more CPU for 10 s", At: 330}
	r.Restored = []Knob{{Name: "gc.percent", Value: "100", Failed: "connection refused; pushctl --node gw-shadow knob set gc.percent 100 --local"}}
	r.Notes = []string{"gw-shadow was not started with --shadow"}
	r.Finish()
	s := text(t, r)
	for _, want := range []string{
		"stopped after 5m30s (production_cpu): production took 4.1 % more CPU",
		"NOT PUT BACK: gc.percent on gw-shadow",
		"gw-shadow was not started with --shadow",
		"FAIL: worse in cpu per message",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q in\n%s", want, s)
		}
	}
}

// Of a tee without an experiment there is no verdict.
func TestTextOfMirror(t *testing.T) {
	r := sample()
	r.Stretches = []Stretch{{From: 0, To: 600, Phase: "mirror"}}
	if s := text(t, r); strings.Contains(s, "PASS") || strings.Contains(s, "A/A") || !strings.Contains(s, "replayed 1,860,529 of 1,860,590 records") {
		t.Errorf("%s", s)
	}
	empty := &Report{}
	if s := text(t, empty); !strings.HasPrefix(s, "tee of  on ") {
		t.Errorf("nothing: %q", s)
	}
}

// Names come from nodes; an escape sequence must not reach the terminal.
func TestTextIsSafe(t *testing.T) {
	r := sample(better())
	bad := "x\x1b[31m"
	r.From.Name, r.To.Name, r.To.Version, r.Notes = bad, bad, bad, []string{bad}
	r.Excluded[0].Why, r.Trials[0].Set[0].Name, r.Settings.File = bad, bad, bad
	r.Stopped = &Stop{Reason: bad, Detail: bad}
	r.Restored[0].Name, r.Restored[0].Failed = bad, bad
	r.Driver.Dropped["in"][bad] = 9999
	r.Tap = &pushdapi.Tap{}
	r.Trials[0].Verdict.Why, r.Trials[0].Verdict.Effects[0].Metric.Title, r.Trials[0].Verdict.Effects[1].Why = bad, bad, bad
	r.Finish()
	if s := text(t, r); strings.Contains(s, "\x1b") {
		t.Errorf("%q", s)
	}
}

func TestLength(t *testing.T) {
	f := func(seconds float64, want string) {
		t.Helper()
		if got := length(seconds); got != want {
			t.Errorf("%v = %q, want %q", seconds, got, want)
		}
	}
	f(0, "0s")
	f(10, "10s")
	f(120, "2m")
	f(90, "1m30s")
	f(615, "10m15s")
	f(3600, "1h")
	f(4800, "1h20m")
}

func TestFinish(t *testing.T) {
	trial := func(name string, result verdict.Result, change float64) Trial {
		e := verdict.Effect{Metric: verdict.Metric{Title: "cpu", Better: -1}, Change: change, Windows: 9, Result: verdict.Equal}
		if change < 0 {
			e.Result = verdict.Better
		}
		return Trial{Name: name, Verdict: verdict.Verdict{Result: result, Why: "why " + name + "; more", Effects: []verdict.Effect{e}}}
	}
	f := func(stop bool, want verdict.Result, why string, trials ...Trial) {
		t.Helper()
		r := &Report{Trials: trials}
		if stop {
			r.Stopped = &Stop{Reason: "user"}
		}
		r.Finish()
		if r.Result != want || r.Why != why {
			t.Errorf("%s: %s, want %s: %s", r.Result, r.Why, want, why)
		}
	}
	f(false, "", "")
	f(false, verdict.Fail, "why a; more", trial("a", verdict.Fail, 0))
	f(true, verdict.Fail, "why a; more", trial("a", verdict.Fail, 0))
	f(true, verdict.Inconclusive, "it was stopped early (user); until then why a; more", trial("a", verdict.Pass, -1))
	f(false, verdict.Pass, "b: why b; more", trial("a", verdict.Pass, -0.1), trial("b", verdict.Pass, -0.2), trial("c", verdict.Fail, 0))
	f(false, verdict.Pass, "all 2 values are equal to control", trial("a", verdict.Pass, 0), trial("b", verdict.Pass, 0))
	f(false, verdict.Fail, "every value is worse; a: why a; b: why b", trial("a", verdict.Fail, 0), trial("b", verdict.Fail, 0))
	f(false, verdict.Inconclusive, "no value is known to be better; a: why a", trial("a", verdict.Fail, 0), trial("b", verdict.Inconclusive, 0))
	f(false, verdict.Inconclusive, "no value is known to differ from control; why a; more", trial("a", verdict.Inconclusive, 0), trial("b", verdict.Pass, 0))
}

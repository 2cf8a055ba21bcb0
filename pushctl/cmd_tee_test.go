package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"pushfleet/pushctl/experiment"
	"pushfleet/pushctl/experiment/verdict"
	"pushfleet/pushctl/table"
)

func TestSizes(t *testing.T) {
	f := func(text string, want int64) {
		t.Helper()
		got, err := parseSize(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	f("10GiB", 10<<30)
	f("1.5 MiB", 3<<19)
	f("500MB", 500e6)
	f("4096", 4096)
	f("1e9", 1e9)
	f("7B", 7)
	f("", 0)
	f("GiB", 0)
	f("-1KB", 0)
	f("0", 0)
	f("NaN", 0)
	f("9e30TiB", 0)
	f("10 apples", 0)
}

func TestSpeeds(t *testing.T) {
	f := func(text string, want float64) {
		t.Helper()
		got, err := parseSpeed(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	f("2x", 2)
	f("0.5x", 0.5)
	f("3", 3)
	f("0x", 0)
	f("1000x", 0)
	f("fast", 0)
	f("NaN", 0)
}

func TestProgressLines(t *testing.T) {
	f := func(p experiment.Progress, want string) {
		t.Helper()
		got := progressLine(&p)
		if got != want || table.Width(got) > table.Columns {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	unknown := math.NaN()
	f(experiment.Progress{Stage: "check"}, "")
	f(experiment.Progress{Stage: "join", Open: 1200}, "joining: the shadow holds 1,200 connections")
	f(experiment.Progress{Stage: "aa", Since: time.Minute, Of: 2 * time.Minute, Left: 9 * time.Minute, Open: 2410, CPURise: 0.31, CPUErr: 4.2},
		"A/A   █████░░░░░ 1m of 2m, 9m left, 2,410 conns, production cpu +0 ±4 %")
	f(experiment.Progress{Stage: "ab", Arm: verdict.Treatment, Trial: "gc.percent=400", Since: 75 * time.Second, Of: 8 * time.Minute, Left: time.Hour, Open: 2410, Torn: 3, CPURise: unknown},
		"A/B   █░░░░░░░░░ 1m15s of 8m, 1h left, B gc.percent=400, 2,410 conns, 3 torn")
	f(experiment.Progress{Stage: "ab", Since: 80 * time.Minute, Of: 80 * time.Minute, Open: 1, CPURise: unknown}, "A/B   ██████████ 1h20m of 1h20m, A, 1 conns")
	f(experiment.Progress{Stage: "mirror", Since: 3 * time.Second, Open: 7, Dropped: 2, CPURise: unknown}, "tee   3s, 7 conns, 2 records left out")
	f(experiment.Progress{Stage: "ab", Arm: verdict.Treatment, Trial: strings.Repeat("knob=1 ", 20), Of: time.Minute, CPURise: unknown}, "A/B   ░░░░░░░░░░ 0s of 1m …")
}

func TestJoinedLine(t *testing.T) {
	got := joinedLine(&experiment.Progress{Open: 2410, Total: 48210, Since: 1200 * time.Millisecond})
	if want := "mirroring 2,410 of 48,210 connections (5.0 %), joined in 1.2 s, 0 torn"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestTeeTimes(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		if got := teeTime(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	f(0, "0s")
	f(48400*time.Millisecond, "48s")
	f(time.Minute, "1m")
	f(100*time.Second, "1m40s")
	f(time.Hour, "1h")
	f(80*time.Minute, "1h20m")
	f(100*time.Minute, "1h40m")
	f(10*time.Hour+10*time.Second, "10h0m10s")
}

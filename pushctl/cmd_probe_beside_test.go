package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/record"
	"pushfleet/pushctl/probe"
)

// TestBeside gives seconds to cycles that wait for them, in order.
func TestBeside(t *testing.T) {
	var shown []int
	b := &beside{node: pushdapi.New("127.0.0.1:1", pushdapi.Options{}), show: func(c *probe.Cycle) { shown = append(shown, c.N) }}
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	at := func(n int, after time.Duration) *probe.Cycle { return &probe.Cycle{N: n, At: noon.Add(after)} }
	early, first, second, third := at(1, -5*time.Second), at(2, 200*time.Millisecond), at(3, 900*time.Millisecond), at(4, 1500*time.Millisecond)
	for _, c := range []*probe.Cycle{early, first, second, third} {
		b.ended(c)
	}
	schema := &record.Schema{Fields: []record.Field{{Name: besideSched, Scale: 0.5}, {Name: besideWait, Scale: 0.5}}}
	second1 := func(after time.Duration, v ...int64) {
		b.take(record.Item{Schema: schema, Record: &record.Record{At: noon.Add(after).UnixMilli(), V: v}})
	}
	second1(time.Second, 4, record.Missing)
	second1(time.Second, 9999, 9999) // the same once more, as queries overlap
	if early.Beside != nil || third.Beside != nil || first.Beside == nil || second.Beside != first.Beside {
		t.Fatalf("%v %v %v %v", early.Beside, first.Beside, second.Beside, third.Beside)
	}
	if s := first.Beside; s.Wait != nil || s.Sched == nil || *s.Sched != 2 {
		t.Errorf("%+v", s)
	}
	b.flush(noon.Add(-10 * time.Second))
	if len(shown) != 0 {
		t.Errorf("shown %v while the first one waits", shown)
	}
	b.flush(noon)
	if len(shown) != 3 || !b.waiting() {
		t.Errorf("shown %v", shown)
	}
	b.take(record.Item{Mark: &record.Mark{}})
	second1(2*time.Second, record.Missing, 10)
	b.flush(noon)
	if len(shown) != 4 || b.waiting() || third.Beside.Sched != nil || *third.Beside.Wait != 5 {
		t.Errorf("shown %v, %+v", shown, third.Beside)
	}
}

// TestBesideSaysWhyNot wants the reason under the cycles.
func TestBesideSaysWhyNot(t *testing.T) {
	f := func(state func(http.ResponseWriter), want string) {
		t.Helper()
		mux := http.NewServeMux()
		mux.HandleFunc("GET /v1/rec/state", func(w http.ResponseWriter, _ *http.Request) { state(w) })
		s := httptest.NewServer(mux)
		defer s.Close()
		shown := 0
		b := newBeside(context.Background(), pushdapi.New(s.URL, pushdapi.Options{}), func(*probe.Cycle) { shown++ })
		b.ended(&probe.Cycle{})
		b.finish(context.Background())
		if got := strings.Join(b.lines(), "\n"); shown != 1 || !strings.Contains(got, want) {
			t.Errorf("shown %d times, %q, want %q", shown, got, want)
		}
	}
	f(func(w http.ResponseWriter) { answer(w, pushdapi.RecState{}) }, "recorder.on on")
	f(func(w http.ResponseWriter) { answer(w, pushdapi.RecState{On: true, Paused: "no_space"}) }, "no_space")
	f(func(w http.ResponseWriter) { refuse(w, http.StatusNotFound, "not_found", "gw has no recorder") }, "gw has no recorder")
	b := &beside{told: cause(errors.New("gone")), unknown: "the process has ended"}
	if got := strings.Join(b.lines(), "\n"); got != "no waits beside: its recorder stopped to answer: gone\nagrees with the runtime: not known, the process has ended" {
		t.Errorf("%q", got)
	}
	if newBeside(context.Background(), nil, nil).lines() != nil {
		t.Error("lines about no node")
	}
}

func TestAgreeLine(t *testing.T) {
	f := func(a *probe.Agreement, want string) {
		t.Helper()
		if got := agreeLine(a); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(nil, "")
	f(&probe.Agreement{Agrees: true, Cycles: 2, Paused: 1e-3}, "agrees with the runtime: yes, 2 cycles with 1.0 ms of pauses")
	f(&probe.Agreement{Agrees: true, Cycles: 2, Apart: "begun before"}, "agrees with the runtime: yes, 2 cycles; pauses not compared, as one cycle had begun before")
	f(&probe.Agreement{Cycles: 2, RuntimeCycles: 3, Paused: 1e-3, RuntimePaused: 2e-3}, "agrees with the runtime: no, it counts 3 cycles with 2.0 ms of pauses, the probe 2 with 1.0 ms")
}

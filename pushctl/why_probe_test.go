package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"syscall"
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/probe"
	"pushfleet/pushctl/probe/gobin"
	"pushfleet/pushctl/why"
)

func TestLocksOfLoopsComeFirst(t *testing.T) {
	stack := func(line int, names ...string) (s probe.Stack) {
		s = append(s, gobin.Frame{Func: "internal/sync.(*Mutex).lockSlow"})
		for _, n := range names {
			s = append(s, gobin.Frame{Func: n, File: "/src/pushd/router/shard.go", Line: line})
		}
		return s
	}
	times := func(n uint64, total, p99 float64) probe.Times { return probe.Times{Count: n, Total: total, P99: p99} }
	r := &probe.LockReport{Run: probe.Run{Seconds: 5}, Sites: []probe.Site{
		{Times: times(9, 4, 0.5), Stack: stack(7, "pushfleet/pushd/publish.(*results).add", "net/http.(*conn).serve")},
		{Times: times(3, 1, 0.2), Stack: stack(88, "pushfleet/pushd/router.(*shard).walk", loopFunc)},
		{Times: times(2, 0.5, 0.3), Stack: stack(88, "pushfleet/pushd/router.(*shard).walk", "pushfleet/pushd/session.(*Table).Item", loopFunc)},
		{Times: times(1, 9, 9), Stack: nil}, // its stack was lost
	}, Waiting: []probe.Still{{Goroutines: []uint64{1, 2}, Oldest: 2, Stack: stack(99, "pushfleet/pushd/router.(*shard).bind", loopFunc)}}}
	got := locksOf(r)
	want := &why.Locks{Seconds: 5, Loops: 5.5, Sites: []why.Lock{
		{Func: "router.(*shard).bind", Place: "router/shard.go:99", Count: 2, Total: 4, P99: 2, OnLoop: true},
		{Func: "router.(*shard).walk", Place: "router/shard.go:88", Count: 5, Total: 1.5, P99: 0.3, OnLoop: true},
		{Func: "unknown", Count: 1, Total: 9, P99: 9},
		{Func: "publish.(*results).add", Place: "router/shard.go:7", Count: 9, Total: 4, P99: 0.5},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// TestWhatCannotBeProbedIsNamed asks nodes that are somewhere else.
func TestWhatCannotBeProbedIsNamed(t *testing.T) {
	f := func(place *pushdapi.Place, reason, do string) {
		t.Helper()
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, pushdapi.Version{Place: place}) }))
		defer s.Close()
		w := &whying{options: &options{named: []string{"gw-7"}}, d: time.Second, probe: true, arg: "u 1"}
		c := pushdapi.New(s.URL, pushdapi.Options{})
		defer c.Close()
		p := w.look(context.Background(), c)
		if len(p.missing) != 1 || p.missing[0] != (why.Missing{What: withoutProbes, Why: reason, Do: do}) {
			t.Errorf("%+v: %+v", place, p.missing)
		}
	}
	here := pushdapi.Here()
	f(nil, "the node does not say where it runs", "")
	f(&pushdapi.Place{PID: 1, Boot: "another", Hostname: "gw-7.example"}, "the node runs on another host", "ssh gw-7.example sudo pushctl why 'u 1' --node gw-7")
	f(&pushdapi.Place{PID: 1, Boot: here.Boot, PIDs: 1}, "the node runs in another container", "sudo pushctl why 'u 1' --node gw-7   on its host, or inside of that container")
}

func TestMissingRightsSaySudo(t *testing.T) {
	var p probed
	p.miss("locks by line", syscall.EPERM, "pushctl why u-1")
	p.miss("locks by line", context.DeadlineExceeded, "pushctl why u-1")
	want := []why.Missing{{What: "locks by line", Why: "this user may not probe", Do: "sudo pushctl why u-1"},
		{What: "locks by line", Why: "context deadline exceeded", Do: "pushctl probe check"}}
	if !reflect.DeepEqual(p.missing, want) {
		t.Errorf("%+v", p.missing)
	}
}

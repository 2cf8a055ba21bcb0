package admin

import (
	"context"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestProfiles(t *testing.T) {
	b := newBench(t)
	for _, kind := range []string{"heap", "allocs", "goroutine", "threadcreate", "mutex", "block"} {
		var w strings.Builder
		if n, err := b.client.Profile(t.Context(), kind, 0, &w); err != nil || n == 0 || !strings.HasPrefix(w.String(), "\x1f\x8b") {
			t.Errorf("%s: %d bytes, %v; want gzip", kind, n, err)
		}
	}
	if status, _, text := b.ask(t, "GET", "/debug/pprof/goroutine?debug=1", ""); status != 200 || !strings.Contains(text, "goroutine profile:") {
		t.Errorf("goroutine as text: %d %.80q", status, text)
	}
	if status, _, text := b.ask(t, "GET", "/debug/pprof/", ""); status != 200 || !strings.Contains(text, "/debug/pprof/heap\n") {
		t.Errorf("index: %d %q", status, text)
	}
}

func TestProfileRefusals(t *testing.T) {
	b := newBench(t)
	f := func(query string, status int, code string, words ...string) {
		t.Helper()
		b.refused(t, "GET", "/debug/pprof/"+query, "", status, code, words...)
	}
	f("goroutine?debug=2", 400, "stalls", "stops the process", "leave debug out")
	f("goroutine?debug=3", 400, "stalls")
	f("goroutine?debug=02", 400, "stalls")
	f("goroutine?debug=1&debug=2", 400, "bad_query", "once")
	f("heap?debug=2", 400, "stalls")
	f("goroutine?debug=1&seconds=5", 400, "bad_query", "seconds")
	f("profile?seconds=61", 400, "bad_query", "1 to 60")
	f("profile?seconds=0.5", 400, "bad_query", "1 to 60")
	f("trace?seconds=-1", 400, "bad_query", "1 to 60")
	f("heap?gc=yes", 400, "bad_query", "gc")
	f("heap?second=1", 400, "bad_query", `"second"`)
	f("cmdline", 404, "not_found", "heap")
	f("symbol", 404, "not_found")
}

// The parameters of POST forms are read too by net/http/pprof: none may reach it.
func TestProfileIgnoresForms(t *testing.T) {
	b := newBench(t)
	b.refused(t, "POST", "/debug/pprof/goroutine", "debug=2", 405, "method")
}

func TestOneTimedProfileAtOnce(t *testing.T) {
	b := newBench(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	before := runtime.SetMutexProfileFraction(-1)
	go func() {
		_, err := b.client.Profile(ctx, "mutex", ProfileMax*time.Second, io.Discard)
		done <- err
	}()
	eventually(t, "locks to be sampled", func() bool { return runtime.SetMutexProfileFraction(-1) == mutexFraction })
	b.refused(t, "GET", "/debug/pprof/profile?seconds=1", "", 503, "busy", "timed profile")
	if status, _, _ := b.ask(t, "GET", "/debug/pprof/heap", ""); status != 200 {
		t.Errorf("heap: %d while another profile is timed", status)
	}
	stop()
	<-done
	eventually(t, "locks not to be sampled", func() bool { return runtime.SetMutexProfileFraction(-1) == before })
}

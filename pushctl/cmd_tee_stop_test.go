package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/experiment"
)

// obeyed runs a command line in this process.
func obeyed(t *testing.T, vars map[string]string, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	env := testEnv()
	env.out, env.err, env.getenv = &o, &e, environment(vars)
	code = run(args, env)
	return o.String(), e.String(), code
}

// teedNode has a tap that is not the same when it is looked at and when its tee
// is to be ended.
type teedNode struct {
	seen  pushdapi.Tap
	now   string   // id of the tee that reads by then, "" for none
	asked []string // queries of DELETE
}

func (n *teedNode) serve(t *testing.T) (addr string) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/tap", func(w http.ResponseWriter, _ *http.Request) { answer(w, n.seen) })
	mux.HandleFunc("DELETE /v1/tee", func(w http.ResponseWriter, r *http.Request) {
		n.asked = append(n.asked, r.URL.RawQuery)
		switch id := r.URL.Query().Get("id"); {
		case n.now == "":
			refuse(w, 404, "not_found", "no tee reads gw-1")
		case id != "" && id != n.now:
			refuse(w, 409, "another", "tee "+id+" does not read gw-1: tee "+n.now+" does")
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// Stop ends the tee that it has looked at, or that was named, and no other.
func TestTeeStopEndsNoOther(t *testing.T) {
	f := func(seen pushdapi.Tap, now string, args []string, code int, says string, asked ...string) {
		t.Helper()
		n := &teedNode{seen: seen, now: now}
		addr := n.serve(t)
		out, errs, got := obeyed(t, nil, append([]string{"tee", "stop", "--from", addr}, args...)...)
		if got != code || !strings.Contains(out, says) || errs != "" {
			t.Errorf("exit %d, want %d and %q in\n%s%s", got, code, says, out, errs)
		}
		if !slices.Equal(n.asked, asked) {
			t.Errorf("asked %q, want %q", n.asked, asked)
		}
	}
	a := pushdapi.Tap{Active: true, ID: "a", To: "pushctl[7]"}
	f(a, "a", nil, exitFine, " to pushctl[7] has ended", "id=a")
	f(a, "b", nil, exitFailed, "tee b does", "id=a")
	f(a, "", nil, exitFine, "no tee reads", "id=a")
	f(pushdapi.Tap{}, "b", nil, exitFine, "no tee reads")
	f(a, "a", []string{"--id", "a"}, exitFine, "the tee a of ", "id=a")
	f(a, "a", []string{"--id", "b"}, exitFailed, "tee a does", "id=b")
	f(pushdapi.Tap{Active: true, To: "x"}, "c", nil, exitFine, " to x has ended", "") // a node that gives no names
	f(a, "a", []string{"-o", "json"}, exitFine, `"tee": "a"`, "id=a")
}

// Without a node the tees of this machine's experiments are meant, and what else
// reads the same nodes goes on.
func TestTeeStopOfExperiments(t *testing.T) {
	f := func(reads string, code int, says string) {
		t.Helper()
		n := &teedNode{seen: pushdapi.Tap{Active: true, ID: reads}, now: reads}
		state := t.TempDir()
		j := experiment.NewJournal(filepath.Join(state, "pushctl"), "shadow:1", "gw-shadow", n.serve(t), time.Now())
		if err := j.Write(nil); err != nil {
			t.Fatal(err)
		}
		if err := j.Teed("a"); err != nil {
			t.Fatal(err)
		}
		out, errs, got := obeyed(t, map[string]string{"XDG_STATE_HOME": state}, "tee", "stop")
		if got != code || !strings.Contains(out, says) || !slices.Equal(n.asked, []string{"id=a"}) {
			t.Errorf("exit %d, want %d; asked %q; %q is to be in\n%s%s", got, code, n.asked, says, out, errs)
		}
	}
	f("a", exitFine, "the tee a of ")
	f("b", exitFailed, "tee b does")
}

// Some ended and some not is neither fine nor failed.
func TestTeeStopInPart(t *testing.T) {
	n := &teedNode{seen: pushdapi.Tap{Active: true, ID: "a"}, now: "a"}
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	out, _, code := obeyed(t, nil, "tee", "stop", "--from", n.serve(t), "--from", dead.Listener.Addr().String())
	if code != exitPartial || !strings.Contains(out, "has ended") || !strings.Contains(out, "no node is running there") {
		t.Errorf("exit %d\n%s", code, out)
	}
	other := httptest.NewServer(http.NotFoundHandler()) // listens, and is no node
	defer other.Close()
	if out, _, code := obeyed(t, nil, "tee", "stop", "--from", other.Listener.Addr().String()); code != exitFailed {
		t.Errorf("what is no node: exit %d\n%s", code, out)
	}
}

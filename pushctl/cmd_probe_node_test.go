package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/probe"
)

// placed is a node that says where it runs.
func placed(t *testing.T, p *pushdapi.Place) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/version", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, pushdapi.Version{Version: "0.1.0", Go: "go1.26.8", Node: "gw-7", Place: p})
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func TestProbeOfAnotherHost(t *testing.T) {
	f := func(place *pushdapi.Place, line, want string) {
		t.Helper()
		var errs bytes.Buffer
		e := testEnv()
		e.err = &errs
		args := append(strings.Fields(line), "--node", placed(t, place))
		if code := run(args, e); code != exitFailed || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit %d, %s, want %q", line, code, errs.String(), want)
		}
	}
	far := pushdapi.Place{PID: 4711, Hostname: "gw-7.example", Boot: "another", PIDs: probe.HostPIDs}
	f(&far, "probe gc -d 30s", "gw-7 runs on host gw-7.example")
	f(&far, "probe gc -d 30s --assist", "ssh gw-7.example sudo pushctl probe gc --duration 30s --assist --pid 4711\n")
	f(&far, "probe lock --flame a;b.svg --max-cpu 5% --top 3", "sudo pushctl probe lock --max-cpu 5% --flame 'a;b.svg' --top 3 --pid 4711\n")
	inside := far
	inside.PIDs = 77
	f(&inside, "probe cpu", "sudo pushctl probe cpu --pid '$(pidof pushd)'\n")
	wild := far
	wild.Hostname = "x$(reboot)\x1b[31m"
	f(&wild, "probe sched", "ssh 'x$(reboot)")
	f(nil, "probe gc", "does not say where")
	f(nil, "probe gc", "sudo pushctl probe gc --pid $(pidof pushd)")
	here := pushdapi.Here()
	here.PID, here.PIDs = 1<<22+1, here.PIDs+1
	f(&here, "probe gc", "run pushctl on the host")
}

// TestProbeOfThisHost finds the process by what its node says.
func TestProbeOfThisHost(t *testing.T) {
	here := pushdapi.Here()
	addr := placed(t, &here)
	var got int
	app := newApp(testEnv())
	app.Commands = []*cli.Command{{Name: "x", Flags: probeFlags(false), Action: func(c *cli.Context) (err error) {
		got, err = (&probing{options: &options{env: testEnv(), timeout: 5e9}}).which(c)
		return err
	}}}
	if err := app.Run([]string{"pushctl", "--node", addr, "x"}); err != nil || got != os.Getpid() {
		t.Errorf("%d, %v, want %d", got, err, os.Getpid())
	}
}

func TestQuoted(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := quoted(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	f("gw-1.example:22", "gw-1.example:22")
	f("", "''")
	f("a b", "'a b'")
	f("it's", `'it'\''s'`)
	f("$(reboot)", "'$(reboot)'")
}

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"pushfleet/internal/keeperapi"
)

const patience = 20 * time.Second // for what must come at last

var update = flag.Bool("update", false, "write the files anew, then read the difference")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"keeper": main})
}

// TestScripts runs testdata/*.txtar, each with keepers as processes in a
// directory of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("KEEPER_STATE_DIR", filepath.Join(env.WorkDir, "state"))
			env.Setenv("KEEPER_SOCKET", filepath.Join(env.WorkDir, "s"))
			env.Setenv("KEEPER_ID", "k1")
			for _, name := range []string{"KEEPER_API", "KEEPER_RAFT", "API2", "RAFT2", "API3", "RAFT3"} {
				a, err := freeAddress()
				if err != nil {
					return err
				}
				env.Setenv(name, a)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"serves": serves, "state": stateIs},
	})
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// serves waits until the keeper of the script answers on its socket and on its
// address, leads or follows, and knows the members.
func serves(ts *testscript.TestScript, neg bool, _ []string) {
	if neg {
		ts.Fatalf("serves cannot be negated")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for _, address := range []string{"unix:" + ts.Getenv("KEEPER_SOCKET"), ts.Getenv("KEEPER_API")} {
		c := keeperapi.NewClient([]string{address}, keeperapi.ClientOptions{})
		for {
			s, err := c.Status(ctx)
			if err == nil && s.LeaderID != "" && len(s.Members) > 0 {
				break
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				ts.Fatalf("keeper at %s: %v, %+v", address, err, s)
			}
		}
		c.Close()
	}
}

// stateIs checks a JSON report of recover in stdout: "state KEY=VALUE …".
func stateIs(ts *testscript.TestScript, neg bool, args []string) {
	var r report
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &r))
	got := map[string]string{"id": r.ID, "done": fmt.Sprint(r.Done), "uncertain": fmt.Sprint(r.Uncertain > 0)}
	for _, c := range r.Members {
		got[c.ID] = c.Before + "→" + c.After
	}
	for _, a := range args {
		key, want, _ := strings.Cut(a, "=")
		if (got[key] == want) == neg {
			ts.Fatalf("%s is %q, want %q", key, got[key], want)
		}
	}
}

// TestReport is the table that people read in the worst hour.
func TestReport(t *testing.T) {
	r := report{ID: "k1", StateDir: "/var/lib/keeper", Cluster: "ABC", LastTerm: 7, LastIndex: 1234, SnapshotIndex: 1200, Uncertain: 34,
		peers: []string{"k1=10.0.0.1:7411", "k4=10.0.0.5:7411"},
		Members: []change{{"k1", "10.0.0.1:7411", "10.0.0.1:7411", true}, {"k2", "10.0.0.2:7411", "", true},
			{"k3", "10.0.0.3:7411", "", true}, {"k4", "10.0.0.4:7411", "10.0.0.5:7411", false}}}
	f := func(done bool, file string) {
		t.Helper()
		r.Done = done
		var got strings.Builder
		if err := r.write(&got); err != nil {
			t.Fatal(err)
		}
		file = filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s:\n%s", file, diff)
		}
	}
	f(false, "dry_run.golden")
	f(true, "done.golden")
	notes := func(c change, want string) {
		t.Helper()
		if got := c.note(); !strings.HasPrefix(got, want) {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
	notes(change{"k", "a", "a", true}, "stays")
	notes(change{"k", "a", "a", false}, "gets a vote")
	notes(change{"k", "a", "b", true}, "moves")
	notes(change{"k", "a", "", true}, "given up")
	notes(change{"k", "", "b", false}, "was no member here")
}

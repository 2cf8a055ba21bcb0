package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
)

func environment(pairs map[string]string) func(string) string {
	return func(k string) string { return pairs[k] }
}

func TestChooseKeepers(t *testing.T) {
	conf := &config{Current: "one", Contexts: map[string]nodeSet{
		"one":  {Keepers: []string{"a"}, TokenFile: "one.token", KeeperCA: "one.pem"},
		"two":  {Keepers: []string{"b", "c"}},
		"bare": {Nodes: []string{"n"}}}}
	f := func(flags keepers, context string, env map[string]string, want string) {
		t.Helper()
		k, err := chooseKeepers(flags, context, environment(env), func() (*config, error) { return conf, nil })
		got := fmt.Sprintf("%s token=%s%s ca=%s", strings.Join(k.addrs, ","), k.token, k.tokenFile, k.ca)
		if err != nil || got != want {
			t.Errorf("chooseKeepers(%+v, %q, %v) = %s, %v; want %s", flags, context, env, got, err, want)
		}
	}
	env := map[string]string{"PUSHCTL_KEEPER": "e, f", "PUSHCTL_TOKEN": "secret"}
	f(keepers{addrs: []string{"x"}}, "two", env, "x token=secret ca=")
	f(keepers{}, "two", env, "b,c token=secret ca=")
	f(keepers{}, "one", env, "a token=one.token ca=one.pem")
	f(keepers{}, "", env, "e,f token=secret ca=")
	f(keepers{}, "", nil, "a token=one.token ca=one.pem")
	f(keepers{tokenFile: "mine"}, "", nil, "a token=mine ca=one.pem")
	// The token of a context is not sent to keepers that are named otherwise.
	f(keepers{addrs: []string{"x"}}, "", nil, "x token= ca=")
	f(keepers{}, "", map[string]string{"PUSHCTL_KEEPER": "e"}, "e token= ca=")
	conf.Current = ""
	f(keepers{}, "", nil, " token= ca=")
	for _, name := range []string{"three", "bare"} {
		if k, err := chooseKeepers(keepers{}, name, environment(nil), func() (*config, error) { return conf, nil }); err == nil {
			t.Errorf("context %s gives %v", name, k)
		}
	}
}

func TestFindKeeperTakesTheFirstThatListens(t *testing.T) {
	dir := t.TempDir()
	none, live := filepath.Join(dir, "none.sock"), filepath.Join(dir, "live.sock")
	ln, err := net.Listen("unix", live)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if got, err := findKeeper(t.Context(), []string{none, live, "127.0.0.1:1"}); err != nil || got != live {
		t.Errorf("findKeeper = %q, %v", got, err)
	}
	_, err = findKeeper(t.Context(), []string{none, "127.0.0.1:1"})
	if err == nil || !strings.Contains(err.Error(), "nobody listens at "+none+" or 127.0.0.1:1") {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestDefaultKeepers(t *testing.T) {
	got := strings.Join(defaultKeepers(environment(map[string]string{"XDG_RUNTIME_DIR": "/run/user/7"})), " ")
	if got != "/run/keeper/keeper.sock /run/pushd/keeper.sock /run/user/7/keeper/keeper.sock /run/user/7/pushd/keeper.sock 127.0.0.1:7410" {
		t.Errorf("defaultKeepers = %s", got)
	}
}

func TestWho(t *testing.T) {
	f := func(vars map[string]string, host, want string) {
		t.Helper()
		e := &env{getenv: environment(vars), hostname: host}
		if got := e.who(); got != want {
			t.Errorf("who of %v at %q = %q, want %q", vars, host, got, want)
		}
	}
	f(map[string]string{"USER": "root", "SUDO_USER": "maria"}, "desk", "maria@desk")
	f(map[string]string{"USER": "bob"}, "desk", "bob@desk")
	f(map[string]string{"USER": "bob"}, "", "bob")
	f(nil, "desk", "desk")
	f(nil, "", "")
}

// TestSilenceSaysWhatToDo holds what is said about keepers that do not answer.
func TestSilenceSaysWhatToDo(t *testing.T) {
	fl := &fleet{options: &options{env: testEnv()}, Client: keeperapi.NewClient([]string{"a:1", "b:2"}, keeperapi.ClientOptions{})}
	f := func(err error, says, hint string) {
		t.Helper()
		var b strings.Builder
		err = fl.explain(t.Context(), err)
		report(&b, err)
		first, rest, _ := strings.Cut(b.String(), "\n")
		if exitCode(err) != exitFailed || !strings.Contains(first, says) || !strings.Contains(rest, hint) {
			t.Errorf("exit %d, %q; want %q, then %q", exitCode(err), b.String(), says, hint)
		}
	}
	dial := func(err error) error { return fmt.Errorf("b:2: %w", &net.OpError{Op: "dial", Err: err}) }
	f(dial(syscall.ECONNREFUSED), "no keeper answers at a:1 or b:2: no keeper is running there", "--local")
	f(dial(syscall.EACCES), "permission denied", "sudo pushctl")
	f(fmt.Errorf("a:1: %w", context.DeadlineExceeded), "no answer in time", "--timeout 30s")
	f(fmt.Errorf("a:1: %w", syscall.ECONNRESET), "the keeper hung up", "point elsewhere")
	f(&fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, "open x", "")
	f(&keeperapi.Error{Code: keeperapi.CodeSoaking, Message: "soaks"}, "soaks", "advance ID --force")
	f(&keeperapi.Error{Code: keeperapi.CodeUnknownState, Message: "look with pushctl knob history"}, "look with", "")
	// What the message says is not said again.
	f(&keeperapi.Error{Code: keeperapi.CodeUnknownNode, Message: "no node x: see pushctl nodes"}, "see pushctl nodes", "")
}

func TestExitOfChanges(t *testing.T) {
	f := func(err error, want int) {
		t.Helper()
		if got := exitCode(err); got != want {
			t.Errorf("exit %d of %v, want %d", got, err, want)
		}
	}
	behind := &keeperapi.Answer{Applied: &keeperapi.Applied{Of: 3, Applied: 2, Pending: []string{"gw-3"}}}
	nacked := &keeperapi.Answer{Applied: &keeperapi.Applied{Of: 3, Applied: 3, Nacked: []keeperapi.Refusal{{Node: "gw-3"}}}}
	f(lagging(behind), exitPartial)
	f(lagging(nacked), exitPartial)
	f(lagging(&keeperapi.Answer{Applied: &keeperapi.Applied{Of: 3, Applied: 3}}), exitFine)
	f(lagging(&keeperapi.Answer{}), exitFine) // nobody waited
	f(&shownError{errors.New("broke")}, exitFailed)
	f(fmt.Errorf("edit: %w", &partialError{errors.New("x")}), exitPartial)
	var b strings.Builder
	if report(&b, &shownError{errors.New("broke")}); b.Len() > 0 {
		t.Errorf("told twice: %s", b.String())
	}
}

func TestSpan(t *testing.T) {
	f := func(text string, want time.Duration) {
		t.Helper()
		var s span
		if err := s.Set(text); (err == nil) != (want > 0) || err == nil && s.d != want {
			t.Errorf("Set(%q) = %s, %v; want %s", text, s.d, err, want)
		}
	}
	f("10m", 10*time.Minute)
	f("90d", 90*24*time.Hour)
	f("1d12h", 36*time.Hour)
	for _, bad := range []string{"", "0s", "-5m", "d", "5", "1.5d", "-1d", "99999999999d", "106751d24h", "1d-2h"} {
		f(bad, 0)
	}
}

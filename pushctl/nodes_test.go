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

	"pushfleet/internal/pushdapi"
)

func TestChooseNodes(t *testing.T) {
	conf := &config{Current: "one", Contexts: map[string]nodeSet{"one": {Nodes: []string{"a"}}, "two": {Nodes: []string{"b", "c"}}, "empty": {}}}
	f := func(flags []string, context, env, want string) {
		t.Helper()
		got, err := chooseNodes(flags, context, env, func() (*config, error) { return conf, nil })
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("chooseNodes(%v, %q, %q) = %v, %v; want %s", flags, context, env, got, err, want)
		}
	}
	f([]string{"x"}, "two", "e", "x")
	f(nil, "two", "e", "b c")
	f(nil, "", "e, f", "e f")
	f(nil, "", "", "a")
	conf.Current = ""
	f(nil, "", "", "")
	for _, name := range []string{"three", "empty"} {
		if got, err := chooseNodes(nil, name, "", func() (*config, error) { return conf, nil }); err == nil {
			t.Errorf("context %s gives %v", name, got)
		}
	}
}

func TestFindNodeTakesTheFirstThatListens(t *testing.T) {
	dir := t.TempDir()
	none := filepath.Join(dir, "none.sock")
	live := filepath.Join(dir, "live.sock")
	ln, err := net.Listen("unix", live)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if got, err := findNode(t.Context(), []string{none, live, "127.0.0.1:1"}); err != nil || got != live {
		t.Errorf("findNode = %q, %v", got, err)
	}
	_, err = findNode(t.Context(), []string{none, "127.0.0.1:1"})
	if err == nil || exitCode(err) != exitFailed || !strings.Contains(err.Error(), "nobody listens at "+none+" or 127.0.0.1:1") {
		t.Errorf("nobody listens: %v, exit %d", err, exitCode(err))
	}
}

func TestDefaultNodes(t *testing.T) {
	got := defaultNodes(func(k string) string { return map[string]string{"XDG_RUNTIME_DIR": "/run/user/7"}[k] })
	if strings.Join(got, " ") != "/run/pushd/admin.sock /run/user/7/pushd/admin.sock 127.0.0.1:7401" {
		t.Errorf("defaultNodes = %v", got)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	one := func(err error) error { return &silentError{asked: 1, silent: []silentNode{{"/a.sock", err}}} }
	f := func(err error, code int, says, hint string) {
		t.Helper()
		var b strings.Builder
		report(&b, err)
		first, rest, _ := strings.Cut(b.String(), "\n")
		if exitCode(err) != code || !strings.Contains(first, says) || !strings.Contains(rest, hint) || (hint == "" && rest != "") {
			t.Errorf("%v: exit %d, %q; want exit %d, %q, then %q", err, exitCode(err), b.String(), code, says, hint)
		}
	}
	f(one(syscall.ECONNREFUSED), 1, "/a.sock: no node is running there", "systemctl start pushd")
	f(one(fmt.Errorf("dial: %w", syscall.ENOENT)), 1, "no node is running there", "make run")
	f(one(fs.ErrPermission), 1, "permission denied", "sudo pushctl")
	f(one(syscall.EACCES), 1, "permission denied", "--node ADDR")
	f(one(context.DeadlineExceeded), 1, "no answer in time", "--timeout 30s")
	f(one(&net.DNSError{Name: "gw"}), 1, "no address for the name gw", "--node ./gw")
	f(one(syscall.ECONNRESET), 1, "the node hung up", "")
	f(one(&pushdapi.Error{Status: 400, Message: "bad filter"}), 1, "bad filter", "")
	f(&silentError{asked: 2, silent: []silentNode{{"b", syscall.ECONNREFUSED}}}, 3, "1 of 2 nodes answered", "silent  b: no node")
	f(usagef("no flag"), 2, "pushctl: no flag", "")
	f(fmt.Errorf("top: %w", usagef("no flag")), 2, "no flag", "")
	f(&hinted{errors.New("gone"), "  look there"}, 1, "gone", "look there")
}

package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // screens show times of the place
	testscript.Main(m, map[string]func(){
		"pushctl": func() {
			e := host()
			e.now, e.hostname = fakeTime, "desk"
			os.Exit(run(os.Args[1:], e))
		},
		// fakenode ADDR and fakekeeper ADDR serve the fixed figures, to look at screens by hand.
		"fakekeeper": func() {
			fmt.Fprintln(os.Stderr, http.ListenAndServe(os.Args[1], newFakeKeeper(true).handler()))
		},
		"fakenode": func() {
			fmt.Fprintln(os.Stderr, http.ListenAndServe(os.Args[1], newFakeNode("gw-1").handler()))
		},
	})
}

// TestScripts runs testdata/script against two fake nodes, $NODE and $OTHER,
// a keeper that leads, $KEEPER, one that nobody leads, $ORPHAN, and a client
// listener, $GATE; nobody listens at $DEAD.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: os.Getenv("UPDATE") != "",
		Setup: func(env *testscript.Env) error {
			serve := func(h http.Handler) string {
				s := httptest.NewServer(h)
				env.Defer(func() {
					s.CloseClientConnections()
					s.Close()
				})
				return s.Listener.Addr().String()
			}
			env.Setenv("NODE", serve(newFakeNode("gw-1").handler()))
			env.Setenv("OTHER", serve(newFakeNode("gw-2").handler()))
			env.Setenv("KEEPER", serve(newFakeKeeper(true).handler()))
			env.Setenv("ORPHAN", serve(newFakeKeeper(false).handler()))
			env.Setenv("GATE", serve(newFakeGate()))
			dead, free, err := reserve()
			if err != nil {
				return err
			}
			env.Defer(free)
			env.Setenv("DEAD", dead)
			env.Setenv("PUSHCTL_KEEPER", dead) // never one of this machine
			env.Setenv("USER", "maria")
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_RUNTIME_DIR", env.WorkDir)
			env.Setenv("TZ", "UTC")
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else a second for each command
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"columns": columns,
			"exits":   exits,
			"got":     got,
			"long":    long,
		},
	})
}

// reserve returns an address at which nobody listens, and nobody else can until
// it is freed.
func reserve() (addr string, free func(), err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", nil, err
	}
	free = func() { unix.Close(fd) }
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		free()
		return "", nil, err
	}
	a, err := unix.Getsockname(fd)
	if err != nil {
		free()
		return "", nil, err
	}
	return fmt.Sprintf("127.0.0.1:%d", a.(*unix.SockaddrInet4).Port), free, nil
}

// dead is such an address for a test.
func dead(t *testing.T) string {
	t.Helper()
	addr, free, err := reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(free)
	return addr
}

// long runs a program for as long as it takes to say so many lines, which on a
// busy machine is longer: long 4 pushctl trace u-1.
func long(ts *testscript.TestScript, _ bool, args []string) {
	lines, err := strconv.Atoi(args[0])
	ts.Check(err)
	for d := 300 * time.Millisecond; ; d *= 2 {
		err := ts.Exec(args[1], append(slices.Clone(args[2:]), "--for", d.String())...)
		if err == nil && strings.Count(ts.ReadFile("stdout"), "\n") >= lines {
			return
		}
		if d > 10*time.Second {
			ts.Fatalf("fewer than %d lines in %s: %v", lines, d, err)
		}
	}
}

// columns fails when a line of the last standard output is wider than 80.
func columns(ts *testscript.TestScript, neg bool, _ []string) {
	for l := range strings.SplitSeq(ts.ReadFile("stdout"), "\n") {
		if n := len([]rune(l)); n > 80 {
			ts.Fatalf("%d columns: %s", n, l)
		}
	}
}

// exits runs a program and wants one exit status: exits 2 pushctl tpo.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		code = e.ExitCode()
	}
	if got := strconv.Itoa(code); got != args[0] {
		ts.Fatalf("exit status %s, want %s (%v)", got, args[0], err)
	}
}

// got matches what the keeper was sent last: got '"if_rev":418'.
func got(ts *testscript.TestScript, neg bool, args []string) {
	resp, err := http.Get("http://" + ts.Getenv("KEEPER") + "/got")
	ts.Check(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if regexp.MustCompile(args[0]).Match(b) == neg {
		ts.Fatalf("the keeper got %s", b)
	}
}

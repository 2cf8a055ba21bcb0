package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
)

// node is a pushd that runs as a program.
type node struct {
	API    *pushdapi.Client
	pid    int
	admin  string // path of its socket
	client netip.AddrPort
	log    *logged
	alone  bool // in a network of its own
}

// nodeOptions say how a node is started.
type nodeOptions struct {
	pushd  string   // path; "" is the built one
	before []string // a command that runs it, such as nice
	alone  bool     // in a network of its own; before is from ownNetwork
	plant  string   // trouble
	knobs  []string // NAME=VALUE
	port   string   // of clients; "" is the kernel's choice
	name   string   // of the node; "" is e2e
	flags  []string // further ones
}

// startNode runs a node until the test ends and returns when it answers.
func startNode(t *testing.T, o nodeOptions) *node {
	t.Helper()
	dir, err := os.MkdirTemp("", "why") // short: the path of a socket has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if o.pushd == "" {
		o.pushd = filepath.Join(bin, "pushd")
	}
	if o.port == "" {
		o.port = "0"
	}
	if o.name == "" {
		o.name = "e2e"
	}
	log := new(logged)
	n := &node{admin: filepath.Join(dir, "admin.sock"), log: log, alone: o.alone}
	args := append(o.before, o.pushd, "--listen", "127.0.0.1:"+o.port, "--private", "127.0.0.1:0", "--admin-socket", n.admin, "--state-dir", dir,
		"--node-name", o.name, "--log-format", "json", "--keeper", "off", "--knob", "drain.window=0s",
		"--knob", "publish.inbox_wait=30s") // loops may be slow, and what is delivered is counted
	args = append(args, o.flags...)
	for _, k := range o.knobs {
		args = append(args, "--knob", k)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "PUSHD_CONFIG=/dev/null", "PUSHD_PLANT="+o.plant)
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if o.alone {
		cmd.SysProcAttr.Unshareflags = syscall.CLONE_NEWNET
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // ended by the Kill below
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // of a node in trouble nobody waits for an orderly end
		<-ended
		if t.Failed() {
			t.Logf("log of the node:\n%s", log.text())
		}
	})
	n.API = pushdapi.New(n.admin, pushdapi.Options{Timeout: patience})
	t.Cleanup(n.API.Close)
	eventually(t, "the node serves", func() bool {
		select {
		case <-ended:
			t.Fatalf("pushd ended at once:\n%s", log.text())
		default:
		}
		n.client = log.serving()
		return n.client.IsValid()
	})
	eventually(t, "the node answers", func() bool {
		v, err := n.API.Version(t.Context())
		if err != nil {
			return false
		}
		n.pid = v.Place.PID // behind the command that ran it
		return true
	})
	return n
}

// logged is what a node has written.
type logged struct {
	mu sync.Mutex
	b  []byte
}

// Write implements io.Writer.
func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, b...)
	return len(b), nil
}

func (l *logged) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b)
}

// serving is the address of clients that the node names once it serves.
func (l *logged) serving() netip.AddrPort {
	for line := range strings.Lines(l.text()) {
		var s struct{ Clients []string }
		if json.Unmarshal([]byte(line), &s) == nil && len(s.Clients) > 0 {
			return netip.MustParseAddrPort(s.Clients[0])
		}
	}
	return netip.AddrPort{}
}

// eventually waits for a condition; show tells what is in its way.
func eventually(t *testing.T, what string, f func() bool, show ...func() string) {
	t.Helper()
	if happens(f) {
		return
	}
	for _, f := range show {
		t.Log(f())
	}
	t.Fatalf("did not happen: %s", what)
}

// happens waits for a condition and tells whether it came.
func happens(f func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !f() {
		select {
		case <-deadline.C:
			return f() // the machine may have stood still
		case <-tick.C:
		}
	}
	return true
}

// pushctl runs pushctl, which sees nothing of this machine's configuration, to
// its end and returns both streams and the exit code.
func pushctl(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "pushctl"), args...)
	cmd.Env = append(os.Environ(), "HOME=/nonexistent", "XDG_CONFIG_HOME=/nonexistent", "PUSHCTL_NODE=", "NO_COLOR=1")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), code
}

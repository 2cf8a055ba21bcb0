package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
)

// patience bounds every wait for something that must happen. It is far above
// what any of them takes, because machines are busy.
const patience = time.Minute

// process is a pushd that runs as a program.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	ended  chan struct{} // closed when it has ended
	API    *pushdapi.Client
	client []string // addresses of clients: those of --listen, then --listen-proxy
	admin  string   // path of the admin socket

	mu  sync.Mutex
	log []string
}

// startPushd runs pushd on ports of the kernel's choice until the test ends and
// returns when it serves. Flags given here win over the defaults.
func startPushd(t testing.TB, flags ...string) *process {
	t.Helper()
	p := launch(t, flags...)
	eventually(t, "pushd serves", func() bool { return p.logged("serving") != nil || p.hasEnded() })
	line := p.logged("serving")
	if line == nil {
		t.Fatalf("pushd ended at once:\n%s", p.text())
	}
	var at struct{ Clients []string }
	var private struct{ Private, Admin string }
	if err := errors.Join(json.Unmarshal(line, &at), json.Unmarshal(line, &private)); err != nil {
		t.Fatal(err)
	}
	p.client, p.admin = at.Clients, private.Admin
	p.API = pushdapi.New(private.Private, pushdapi.Options{Timeout: patience})
	t.Cleanup(p.API.Close)
	return p
}

// launch runs pushd and returns at once.
func launch(t testing.TB, flags ...string) *process {
	t.Helper()
	dir := shortDir(t)
	all := append([]string{"--listen", "127.0.0.1:0", "--private", "127.0.0.1:0", "--admin-socket", filepath.Join(dir, "admin.sock"),
		"--state-dir", dir, "--node-name", "e2e", "--log-format", "json", "--knob", "drain.window=0s",
		"--knob", "publish.wait=30s", "--knob", "publish.inbox_wait=30s"}, flags...) // loops may be slow, and answers are counted
	if !slices.ContainsFunc(flags, func(f string) bool { return strings.HasPrefix(f, "--keeper") }) {
		all = append(all, "--keeper", "off") // several nodes share this machine
	}
	p := &process{t: t, ended: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(bin, "pushd"), all...)
	p.cmd.Env = append(os.Environ(), "PUSHD_CONFIG=/dev/null")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.collect(out) // ends with the process
	t.Cleanup(p.stop)
	return p
}

// collect keeps the log until the process ends.
func (p *process) collect(out io.Reader) {
	defer close(p.ended)
	s := bufio.NewScanner(out)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		p.mu.Lock()
		p.log = append(p.log, s.Text())
		p.mu.Unlock()
	}
	_ = p.cmd.Wait() // the code is asked for where it matters
}

// logged returns the first log line with a message, nil if there is none.
func (p *process) logged(msg string) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.log {
		if strings.Contains(l, `"msg":"`+msg) {
			return []byte(l)
		}
	}
	return nil
}

// text is all that was logged.
func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.log, "\n")
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// exit waits for the end of the process and returns its code, -1 if a signal
// killed it.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("pushd did not end:\n%s", p.text())
		return 0
	}
}

// stop ends the process at the end of a test, which fails when the node had to
// be killed or said something went wrong.
func (p *process) stop() {
	if p.hasEnded() {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Errorf("pushd had to be killed:\n%s", p.text())
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("pushd ended with %d:\n%s", code, p.text())
	}
}

// shortDir is a folder for sockets, whose paths have 107 bytes at most.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// eventually waits until f is true; show tells what is in its way.
func eventually(t testing.TB, what string, f func() bool, show ...func() string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !f(); <-tick.C {
		if time.Now().Before(end) {
			continue
		}
		for _, f := range show {
			t.Log(f())
		}
		t.Fatalf("did not happen within %s: %s", patience, what)
	}
}

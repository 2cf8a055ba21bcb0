package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for something that must happen. It is far above
// what any of them takes, because machines are busy.
const patience = 60 * time.Second

// process is one of our programs on a host.
type process struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended

	traced bool      // runs under strace, which is what cmd is
	still  time.Time // since when stands has seen no thread run; for one goroutine

	mu  sync.Mutex
	log []string
}

// spawn starts a program on a host. Whoever calls it ends it.
func spawn(t testing.TB, host, program string, args ...string) *process {
	t.Helper()
	return launch(t, host, append([]string{filepath.Join(bin, program)}, args...)...)
}

// launch starts any command on a host.
func launch(t testing.TB, host string, command ...string) *process {
	t.Helper()
	p := &process{name: host, ended: make(chan struct{})}
	p.cmd = exec.Command("ip", append([]string{"netns", "exec", host}, command...)...)
	p.cmd.Env = append(os.Environ(), "PUSHD_CONFIG=/dev/null", "KEEPER_CONFIG=/dev/null")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.collect(out) // ends with the process
	return p
}

// logLines bounds what is kept of a process's log.
const logLines = 2000

// collect keeps the end of the log until the process ends.
func (p *process) collect(out io.Reader) {
	defer close(p.ended)
	s := bufio.NewScanner(out)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		p.mu.Lock()
		if p.log = append(p.log, s.Text()); len(p.log) > 2*logLines {
			p.log = append([]string(nil), p.log[logLines:]...)
		}
		p.mu.Unlock()
	}
	_ = p.cmd.Wait() // the code is asked for where it matters
}

// logged tells whether a line of the log holds all of the texts.
func (p *process) logged(texts ...string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.log {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(l, text)
		}
		if all {
			return true
		}
	}
	return false
}

// tail is the end of the log.
func (p *process) tail(lines int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("--- %s\n%s\n", p.name, strings.Join(p.log[max(0, len(p.log)-lines):], "\n"))
}

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// kill ends the process at once, as a crash would.
func (p *process) kill() {
	for p.running() {
		if !p.traced {
			_ = p.cmd.Process.Kill()
		} else if pid := p.tracee(); pid > 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL) // strace ends with it
		}
		select {
		case <-p.ended:
		case <-time.After(10 * time.Millisecond): // strace has yet to start it
		}
	}
}

// tracee is the program that strace runs, 0 if there is none yet. Before it,
// strace has other children, with which it tries what the kernel can.
func (p *process) tracee() int {
	pid := p.cmd.Process.Pid
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	child, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", child))
	if name := filepath.Base(exe); err != nil || name == "strace" || name == "ip" {
		return 0
	}
	return child
}

// pid is that of the program itself, 0 if it has not begun.
func (p *process) pid() int {
	if p.traced {
		return p.tracee()
	}
	return p.cmd.Process.Pid
}

// stands tells whether all threads of the process stand still, and did so when
// it was asked a few ms before: a tracer stops it for a moment at each call that
// it looks at. It also stands when it has ended.
func (p *process) stands() bool {
	if pid := p.pid(); pid == 0 || !stopped(pid) {
		p.still = time.Time{}
		return !p.running()
	}
	if p.still.IsZero() {
		p.still = time.Now()
	}
	return time.Since(p.still) >= 5*time.Millisecond
}

// pause stops the process in its tracks; resume lets it go on and not know.
func (p *process) pause() { _ = p.cmd.Process.Signal(syscall.SIGSTOP) }

func (p *process) resume() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }

// term ends the process in good order.
func (p *process) term(t testing.TB) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Errorf("%s had to be killed:\n%s", p.name, p.tail(50))
		p.kill()
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("%s ended with %d:\n%s", p.name, code, p.tail(50))
	}
}

// eventually waits until f is true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	within(t, patience, what, f)
}

// within waits until f is true, and returns how long that took.
func within(t testing.TB, most time.Duration, what string, f func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for ; !f(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > most {
			t.Fatalf("did not happen within %s: %s", most, what)
		}
	}
	return time.Since(began)
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

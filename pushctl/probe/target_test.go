package probe

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// result is what the target says of itself.
type result struct {
	Cycles              uint64
	PauseTotal          uint64
	PauseLow, PauseHigh float64
	Live, Goal          uint64
	Writers             int64
	Before, After       [3]uint64 // cycles, ns of pauses, end of the last cycle
	Assist              float64   // s
}

// allowed skips a test where this host does not let it probe.
func allowed(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("probes need root")
	}
	if _, err := Calibrate(); err != nil {
		t.Skipf("this host does not allow probes: %v", err)
	}
}

// build makes the target in one of the forms that programs come in.
func build(t *testing.T, cgo string, args ...string) string {
	t.Helper()
	if cgo == "1" {
		if _, err := exec.LookPath("gcc"); err != nil {
			t.Skip("external linking needs gcc, which is not installed")
		}
	}
	out := filepath.Join(t.TempDir(), "target")
	c := exec.Command("go", append(append([]string{"build", "-o", out}, args...), "./testdata/target")...)
	c.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if msg, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build %q: %v\n%s", args, err, msg)
	}
	return out
}

// child is a running target.
type child struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(t *testing.T, path, mode string) *child {
	t.Helper()
	return startBy(t, path, mode)
}

// startBy starts the target by a command line.
func startBy(t *testing.T, words ...string) *child {
	t.Helper()
	c := &child{t: t, cmd: exec.Command(words[0], words[1:]...)}
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Stderr = os.Stderr
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.in, c.out = in, bufio.NewReader(out)
	t.Cleanup(c.stop)
	if line := c.line(); line != "ready\n" {
		t.Fatalf("the target says %q", line)
	}
	return c
}

func (c *child) line() string {
	c.t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil {
		c.t.Fatalf("the target is gone: %v", err)
	}
	return line
}

// work lets the target work once and returns what it says of it.
func (c *child) work() result {
	c.t.Helper()
	if _, err := io.WriteString(c.in, "go\n"); err != nil {
		c.t.Fatal(err)
	}
	var r result
	if err := json.Unmarshal([]byte(c.line()), &r); err != nil {
		c.t.Fatal(err)
	}
	return r
}

// stop ends the target, which must still be well.
func (c *child) stop() {
	if c.cmd.ProcessState != nil {
		return
	}
	c.in.Close()
	killer := time.AfterFunc(20*time.Second, func() { c.cmd.Process.Kill() })
	defer killer.Stop()
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("the target ended with %v", err)
	}
}

func (c *child) find() *Target {
	c.t.Helper()
	t, err := Find(c.cmd.Process.Pid)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(t.Close)
	return t
}

// watch runs a probe, f as soon as its breakpoints are in place, and ends the
// probe when f returns.
func watch[R any](t *testing.T, c *child, o *Options, f func(), probe func(context.Context, *Target) (*R, error)) *R {
	t.Helper()
	target := c.find()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	began := make(chan struct{})
	o.Began = func() { close(began) }
	if o.Duration == 0 {
		o.Duration = time.Minute
	}
	type answer struct {
		r   *R
		err error
	}
	done := make(chan answer, 1)
	go func() {
		r, err := probe(ctx, target)
		done <- answer{r, err}
	}()
	select {
	case <-began:
		f()
		if o.MaxCPU == 0 {
			cancel()
		}
	case a := <-done:
		t.Fatalf("the probe ended at once: %v", a.err)
	}
	a := <-done
	if a.err != nil {
		t.Fatal(a.err)
	}
	return a.r
}

func TestFindRefuses(t *testing.T) {
	f := func(pid int, want string) {
		t.Helper()
		if target, err := Find(pid); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %+v, %v, want %q", pid, target, err, want)
		}
	}
	f(1<<22+1, "no such process")
	c := exec.Command("sleep", "30")
	if err := c.Start(); err != nil {
		t.Skip(err)
	}
	defer func() { c.Process.Kill(); c.Wait() }()
	f(c.Process.Pid, "no Go program")
}

func TestMapping(t *testing.T) {
	f := func(line string, start, off, inode uint64, want bool) {
		t.Helper()
		s, o, i, ok := mapping(line)
		if ok != want || ok && (s != start || o != off || i != inode) {
			t.Errorf("%q: %#x %#x %d %v", line, s, o, i, ok)
		}
	}
	f("55d0c0a00000-55d0c0b00000 r-xp 00001000 fe:00 1234   /usr/bin/pushd (deleted)", 0x55d0c0a00000, 0x1000, 1234, true)
	f("55d0c0a00000-55d0c0b00000 r--p 00001000 fe:00 1234   /usr/bin/pushd", 0, 0, 0, false)
	f("55d0c0a00000-55d0c0b00000 r-xp 00000000 00:00 0 ", 0, 0, 0, false)
	f("", 0, 0, 0, false)
}

package probe

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"pushfleet/pushctl/probe/gobin"
)

// TestHelperProbe is a probe in a process of its own, for tests that kill it or
// take rights away from it.
func TestHelperProbe(t *testing.T) {
	pid, err := strconv.Atoi(os.Getenv("PROBE_PID"))
	if err != nil {
		t.Skip("runs for other tests only")
	}
	target, err := Find(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	o := LockOptions{Go: true, By: BySite, Options: Options{Duration: time.Minute, Began: func() { fmt.Println("in place") }}}
	if os.Getenv("PROBE_BRIEFLY") != "" {
		o.Duration = time.Second
	}
	r, err := Locks(context.Background(), target, o)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("saw %v, cost %v\n", r.Go.Count > 0, r.CostCPU > 0)
}

// TestProbeWithFewRights probes with CAP_BPF and CAP_PERFMON alone, under which
// the kernel counts no costs for us.
func TestProbeWithFewRights(t *testing.T) {
	allowed(t)
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("setpriv is not installed")
	}
	c := startBy(t, "setpriv", "--bounding-set=-all", "--inh-caps=-all", build(t, "0"), "lock")
	probe := func(bounds string) string {
		p := exec.Command("setpriv", "--bounding-set="+bounds, "--inh-caps=-all", os.Args[0], "-test.run=^TestHelperProbe$", "-test.v")
		p.Env = append(os.Environ(), "PROBE_PID="+pid(c), "PROBE_BRIEFLY=1")
		var out bytes.Buffer
		p.Stdout, p.Stderr = &out, &out
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- p.Wait() }()       // ends with the probe
		t.Cleanup(func() { p.Process.Kill() }) // it has ended, or the test has
		for {
			select {
			case <-done:
				return out.String()
			default:
				c.work()
			}
		}
	}
	if got := probe("-all,+bpf,+perfmon"); !strings.Contains(got, "saw true, cost true") {
		t.Errorf("%s", got)
	}
	if got := probe("-all"); !strings.Contains(got, rights) {
		t.Errorf("without any rights: %s", got)
	}
}

func pid(c *child) string { return strconv.Itoa(c.cmd.Process.Pid) }

// await reads until a line holds the words.
func await(t *testing.T, r io.Reader, words string) {
	t.Helper()
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if strings.Contains(lines.Text(), words) {
			return
		}
	}
	t.Fatalf("the probe never said %q", words)
}

// byteAt reads the living code at the entry of a function.
func byteAt(t *testing.T, target *Target, s gobin.Site) byte {
	t.Helper()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", target.PID))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	var b [1]byte
	if _, err := mem.ReadAt(b[:], int64(s.Entry+target.base)); err != nil {
		t.Fatal(err)
	}
	return b[0]
}

package probe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"pushfleet/pushctl/probe/gobin"
)

// TestHelperProbe is a probe in a process of its own, for tests that kill it.
func TestHelperProbe(t *testing.T) {
	pid, err := strconv.Atoi(os.Getenv("PROBE_PID"))
	if err != nil {
		t.Skip("runs for TestProbeKilled only")
	}
	target, err := Find(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	o := LockOptions{Go: true, By: BySite, Options: Options{Duration: time.Minute, Began: func() { fmt.Println("in place") }}}
	if _, err := Locks(context.Background(), target, o); err != nil {
		t.Fatal(err)
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

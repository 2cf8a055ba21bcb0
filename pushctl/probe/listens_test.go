package probe

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestListens(t *testing.T) {
	dir, err := os.MkdirTemp("", "listens")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	u, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	far, err := net.Listen("tcp4", "0.0.0.0:0") // not only for this host
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	got, err := listens("/proc/self", "/proc/self")
	if err != nil || !slices.Contains(got, "/proc/self/root"+path) || !slices.Contains(got, l.Addr().String()) {
		t.Errorf("%q, %v, want %s and %s", got, err, path, l.Addr())
	}
	for _, a := range got {
		if strings.HasPrefix(a, "0.0.0.0") {
			t.Errorf("%s is not on loopback", a)
		}
	}
	if _, err := listens(filepath.Join(dir, "nobody"), "/proc/self"); err == nil {
		t.Error("a process that is not there listens")
	}
}

func TestListenTables(t *testing.T) {
	f := func(line string) [][]string { return [][]string{strings.Fields(line)} }
	mine := map[string]bool{"77": true}
	if got := unixListens(f("0: 2 0 00010000 0001 01 77 /run/pushd/admin.sock"), mine, "/r"); !slices.Equal(got, []string{"/r/run/pushd/admin.sock"}) {
		t.Errorf("%q", got)
	}
	if got := unixListens(f("0: 2 0 00010000 0001 01 77 @name"), mine, "/r"); !slices.Equal(got, []string{"@name"}) {
		t.Errorf("%q", got)
	}
	for _, line := range []string{"0: 2 0 00000000 0001 03 77 /connected", "0: 2 0 00010000 0001 01 78 /another", "0: 2 0 00010000 0001 01 77", "0: 2 0 00010000 0001 01 77 relative"} {
		if got := unixListens(f(line), mine, ""); got != nil {
			t.Errorf("%s: %q", line, got)
		}
	}
	if got := tcpListens(f("0: 0100007F:1CE9 00000000:0000 0A 0:0 00:0 0 0 0 77 1"), mine); !slices.Equal(got, []string{"127.0.0.1:7401"}) {
		t.Errorf("%q", got)
	}
	for _, line := range []string{"0: 0100007F:1CE9 0:0 01 0:0 00:0 0 0 0 77 1", "0: zz:1 0:0 0A 0:0 00:0 0 0 0 77 1", "0: 00000000:1CE9 0:0 0A 0:0 00:0 0 0 0 77 1", "0"} {
		if got := tcpListens(f(line), mine); got != nil {
			t.Errorf("%s: %q", line, got)
		}
	}
}

func TestPIDIn(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "812", "ns"), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "812", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("status", "Name:\tpushd\nNSpid:\t812\t7\n")
	write("ns/pid", "")
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(dir, "812/ns/pid"), &st); err != nil {
		t.Fatal(err)
	}
	f := func(ns uint64, pid, want int) {
		t.Helper()
		if got, err := pidIn(dir, ns, pid); got != want || (err != nil) != (want == 0) {
			t.Errorf("%d in %d: %d, %v, want %d", pid, ns, got, err, want)
		}
	}
	f(st.Ino, 7, 812)
	f(st.Ino, 812, 0)
	f(st.Ino+1, 7, 0)
}

// TestPIDInContainer finds a process in a namespace of its own.
func TestPIDInContainer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a namespace of processes needs root")
	}
	c := exec.Command("unshare", "--pid", "--fork", "--kill-child", "sh", "-c", "echo up; read x")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Skipf("unshare: %v", err)
	}
	t.Cleanup(func() { in.Close(); c.Wait() })
	await(t, out, "up")
	b, err := os.ReadFile("/proc/" + strconv.Itoa(c.Process.Pid) + "/task/" + strconv.Itoa(c.Process.Pid) + "/children")
	if err != nil {
		t.Skip(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat("/proc/"+strconv.Itoa(child)+"/ns/pid", &st); err != nil {
		t.Fatal(err)
	}
	if got, err := PIDIn(st.Ino, 1); got != child || err != nil {
		t.Errorf("%d, %v, want %d", got, err, child)
	}
}

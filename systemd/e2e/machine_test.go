//go:build e2e

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for something that must happen. It is far above
// what any of them takes, because machines are busy.
const patience = 3 * time.Minute

// machine is a booted container.
type machine struct {
	t       testing.TB
	name    string
	nspawn  *exec.Cmd
	ended   chan struct{} // closed when nspawn has ended
	console bytes.Buffer
	leader  string   // process id of the container's init
	groups  []string // control groups of its own, one per hierarchy
}

// boot starts a container that can see the packages in /mnt, and returns when
// its systemd is up. Its changes and its network are its own and go with it.
func boot(t testing.TB) *machine {
	t.Helper()
	needs(t)
	root, mnt := rootfs(t), packageFolder(t)
	m := &machine{t: t, name: "pf" + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().UnixNano()%1e6, 36), ended: make(chan struct{})}
	m.makeGroups()
	// The shell enters the groups and becomes nspawn. Without groups of their
	// own two containers would share one.
	args := []string{"-c", `n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ >"$1"; shift; n=$((n-1)); done; exec systemd-nspawn "$@"`, "sh", strconv.Itoa(len(m.groups))}
	for _, g := range m.groups {
		args = append(args, filepath.Join(g, "cgroup.procs"))
	}
	args = append(args, "--quiet", "--register=no", "--keep-unit", "--boot", "--private-network", "--volatile=overlay",
		"-D", root, "-M", m.name, "--bind-ro="+mnt+":/mnt")
	m.nspawn = exec.Command("sh", args...)
	// Should the tests be killed the container goes with them.
	m.nspawn.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	m.nspawn.Stdout, m.nspawn.Stderr = &m.console, &m.console
	if err := m.nspawn.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(m.ended); _ = m.nspawn.Wait() }() // ended by halt
	t.Cleanup(m.halt)
	m.until("the container is up", func() bool {
		select {
		case <-m.ended:
			t.Skipf("systemd-nspawn does not boot here:\n%s", tail(m.console.String(), 10))
		default:
		}
		return m.findLeader() && m.running()
	})
	return m
}

// makeGroups makes a control group in every hierarchy that the machine has.
func (m *machine) makeGroups() {
	const base = "/sys/fs/cgroup"
	hierarchies := []string{base}
	if _, err := os.Stat(base + "/cgroup.procs"); err != nil {
		entries, err := os.ReadDir(base)
		if err != nil {
			m.t.Skipf("no control groups: %v", err)
		}
		hierarchies = nil
		for _, e := range entries {
			// cpuset takes nobody before it is told its processors.
			if e.IsDir() && e.Name() != "cpuset" {
				hierarchies = append(hierarchies, filepath.Join(base, e.Name()))
			}
		}
	}
	for _, h := range hierarchies {
		g := filepath.Join(h, "nspawn-"+m.name)
		if err := os.Mkdir(g, 0o755); err != nil {
			m.t.Skipf("control groups cannot be made here: %v", err)
		}
		m.groups = append(m.groups, g)
	}
}

// findLeader finds the oldest child of nspawn that has processes to itself: one
// that still prepares the container is on this machine, and so would be what is
// run beside it.
func (m *machine) findLeader() bool {
	out, err := exec.Command("pgrep", "-o", "-P", strconv.Itoa(m.nspawn.Process.Pid)).Output()
	m.leader = strings.TrimSpace(string(out))
	if err != nil || m.leader == "" {
		return false
	}
	there, err := os.Readlink("/proc/" + m.leader + "/ns/pid")
	here, herr := os.Readlink("/proc/self/ns/pid")
	return err == nil && herr == nil && there != here
}

func (m *machine) running() bool {
	out, _ := m.try("systemctl is-system-running")
	return strings.HasPrefix(out, "running") || strings.HasPrefix(out, "degraded")
}

// halt ends the container and what it leaves on the machine.
func (m *machine) halt() {
	_ = m.nspawn.Process.Signal(syscall.SIGTERM)
	select {
	case <-m.ended:
	case <-time.After(15 * time.Second):
		_ = m.nspawn.Process.Kill()
		<-m.ended
	}
	for _, g := range m.groups {
		_ = exec.Command("find", g, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+").Run()
	}
}

// command is a shell script inside.
func (m *machine) command(script string) *exec.Cmd {
	c := exec.Command("nsenter", "-t", m.leader, "-m", "-u", "-i", "-n", "-p", "-C", "--", "/bin/bash", "-euo", "pipefail", "-c", script)
	c.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "SYSTEMD_PAGER="}
	return c
}

// try runs a script inside and returns what it prints on both outputs.
func (m *machine) try(script string) (string, error) {
	out, err := m.command(script).CombinedOutput()
	return string(out), err
}

// run is try for what must succeed.
func (m *machine) run(script string) string {
	m.t.Helper()
	out, err := m.try(script)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return out
}

// says expects the output of a script to hold the texts.
func (m *machine) says(script string, want ...string) string {
	m.t.Helper()
	out := m.run(script)
	for _, w := range want {
		if !strings.Contains(out, w) {
			m.t.Errorf("%s: does not say %q:\n%s", script, w, out)
		}
	}
	return out
}

// logs expects the journal, as far as the filters choose, to hold the texts
// before long: a unit is started, or has failed, before all is written that it
// has said.
func (m *machine) logs(filters string, want ...string) {
	m.t.Helper()
	script := "journalctl --sync; journalctl --no-pager " + filters
	m.until(script+" says "+strings.Join(want, ", "), func() bool {
		out, _ := m.try(script)
		return !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(out, w) })
	})
}

// show returns a property of a unit.
func (m *machine) show(unit, property string) string {
	m.t.Helper()
	return strings.TrimSpace(m.run("systemctl show -P " + property + " " + unit))
}

// until waits for a condition.
func (m *machine) until(what string, f func() bool) {
	m.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !f(); <-tick.C {
		if time.Now().After(end) {
			m.t.Fatalf("never: %s\n%s", what, m.journal())
		}
	}
}

// journal is the end of the journal inside.
func (m *machine) journal() string {
	out, _ := m.try("journalctl --no-pager -o short-monotonic -n 60")
	return out
}

// install boots a machine with the package on it.
func install(t testing.TB) *machine {
	t.Helper()
	m := boot(t)
	m.says("dpkg -i /mnt/old.deb", "nothing is started")
	return m
}

//go:build e2e

// Package e2e proves the dashboards and alerts with a real Prometheus and a
// real VictoriaMetrics, which scrape built programs under load. All of it runs
// in a network namespace of its own: counters of the kernel are then of this
// test alone, and ports cannot be taken.
package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for something that must happen.
const patience = time.Minute

// insideEnv tells the second start of this program that it is in the namespace.
const insideEnv = "DASHBOARDS_E2E_INSIDE"

func TestMain(m *testing.M) {
	if os.Getenv(insideEnv) != "" {
		if err := network(); err != nil {
			fmt.Fprintln(os.Stderr, "dashboards/e2e:", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	if _, err := exec.LookPath("ip"); err != nil {
		fmt.Println("dashboards/e2e: skipped: there is no program ip (Debian: apt install iproute2)")
		return
	}
	os.Exit(again())
}

// again runs this program in a new network namespace.
func again() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	if errors.Is(err, syscall.EPERM) {
		fmt.Println("dashboards/e2e: skipped: a network namespace takes root")
		return 0
	}
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return e.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dashboards/e2e:", err)
		return 1
	}
	return 0
}

// network gives the namespace a loopback, and a pair of devices to count on.
func network() error {
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"link", "add", "veth0", "type", "veth", "peer", "name", "veth1"}, {"link", "set", "veth0", "up"}} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	return nil
}

// programs returns the folder of the built programs.
func programs(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("BIN"); bin != "" {
		return bin
	}
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-trimpath", "-o", dir+"/", "pushfleet/pushd", "pushfleet/pushctl", "pushfleet/keeper")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

// tool returns the path of a program of Debian's packages, or skips the test.
// scripts/test-deps.sh unpacks them into .tools.
func tool(t *testing.T, name string) string {
	t.Helper()
	path := find(name)
	if path == "" {
		t.Skipf("%s is not there; scripts/test-deps.sh unpacks it where there is apt-get", name)
	}
	return path
}

// find returns the path of a program, "" if it is not there.
func find(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path, err := filepath.Abs("../../.tools/usr/bin/" + name)
	if err != nil {
		return ""
	}
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	if !within(patience, f) {
		t.Fatalf("did not happen within %s: %s", patience, what)
	}
}

// within waits for a condition and tells whether it came in time.
func within(d time.Duration, f func() bool) bool {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	end := time.After(d)
	for !f() {
		select {
		case <-tick.C:
		case <-end:
			return false
		}
	}
	return true
}

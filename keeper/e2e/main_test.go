// Package e2e proves keepers, nodes and pushctl as built programs that meet in
// network namespaces: faults, deadlines, guards, linearizability. It needs root
// and iproute2; elsewhere its tests skip and say so.
package e2e

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// bin is the folder of the built programs, set before any test runs.
var bin string

// insideEnv is set in the process that has namespaces of its own.
const insideEnv = "KEEPER_E2E_INSIDE"

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if testing.Short() {
		fmt.Println("e2e: skipped by -short: builds programs and runs fleets, about four minutes")
		return 0
	}
	if os.Getenv(insideEnv) != "" {
		bin = os.Getenv("BIN")
		if err := prepare(); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			return 1
		}
		return m.Run()
	}
	if why := impossible(); why != "" {
		fmt.Println("e2e: skipped:", why)
		return 0
	}
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	if bin = os.Getenv("BIN"); !complete(bin) {
		bin = dir
		if err := build(dir); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			return 1
		}
	}
	return again()
}

// impossible says why fleets cannot run here, "" if they can.
func impossible() string {
	if os.Geteuid() != 0 {
		return "network namespaces need root"
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return "ip is not installed; scripts/test-deps.sh installs iproute2"
	}
	try := exec.Command("true")
	try.SysProcAttr = apart()
	if err := try.Run(); err != nil {
		return "the kernel gives no network namespace here: " + err.Error()
	}
	return ""
}

// complete tells whether a folder holds all programs that are tested.
func complete(dir string) bool {
	for _, name := range []string{"keeper", "pushd", "pushctl"} {
		if _, err := os.Stat(filepath.Join(dir, name)); dir == "" || err != nil {
			return false
		}
	}
	return true
}

// build makes the programs as "make build" does, without cgo.
func build(dir string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-o", dir+"/", "pushfleet/keeper", "pushfleet/pushd", "pushfleet/pushctl")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// apart gives a process its own network and mounts, which end with the last
// process in them: nothing is left behind, however the tests end.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
}

// again runs the tests in a process apart.
func again() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), insideEnv+"=1", "BIN="+bin)
	cmd.SysProcAttr = apart()
	signal.Ignore(syscall.SIGINT) // the process apart gets it too, and ends in its own time
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(exit.ExitCode(), 1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return 0
}

// prepare makes the place for named namespaces, which others do not see.
func prepare() error {
	if err := os.MkdirAll(netns, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", netns, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount %s: %w", netns, err)
	}
	return ipDo("link", "set", "lo", "up")
}

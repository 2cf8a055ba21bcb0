// Package e2e proves what pushctl says of nodes in trouble, as built programs:
// causes are planted, and it must name them. A test that needs root, a program
// or a feature of the kernel skips where it is not there, and says so.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// bin is the folder of the built programs, set before any test runs.
var bin string

// patience bounds every wait for something that must happen. It is far above
// what any of them takes, because machines are busy.
const patience = time.Minute

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if testing.Short() {
		fmt.Println("e2e: skipped by -short: builds programs and plants trouble, about two minutes")
		return 0
	}
	bin = os.Getenv("BIN")
	if bin == "" {
		dir, err := os.MkdirTemp("", "e2e")
		if err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			return 1
		}
		defer os.RemoveAll(dir)
		if err = build(dir+"/", "", "pushfleet/pushd", "pushfleet/pushctl"); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			return 1
		}
		bin = dir
	}
	return m.Run()
}

// build makes programs as "make build" does, without cgo.
func build(to, tags string, packages ...string) error {
	cmd := exec.Command("go", append([]string{"build", "-trimpath", "-tags", tags, "-o", to}, packages...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// planter builds a pushd that makes trouble on demand.
func planter(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pushd")
	if err := build(path, "plant", "pushfleet/pushd"); err != nil {
		t.Fatal(err)
	}
	return path
}

// needRoot skips a test of what only root may do.
func needRoot(t *testing.T, what string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: " + what)
	}
}

// tool returns the path of a program, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

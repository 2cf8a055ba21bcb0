// Package e2e proves pushd and pushctl as built programs against clients that
// nobody here wrote: a browser, npm modules, curl and HAProxy; and against
// clients that mean harm. A test that needs a program which is not there skips
// and names it; scripts/test-deps.sh installs them.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// bin is the folder of the built programs, set before any test runs.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if testing.Short() {
		fmt.Println("e2e: skipped by -short: builds programs and drives browsers, about five minutes")
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
		if bin, err = build(dir); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			return 1
		}
	}
	return m.Run()
}

// build makes the programs as "make build" does, without cgo.
func build(dir string) (string, error) {
	cmd := exec.Command("go", "build", "-trimpath", "-o", dir+"/", "pushfleet/pushd", "pushfleet/pushctl")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, nil
}

// tool returns the path of a program, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed; scripts/test-deps.sh does it", name)
	}
	return path
}

// modules skips the test unless the npm modules are installed.
func modules(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join("node_modules", "ws")); err != nil {
		t.Skip("no npm modules in pushd/e2e; scripts/test-deps.sh installs them")
	}
}

//go:build e2e

// Package e2e installs the package on a real systemd, in a container that the
// test makes, and holds its units to what they promise.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// suite is the Debian release of the containers, and packages what they hold
// beside the minimum.
const (
	suite    = "bookworm"
	packages = "systemd,systemd-sysv,dbus,iproute2,procps,libnss-systemd"
)

// needs skips the test where no container can be made.
func needs(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("containers need root")
	}
	for _, program := range []string{"systemd-nspawn", "debootstrap", "nsenter", "dpkg-deb"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: apt-get install systemd-container debootstrap util-linux", program)
		}
	}
}

// rootfs returns a root file system with systemd, made on the first use and
// then kept in the user's cache folder. It is never written to: the containers
// have an overlay.
func rootfs(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("no place to keep a root file system: %v", err)
	}
	dir := filepath.Join(cache, "pushfleet")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	defer lock(t, filepath.Join(dir, suite+".lock"))()
	root := filepath.Join(dir, suite)
	if _, err := os.Stat(root); err == nil {
		return root
	}
	part := root + ".part"
	if err := os.RemoveAll(part); err != nil {
		t.Fatal(err)
	}
	t.Logf("making %s, once: about a minute", root)
	out, err := exec.Command("debootstrap", "--variant=minbase", "--include="+packages, suite, part, mirror(t)).CombinedOutput()
	if err != nil {
		t.Skipf("debootstrap: %v\n%s", err, tail(string(out), 10))
	}
	if err := os.Rename(part, root); err != nil {
		t.Fatal(err)
	}
	return root
}

// mirror is the one that the machine's apt uses.
func mirror(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("apt-get", "indextargets", "--format", "$(REPO_URI)", "Codename: "+suite).Output()
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil || first == "" {
		t.Skipf("apt knows no mirror of %s (%v): the root file system cannot be made", suite, err)
	}
	return first
}

// lock holds a file against other test processes.
func lock(t testing.TB, path string) (unlock func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { f.Close() }
}

// tail returns the last lines of a text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// sh runs a script on this machine and returns what it prints.
func sh(script string, args ...string) (string, error) {
	out, err := exec.Command("sh", append([]string{"-euc", script, "sh"}, args...)...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w\n%s", script, err, out)
	}
	return string(out), nil
}

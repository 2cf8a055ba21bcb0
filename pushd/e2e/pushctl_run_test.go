package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

// pushctlCmd is a pushctl that sees nothing of this machine's configuration.
func pushctlCmd(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "pushctl"), args...)
	cmd.Env = append(os.Environ(), "HOME=/nonexistent", "XDG_CONFIG_HOME=/nonexistent", "PUSHCTL_NODE=", "NO_COLOR=1")
	return cmd
}

// pushctl runs pushctl to its end and returns what it printed, both streams,
// and its exit code.
func pushctl(t testing.TB, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	out, err := pushctlCmd(ctx, args...).CombinedOutput()
	return string(bytes.TrimSpace(out)), exitCode(t, err)
}

func exitCode(t testing.TB, err error) int {
	t.Helper()
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return 0
	case ok:
		return exit.ExitCode()
	}
	t.Fatal(err)
	return 0
}

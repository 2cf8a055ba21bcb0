package e2e

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// ownNetwork returns the command that runs a node in a network of its own, after
// others that change the network. It ends with the node: nothing is left however
// a test ends, and tests that run at the same time do not meet. A test whose
// commands do not work here is skipped.
func ownNetwork(t *testing.T, commands ...string) (before []string) {
	t.Helper()
	needRoot(t, "network namespaces")
	tool(t, "ip")
	tool(t, "nft")
	script := strings.Join(append([]string{"ip link set lo up"}, commands...), " && ")
	try := exec.Command("sh", "-c", script)
	try.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if out, err := try.CombinedOutput(); err != nil {
		t.Skipf("no such network here: %s: %v: %s", script, err, out)
	}
	return []string{"sh", "-c", script + ` && exec "$@"`, "sh"}
}

// rule is the command that adds a rule to what a network lets in.
func rule(text string) string {
	return fmt.Sprintf("nft 'table ip e2e { chain in { type filter hook input priority 0; %s; }; }'", text)
}

// inside runs f on a thread in the node's network: sockets that it opens itself,
// and programs that it starts, are there.
func (n *node) inside(f func() error) error {
	if !n.alone {
		return f()
	}
	runtime.LockOSThread()
	home, err := enter("/proc/thread-self/ns/net", fmt.Sprintf("/proc/%d/ns/net", n.pid))
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer func() {
		// A thread that ended instead would take along the programs that were
		// started on it: Pdeathsig is about threads.
		if unix.Setns(home, unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		unix.Close(home)
	}()
	return f()
}

// enter moves this thread to another network and returns the way back.
func enter(from, to string) (home int, err error) {
	if home, err = unix.Open(from, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return -1, fmt.Errorf("open %s: %w", from, err)
	}
	there, err := unix.Open(to, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		err = unix.Setns(there, unix.CLONE_NEWNET)
		unix.Close(there)
	}
	if err != nil {
		unix.Close(home)
		return -1, fmt.Errorf("enter %s: %w", to, err)
	}
	return home, nil
}

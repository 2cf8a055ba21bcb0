package swarm

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// unshareFiles gives the calling thread, which must be locked, a descriptor
// table of its own. The new table begins as a copy; the sockets in it are
// closed, or they would stay open for as long as the worker lives after their
// owners closed them. The other copies (pollers, files) cost numbers only and
// the runtime needs some of them.
func unshareFiles() error {
	if err := unix.Unshare(unix.CLONE_FILES); err != nil {
		return fmt.Errorf("unshare the descriptor table: %w", err)
	}
	const dir = "/proc/thread-self/fd"
	fds, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list descriptors: %w", err)
	}
	for _, e := range fds {
		target, err := os.Readlink(dir + "/" + e.Name())
		if err != nil || !strings.HasPrefix(target, "socket:") {
			continue
		}
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.Close(fd)
		}
	}
	return nil
}

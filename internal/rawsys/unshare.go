package rawsys

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// StartNetpoll makes the runtime open its own epoll descriptor now. Go does so
// at the first use; were that on a thread with a descriptor table of its own,
// no other thread could wait on it.
func StartNetpoll() error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	r.Close()
	return w.Close()
}

// UnshareFiles gives the calling thread, which must be locked to its goroutine
// for good, a descriptor table of its own; StartNetpoll must have been called.
// The table begins as a copy. Sockets in it are closed, or they would stay open
// for as long as the thread lives after their owners closed them; other
// descriptors cost numbers only, and the runtime needs some of them. The sockets
// of keep stay.
func UnshareFiles(keep ...int) error {
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
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 && !slices.Contains(keep, fd) {
			unix.Close(fd)
		}
	}
	return nil
}

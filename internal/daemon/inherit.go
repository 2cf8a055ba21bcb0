package daemon

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Inherited is a socket that systemd passed to the process, see
// sd_listen_fds(3).
type Inherited struct {
	FD   int
	Name string // FileDescriptorName= of the unit; "" = not told
}

// Where systemd's sockets begin, and how many are believed.
const (
	inheritedFirst = 3
	inheritedMax   = 256
)

// InheritedSockets lists what LISTEN_FDS speaks of, when it speaks to this
// process. The descriptors are set to close on exec. It must be called before
// the process opens files of its own that it would pass on.
func InheritedSockets(getenv func(string) string) ([]Inherited, error) {
	if getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 0 || n > inheritedMax {
		return nil, fmt.Errorf("LISTEN_FDS is %q, expected a number up to %d: start the process by its .socket unit, or without LISTEN_PID", getenv("LISTEN_FDS"), inheritedMax)
	}
	names := strings.Split(getenv("LISTEN_FDNAMES"), ":")
	list := make([]Inherited, n)
	for i := range list {
		list[i].FD = inheritedFirst + i
		if i < len(names) {
			list[i].Name = names[i]
		}
		unix.CloseOnExec(list[i].FD)
	}
	return list, nil
}

package probe

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// listenDrops is how many connections the listeners of the process's network
// have turned away, all of them together. A listener's own counter also counts
// packets that were no new connection, such as the reset of one that had just
// been accepted.
func (t *Target) listenDrops() (uint64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/net/netstat", t.PID))
	if err != nil {
		return 0, fmt.Errorf("counters of its network: %w", needs(err))
	}
	defer f.Close()
	n, err := readCounter(f, "TcpExt:", "ListenDrops")
	if err != nil {
		return 0, fmt.Errorf("counters of its network: %w", err)
	}
	return n, nil
}

// readCounter finds a figure in pairs of lines of one group: names, figures.
func readCounter(r io.Reader, group, name string) (uint64, error) {
	var names []string
	for lines := bufio.NewScanner(r); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) == 0 || f[0] != group {
			continue
		}
		if names == nil {
			names = f
			continue
		}
		for i := range min(len(f), len(names)) {
			if names[i] == name {
				return strconv.ParseUint(f[i], 10, 64)
			}
		}
		break
	}
	return 0, fmt.Errorf("no %s %s in netstat: this kernel does not count it", group, name)
}

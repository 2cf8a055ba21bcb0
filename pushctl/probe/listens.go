package probe

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Listens returns where the process listens for others on this host: paths of
// unix sockets, as they can be opened from here, then addresses on loopback in
// the form HOST:PORT. A process of another network namespace has the former
// only.
func (t *Target) Listens() ([]string, error) {
	return listens(fmt.Sprintf("/proc/%d", t.PID), "/proc/self")
}

func listens(dir, self string) ([]string, error) {
	mine, err := sockets(dir)
	if err != nil {
		return nil, needs(err)
	}
	out := unixListens(readLines(dir+"/net/unix"), mine, dir+"/root")
	if sameFile(dir+"/ns/net", self+"/ns/net") {
		out = append(out, tcpListens(readLines(dir+"/net/tcp"), mine)...)
	}
	return out, nil
}

// sockets are the inodes of a process's sockets.
func sockets(dir string) (map[string]bool, error) {
	fds, err := os.ReadDir(dir + "/fd")
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, fd := range fds {
		to, err := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
		if inode, ok := strings.CutPrefix(to, "socket:["); err == nil && ok {
			out[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return out, nil
}

// readLines reads a table of /proc without its heading; nothing if it is not
// there.
func readLines(path string) [][]string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var out [][]string
	for line := range strings.Lines(string(b)) {
		out = append(out, strings.Fields(line))
	}
	return out[min(1, len(out)):]
}

// unixListens reads Num RefCount Protocol Flags Type St Inode Path.
func unixListens(lines [][]string, mine map[string]bool, root string) []string {
	const accepts = "00010000"
	var out []string
	for _, f := range lines {
		if len(f) < 8 || f[3] != accepts || !mine[f[6]] {
			continue
		}
		switch name := f[7]; name[0] {
		case '/':
			out = append(out, root+name)
		case '@':
			out = append(out, name)
		}
	}
	return out
}

// tcpListens reads sl local_address rem_address st … inode, where an address is
// hexadecimal in the order of the machine.
func tcpListens(lines [][]string, mine map[string]bool) []string {
	const listen = "0A"
	var out []string
	for _, f := range lines {
		if len(f) < 10 || f[3] != listen || !mine[f[9]] {
			continue
		}
		ip, port, _ := strings.Cut(f[1], ":")
		a, err1 := strconv.ParseUint(ip, 16, 32)
		p, err2 := strconv.ParseUint(port, 16, 16)
		addr := netip.AddrFrom4([4]byte{byte(a), byte(a >> 8), byte(a >> 16), byte(a >> 24)})
		if err1 == nil && err2 == nil && addr.IsLoopback() {
			out = append(out, netip.AddrPortFrom(addr, uint16(p)).String())
		}
	}
	return out
}

func sameFile(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

package settings

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
)

// ParseAddr reads IP:PORT, localhost:PORT and :PORT for all interfaces. Names
// are refused: what they resolve to tomorrow could be a public address.
func ParseAddr(s string) (netip.AddrPort, error) {
	full := s
	if strings.HasPrefix(s, ":") {
		full = "[::]" + s
	} else if port, ok := strings.CutPrefix(s, "localhost:"); ok {
		full = "127.0.0.1:" + port
	}
	a, err := netip.ParseAddrPort(full)
	if err != nil {
		return a, fmt.Errorf("%q is not an address: write IP:PORT such as 127.0.0.1:7400, or :7400 for all interfaces", s)
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
}

// Ports finds addresses that are used twice. Port 0 is any that is free.
type Ports struct {
	add   Adder
	taken map[netip.AddrPort]string
}

// NewPorts complains to add.
func NewPorts(add Adder) *Ports { return &Ports{add, map[netip.AddrPort]string{}} }

// Take reads an address for a key; ok is false if it cannot be read.
func (p *Ports) Take(key, text string) (a netip.AddrPort, ok bool) {
	a, err := ParseAddr(text)
	if err != nil {
		p.add(key, "%s", err)
		return a, false
	}
	if other := p.taken[a]; other != "" && a.Port() != 0 {
		p.add(key, "%s is already used by %s: give each its own port", text, other)
	}
	p.taken[a] = key
	return a, true
}

const socketPathMax = 107 // bytes, unix(7) without the final NUL

// CheckSocket complains of a path at which no unix socket can be.
func CheckSocket(add Adder, key, path string) {
	CheckPath(add, key, path)
	if len(path) > socketPathMax {
		add(key, "the path has %d bytes, the kernel allows %d: give a shorter one", len(path), socketPathMax)
	}
}

// CheckPath complains of a path that depends on the working directory.
func CheckPath(add Adder, key, path string) {
	if !filepath.IsAbs(path) {
		add(key, "%q: give an absolute path", path)
	}
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// CheckName complains of what is no name of a node or a member.
func CheckName(add Adder, key, name string) {
	if !nameForm.MatchString(name) {
		add(key, "%q: letters, digits, dot, dash and underscore only, at most 63", name)
	}
}

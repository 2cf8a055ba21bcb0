package doctor

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// listenState is TCP_LISTEN in /proc/net/tcp.
const listenState = "0A"

// ports looks who listens where pushd and the keeper want to.
func ports(l *look, _ plan) (found []Finding) {
	inodes, ok := l.listeners()
	if !ok {
		return unknown("ports", "proc/net/tcp")
	}
	for _, p := range []struct {
		port      int
		what, key string
	}{{7400, "clients", "listen"}, {7401, "private", "private"}, {7410, "keeper API", "keeper_api"}, {7411, "keepers", "keeper_raft"}} {
		f := Finding{Check: fmt.Sprintf("port %d", p.port), State: Fine, Have: "free, for " + p.what}
		if inode := inodes[p.port]; inode != "" {
			owner := l.owner(inode)
			f.Have = owner
			switch name, _, _ := strings.Cut(owner, "["); name {
			case "pushd", "keeper", "systemd":
			case "":
				f.Have, f.State, f.Why = "taken", Unknown, "by a process that only root may see: sudo pushctl doctor"
			default:
				f.State, f.Why = Warn, fmt.Sprintf("pushd cannot listen there for %s: end the other program, or choose another port with %s in /etc/pushd/pushd.toml", p.what, p.key)
			}
		}
		found = append(found, f)
	}
	return found
}

// listeners maps ports to the inodes of their sockets.
func (l *look) listeners() (map[int]string, bool) {
	out := map[int]string{}
	seen := false
	for _, name := range []string{"proc/net/tcp", "proc/net/tcp6"} {
		text, ok := l.text(name)
		seen = seen || ok
		for line := range strings.Lines(text) {
			words := strings.Fields(line)
			if len(words) < 10 || words[3] != listenState {
				continue
			}
			_, hex, _ := strings.Cut(words[1], ":")
			if port, err := strconv.ParseInt(hex, 16, 32); err == nil {
				out[int(port)] = words[9]
			}
		}
	}
	return out, seen
}

// owner finds the process that has a socket open: "nginx[123]", "" if it cannot
// be seen.
func (l *look) owner(inode string) string {
	entries, err := fs.ReadDir(l.Root, "proc")
	if err != nil {
		return ""
	}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		dir := path.Join("proc", e.Name(), "fd")
		fds, err := fs.ReadDir(l.Root, dir)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			if target, err := fs.ReadLink(l.Root, path.Join(dir, fd.Name())); err == nil && target == "socket:["+inode+"]" {
				comm, _ := l.text(path.Join("proc", e.Name(), "comm"))
				return comm + "[" + e.Name() + "]"
			}
		}
	}
	return ""
}

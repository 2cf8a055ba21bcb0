package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// PIDIn is the number that a process of a namespace, known by its inode and by
// the number it has in there, has here. Namespaces inside of this one are seen,
// those around it are not.
func PIDIn(namespace uint64, pid int) (int, error) { return pidIn("/proc", namespace, pid) }

func pidIn(proc string, namespace uint64, pid int) (int, error) {
	dirs, err := filepath.Glob(filepath.Join(proc, "[0-9]*"))
	if err != nil {
		return 0, err
	}
	var hidden bool
	for _, dir := range dirs {
		if !numbered(dir, pid) {
			continue
		}
		var st unix.Stat_t
		err := unix.Stat(filepath.Join(dir, "ns/pid"), &st)
		hidden = hidden || errors.Is(err, fs.ErrPermission)
		if err == nil && st.Ino == namespace {
			return strconv.Atoi(filepath.Base(dir))
		}
	}
	if hidden {
		return 0, needs(unix.EPERM)
	}
	return 0, fmt.Errorf("process %d of a container is not seen from here: run pushctl on the host, outside of containers", pid)
}

// numbered tells whether a process has a number in the innermost of its
// namespaces.
func numbered(dir string, pid int) bool {
	b, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil { // it has ended
		return false
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "NSpid:"); ok {
			f := strings.Fields(rest)
			return len(f) > 0 && f[len(f)-1] == strconv.Itoa(pid)
		}
	}
	return false
}

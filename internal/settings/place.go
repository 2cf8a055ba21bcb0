package settings

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// RuntimeDir is where a program's sockets are: systemd's RUNTIME_DIRECTORY,
// else /run for root and XDG_RUNTIME_DIR for others.
func RuntimeDir(getenv func(string) string, uid int, program string) string {
	if d := firstDir(getenv("RUNTIME_DIRECTORY")); d != "" {
		return d
	}
	if uid == 0 {
		return filepath.Join("/run", program)
	}
	if d := getenv("XDG_RUNTIME_DIR"); d != "" {
		return filepath.Join(d, program)
	}
	return filepath.Join(os.TempDir(), program+"-"+strconv.Itoa(uid))
}

// StateDir is where a program keeps what outlives it: systemd's
// STATE_DIRECTORY, else /var/lib for root and XDG_STATE_HOME for others.
func StateDir(getenv func(string) string, uid int, program string) string {
	if d := firstDir(getenv("STATE_DIRECTORY")); d != "" {
		return d
	}
	if uid == 0 {
		return filepath.Join("/var/lib", program)
	}
	if d := getenv("XDG_STATE_HOME"); d != "" {
		return filepath.Join(d, program)
	}
	return filepath.Join(getenv("HOME"), ".local/state", program)
}

// firstDir returns the first of the directories that systemd separates by
// colons.
func firstDir(s string) string {
	d, _, _ := strings.Cut(s, ":")
	return d
}

// HostName is the first label of the machine's name, or otherwise the given
// one.
func HostName(otherwise string) string {
	name, err := os.Hostname()
	name, _, _ = strings.Cut(name, ".")
	if err != nil || !nameForm.MatchString(name) {
		return otherwise
	}
	return name
}

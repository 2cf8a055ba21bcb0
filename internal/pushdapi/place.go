package pushdapi

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Place is where a process runs, so that somebody on the same host can find it
// there and somebody elsewhere learns where to go. What the process cannot tell
// is zero.
type Place struct {
	PID      int    `json:"pid"` // as the process itself sees it
	Hostname string `json:"hostname,omitempty"`
	Boot     string `json:"boot_id,omitempty"`       // of the kernel since it started; no two hosts share it
	PIDs     uint64 `json:"pid_namespace,omitempty"` // inode; inside of one, numbers of processes mean the same
}

// Here is the place of the calling process.
func Here() Place {
	p := Place{PID: os.Getpid()}
	if name, err := os.Hostname(); err == nil {
		p.Hostname = name
	}
	if b, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		p.Boot = strings.TrimSpace(string(b))
	}
	var st unix.Stat_t
	if unix.Stat("/proc/self/ns/pid", &st) == nil {
		p.PIDs = st.Ino
	}
	return p
}

// SameHost tells whether both run under one kernel.
func (p Place) SameHost(o Place) bool { return p.Boot != "" && p.Boot == o.Boot }

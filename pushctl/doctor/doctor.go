// Package doctor holds a machine against a number of planned connections. It
// reads /proc, /sys and unit files below a root and changes nothing; what it
// finds are sentences with the exact lines that would help.
package doctor

import (
	"io/fs"
	"time"
)

// What one connection takes, measured with 950,000 idle ones (BENCHMARKS.md):
// pushd's own memory, and the kernel's for the socket, in bytes.
const (
	ownBytes    = 272
	kernelBytes = 4700
	// reserveFDs is what a node opens beside connections.
	reserveFDs = 512
	// backlog is how many connections pushd lets wait to be accepted.
	backlog = 4096
)

// State is how bad a finding is.
type State string

// The states. Only Stop keeps the planned connections from being reached.
const (
	Fine    State = "fine"
	Warn    State = "warn"
	Stop    State = "stop"
	Unknown State = "unknown" // the machine does not tell
)

// Finding is the result of one check.
type Finding struct {
	Check string `json:"check"`
	State State  `json:"state"`
	Have  string `json:"have"`
	Need  string `json:"need,omitempty"`
	Why   string `json:"why,omitempty"` // what follows from it; empty when fine
	Fixes []Fix  `json:"fixes,omitempty"`
}

// Fix is one line to write, and where. Nothing is written by this package.
type Fix struct {
	File string `json:"file"`           // to write it to
	Head string `json:"head,omitempty"` // section of the file, such as [Service]
	Line string `json:"line"`
	Then string `json:"then,omitempty"` // command that makes it act
}

// Report is what the doctor says.
type Report struct {
	Conns       int64     `json:"conns"`
	MemoryBytes int64     `json:"memory_bytes"` // that they take, pushd's and the kernel's
	Descriptors int64     `json:"descriptors"`
	Stops       int       `json:"stops"`
	Warnings    int       `json:"warnings"`
	Findings    []Finding `json:"findings"`
}

// System is the machine to look at.
type System struct {
	Root fs.FS // the whole file system
	// Clock says whether the kernel's clock is kept right by somebody, and by
	// how much it may be off.
	Clock func() (synced bool, off time.Duration, err error)
	UID   int // of whoever asks
}

// plan is what the checks compare with.
type plan struct {
	conns, bytes, fds int64
}

// Examine holds the machine against so many connections to one pushd.
func Examine(s System, conns int64) Report {
	p := plan{conns: conns, bytes: conns * (ownBytes + kernelBytes), fds: conns + reserveFDs}
	l := newLook(s)
	r := Report{Conns: conns, MemoryBytes: p.bytes, Descriptors: p.fds}
	for _, check := range []func(*look, plan) []Finding{
		memory, cgroupMemory, descriptors, openFiles, processors,
		backlogs, socketMemory, conntrack, localPorts, ports,
		clock, swap, hugePages, overcommit, probes,
	} {
		r.Findings = append(r.Findings, check(l, p)...)
	}
	for _, f := range r.Findings {
		switch f.State {
		case Stop:
			r.Stops++
		case Warn:
			r.Warnings++
		}
	}
	return r
}

// one is the usual result of a check.
func one(f Finding) []Finding { return []Finding{f} }

// unknown says that a file which tells is not there.
func unknown(check, path string) []Finding {
	return one(Finding{Check: check, State: Unknown, Have: "–", Why: "/" + path + " cannot be read"})
}

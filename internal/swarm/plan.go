package swarm

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Memory per connection in bytes, for the plan. The kernel's figure is one
// socket, measured with a million pairs; ours is the record and its share of
// timers.
const (
	kernelBytes = 4750
	userBytes   = recordBytesMax + 32
	baseBytes   = 16 << 20
)

// Descriptors that are not client connections: per table for Go, the poller
// and what the program has open, and per worker for its poller and timer.
const (
	fdsReserved  = 64
	fdsPerWorker = 4
)

// Plan is how a swarm will hold its connections.
type Plan struct {
	Conns          int        `json:"connections"`
	Workers        int        `json:"workers"`
	PerWorker      int        `json:"per_worker"` // the last worker may have fewer
	Unshare        bool       `json:"unshare"`
	FirstSource    netip.Addr `json:"first_source"` // invalid: the kernel chooses
	Sources        int        `json:"sources"`
	PortsPerSource int        `json:"ports_per_source"`
	FDs            int        `json:"fds"`     // of the fullest descriptor table
	FDLimit        int        `json:"fds_max"` // of one table
	UserBytes      int64      `json:"user_bytes"`
	KernelBytes    int64      `json:"kernel_bytes"` // of this side's sockets
	RampSeconds    float64    `json:"ramp_seconds"`
}

// ErrNeedsUnshare is wrapped by a refusal that Options.Unshare would lift.
var ErrNeedsUnshare = errors.New("more connections than one descriptor table holds")

// MakePlan works out addresses, descriptors and memory, and refuses what this
// machine cannot hold, saying what to change.
func MakePlan(o Options) (Plan, error) {
	h, err := readHost()
	if err != nil {
		return Plan{}, err
	}
	return makePlan(o, h)
}

func makePlan(o Options, h host) (Plan, error) {
	o.defaults()
	if err := check(o); err != nil {
		return Plan{}, err
	}
	p := Plan{Conns: o.Conns, Unshare: o.Unshare, FDLimit: h.fdLimit}
	if o.FDsMax > 0 {
		p.FDLimit = min(p.FDLimit, o.FDsMax)
	}
	p.UserBytes = baseBytes + int64(o.Conns)*userBytes
	p.KernelBytes = int64(o.Conns) * kernelBytes
	p.RampSeconds = float64(o.Conns) / o.Rate
	for _, step := range []func(*Plan, Options, host) error{planFDs, planSources, planMachine} {
		if err := step(&p, o, h); err != nil {
			return Plan{}, err
		}
	}
	return p, nil
}

func check(o Options) error {
	switch {
	case !o.Target.IsValid() || !o.Target.Addr().Unmap().Is4():
		return fmt.Errorf("target %v: want an IPv4 address and port, for example 127.0.0.1:7400", o.Target)
	case o.Conns < 1 || o.Conns > ConnsMax:
		return fmt.Errorf("%d connections: want 1 to %d", o.Conns, ConnsMax)
	case o.Workers < 0 || o.Workers > o.Conns:
		return fmt.Errorf("%d workers for %d connections: want one connection or more each", o.Workers, o.Conns)
	}
	return nil
}

// planFDs divides the connections among workers.
func planFDs(p *Plan, o Options, h host) error {
	p.Workers = o.Workers
	if !o.Unshare {
		if p.Workers == 0 {
			p.Workers = max(1, min(4, o.Conns/50_000))
		}
		p.PerWorker = ceil(o.Conns, p.Workers)
		p.Workers = ceil(o.Conns, p.PerWorker)
		p.FDs = o.Conns + max(fdsReserved, h.fdsOpen) + p.Workers*fdsPerWorker
		if p.FDs > p.FDLimit {
			return fmt.Errorf("%s connections need %s file descriptors and one table holds %s: %w; "+
				"unshare the tables (--unshare), or raise the limit (ulimit -n %d)",
				commas(p.Conns), commas(p.FDs), commas(p.FDLimit), ErrNeedsUnshare, p.FDs)
		}
		return nil
	}
	// Each table begins as a copy of the shared one, with every worker's poller
	// in it, so more workers leave less room in each.
	overhead := func(workers int) int { return max(fdsReserved, h.fdsOpen) + workers*fdsPerWorker }
	if p.Workers == 0 {
		for p.Workers = 1; ; p.Workers++ {
			room := p.FDLimit - overhead(p.Workers)
			if room < 1 {
				return fmt.Errorf("%s connections do not fit tables of %s descriptors; "+
					"raise the limit (ulimit -n) or ask for fewer", commas(p.Conns), commas(p.FDLimit))
			}
			if p.Workers*room >= o.Conns {
				break
			}
		}
	}
	p.PerWorker = ceil(o.Conns, p.Workers)
	p.Workers = ceil(o.Conns, p.PerWorker)
	p.FDs = p.PerWorker + overhead(p.Workers)
	if p.FDs > p.FDLimit {
		return fmt.Errorf("%d workers would need %s descriptors each and a table holds %s; leave the number of workers to the plan",
			p.Workers, commas(p.FDs), commas(p.FDLimit))
	}
	return nil
}

// planSources finds how many source addresses the ports suffice for.
func planSources(p *Plan, o Options, h host) error {
	ports := h.portHigh - h.portLow + 1
	p.PortsPerSource = o.PortsPerSource
	if p.PortsPerSource <= 0 {
		// connect tries every second port of the range first; once that half is
		// used up, each connect walks through all of it (a millisecond and more).
		p.PortsPerSource = ports * 4 / 10
	}
	if p.PortsPerSource > ports {
		return fmt.Errorf("%s ports from one address, but net.ipv4.ip_local_port_range %d-%d has %s; ask for fewer or widen the range (sysctl)",
			commas(p.PortsPerSource), h.portLow, h.portHigh, commas(ports))
	}
	p.Sources = ceil(o.Conns, p.PortsPerSource)
	if !o.Source.IsValid() {
		if p.Sources > 1 {
			return fmt.Errorf("%s connections to %v need %d source addresses of %s ports; name the first one (Source) or ask for fewer",
				commas(p.Conns), o.Target, p.Sources, commas(p.PortsPerSource))
		}
		return nil
	}
	p.FirstSource = o.Source
	last := addTo(o.Source, p.Sources-1)
	if o.Source.IsLoopback() && (!last.IsLoopback() || last == netip.AddrFrom4([4]byte{127, 255, 255, 255})) {
		return fmt.Errorf("%d source addresses from %v leave 127.0.0.0/8; begin lower", p.Sources, o.Source)
	}
	return nil
}

// planMachine refuses what the machine as a whole cannot hold. On loopback
// both ends of every connection are here.
func planMachine(p *Plan, o Options, h host) error {
	ends := int64(1)
	if o.Target.Addr().IsLoopback() {
		ends = 2
	}
	if files := int64(h.fileNr) + ends*int64(o.Conns); h.fileMax > 0 && files > h.fileMax {
		return fmt.Errorf("%s connections need %s open files on this machine and fs.file-max is %s; raise it (sysctl fs.file-max=%d) or ask for fewer",
			commas(p.Conns), commas(files), commas(h.fileMax), files)
	}
	if need := p.UserBytes + ends*p.KernelBytes; need > h.freeBytes {
		return fmt.Errorf("%s connections need %s of memory (%s in the kernel) and %s are free; ask for at most %s",
			commas(p.Conns), Bytes(need), Bytes(ends*p.KernelBytes), Bytes(h.freeBytes),
			commas(max(0, (h.freeBytes-baseBytes)/(userBytes+ends*kernelBytes))))
	}
	return nil
}

// String is the plan in one line.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s connections from ", commas(p.Conns))
	switch {
	case !p.FirstSource.IsValid():
		b.WriteString("this host's address")
	case p.Sources == 1:
		fmt.Fprintf(&b, "%v", p.FirstSource)
	default:
		fmt.Fprintf(&b, "%v to %v with %s ports each", p.FirstSource, addTo(p.FirstSource, p.Sources-1), commas(p.PortsPerSource))
	}
	fmt.Fprintf(&b, ", %s fds of %s", commas(p.FDs), commas(p.FDLimit))
	if p.Unshare {
		fmt.Fprintf(&b, " in each of %d tables", p.Workers)
	}
	fmt.Fprintf(&b, ", %s, ramp %.3g s", Bytes(p.UserBytes+p.KernelBytes), p.RampSeconds)
	return b.String()
}

func ceil(a, b int) int { return (a + b - 1) / b }

// addTo returns the IPv4 address n after a.
func addTo(a netip.Addr, n int) netip.Addr {
	b := a.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	v += uint32(n)
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

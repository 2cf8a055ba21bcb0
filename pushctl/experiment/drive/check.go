package drive

import (
	"context"
	"fmt"
	"net/netip"
	"sort"
	"time"

	"pushfleet/internal/knob"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/swarm"
)

// emptyWait is how long the clients of a run before may take to be gone.
const emptyWait = 5 * time.Second

// check refuses a shadow that is production, or that has clients of its own.
func (d *Driver) check() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*emptyWait)
	defer cancel()
	s, err := d.empty(ctx)
	if err != nil {
		return err
	}
	if d.opts.Production != nil {
		if err := d.another(ctx, s); err != nil {
			return err
		}
	}
	if !s.Shadow {
		d.warnings = append(d.warnings, fmt.Sprintf("%s was not started with --shadow: it takes other clients too and obeys its fleet", s.Node))
	}
	d.between = bufferBytes(d.unsent(ctx), d.opts.Window)
	if d.target = d.opts.Clients; !d.target.IsValid() {
		d.target, err = clientAddr(s, d.opts.Shadow.Addr())
	}
	return err
}

// unsentDefault is what the shadow is taken to have in unsentKnob if it does
// not say.
const (
	unsentKnob    = "socket.unsent_bytes_max"
	unsentDefault = 32 << 10
)

// unsent asks how much the shadow's sockets take beyond what they may send.
func (d *Driver) unsent(ctx context.Context) int64 {
	k, err := d.opts.Shadow.Knob(ctx, unsentKnob)
	if err != nil {
		return unsentDefault
	}
	r := knob.NewRegistry() // knows how sizes are written
	v := r.Bytes(knob.Spec{Name: unsentKnob, Help: "As the shadow has it."}, unsentDefault, 0, 1<<30)
	_, _ = r.Set(unsentKnob, k.Value, "", "") // or it is not understood
	return v.Get()
}

// empty waits until the shadow has no clients.
func (d *Driver) empty(ctx context.Context) (*pushdapi.Stats, error) {
	deadline := time.Now().Add(emptyWait)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := d.opts.Shadow.Stats(ctx)
		if err != nil {
			return nil, fmt.Errorf("ask shadow %s: %w", d.opts.Shadow.Addr(), err)
		}
		n := s.Connections.Total
		if n == 0 {
			return s, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s has %d clients that are not of a tee; a shadow must have none: they would be given mirrored messages. Start another node with --shadow", s.Node, n)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// another refuses the node whose traffic it is.
func (d *Driver) another(ctx context.Context, shadow *pushdapi.Stats) error {
	theirs, err := d.opts.Production.Stats(ctx)
	if err != nil {
		return fmt.Errorf("ask production %s: %w", d.opts.Production.Addr(), err)
	}
	a, err := d.opts.Production.Version(ctx)
	if err != nil {
		return fmt.Errorf("ask production %s: %w", d.opts.Production.Addr(), err)
	}
	b, err := d.opts.Shadow.Version(ctx)
	if err != nil {
		return fmt.Errorf("ask shadow %s: %w", d.opts.Shadow.Addr(), err)
	}
	same := a.Node == b.Node && len(theirs.Clients) > 0 && fmt.Sprint(theirs.Clients) == fmt.Sprint(shadow.Clients)
	if a.Place != nil && b.Place != nil {
		// Nodes in one process are told apart by where their clients connect.
		same = same && *a.Place == *b.Place
	}
	if same || d.opts.Production.Addr() == d.opts.Shadow.Addr() {
		return fmt.Errorf("%s is both production and shadow; start another node with --shadow and name that", a.Node)
	}
	return nil
}

// clientAddr is the first address of IPv4 at which the shadow listens for
// clients. A wildcard is where its API is.
func clientAddr(s *pushdapi.Stats, api string) (netip.AddrPort, error) {
	for _, text := range s.Clients {
		a, err := netip.ParseAddrPort(text)
		if err != nil {
			continue
		}
		ip := a.Addr().Unmap()
		if ip.IsUnspecified() {
			ip = hostOf(api)
		}
		if ip.Is4() {
			return netip.AddrPortFrom(ip, a.Port()), nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("%s does not tell an IPv4 address at which it takes clients (%v); give one, for example 127.0.0.1:7400", s.Node, s.Clients)
}

// hostOf is the IP address in the address of an API; a socket is on this host.
func hostOf(api string) netip.Addr {
	network, target, _ := pushdapi.Target(api)
	if network == "unix" {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	a, err := netip.ParseAddrPort(target)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}

// connsDefault and connsLeast bound Options.ConnsMax if it is not given.
const (
	connsDefault = 100_000
	connsLeast   = 100
)

// makeSwarm prepares the connections: as many as asked for, or as this machine
// can hold.
func (d *Driver) makeSwarm() (err error) {
	o := swarm.Options{Target: d.target, Manual: true, Conns: d.opts.ConnsMax, Hooks: swarm.Hooks{
		Open: d.opened, Closed: d.closed, Failed: d.failed,
	}}
	if o.Conns <= 0 {
		o.Conns = connsLeast + sort.Search(connsDefault-connsLeast, func(n int) bool {
			o.Conns = connsLeast + n + 1
			_, err := swarm.MakePlan(o)
			return err != nil
		})
	}
	if d.swarm, err = swarm.New(o); err != nil {
		return fmt.Errorf("clients of the shadow: %w", err)
	}
	d.opts.ConnsMax = o.Conns
	d.slots = make([]slot, o.Conns)
	d.free = make([]int32, o.Conns)
	for i := range d.free {
		d.free[i] = int32(o.Conns - 1 - i)
	}
	return nil
}

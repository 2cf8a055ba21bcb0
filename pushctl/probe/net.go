package probe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"pushfleet/bpf"
)

// netInterval is how often sockets are looked at if nothing is said.
const netInterval = time.Second

// Net watches the TCP sockets of a process of any kind, in whatever network
// namespace they are.
func Net(ctx context.Context, t *Target, o NetOptions) (*NetReport, error) {
	objs, err := loadNet(o.Peers)
	if err != nil {
		return nil, err
	}
	defer objs.Close()
	w, err := watchNet(t, objs, &o)
	if err != nil {
		return nil, err
	}
	defer w.files.Close()
	every := o.Interval
	if every == 0 {
		every = netInterval
	}
	o.Options.Interval = every
	s := &session{t: t, o: o.Options, counters: objs.Counters, meter: newMeter(Cost{}, watched{prog: objs.Retransmitted}, watched{prog: objs.Reset})}
	defer s.meter.Close()
	if s.links, err = tracepoints(objs.Retransmitted, objs.Reset); err != nil {
		return nil, err
	}
	s.began = time.Now()
	if err := w.look(); err != nil { // where the counting begins
		return nil, errors.Join(err, s.links.Close())
	}
	end, err := s.run(ctx, func() error { return w.again(s, o.Look) })
	if err != nil {
		return nil, err
	}
	if end != EndExited {
		if err := w.look(); err != nil {
			return nil, err
		}
	}
	return w.report(s, end)
}

func loadNet(peers []netip.AddrPort) (*bpf.NetObjects, error) {
	if len(peers) > NetPeersMax {
		return nil, fmt.Errorf("%d peers to watch, at most %d: watch all of them with none named", len(peers), NetPeersMax)
	}
	spec, err := bpf.LoadNet()
	if err != nil {
		return nil, err
	}
	var v bpf.NetVariableSpecs
	if err := spec.Assign(&v); err != nil {
		return nil, err
	}
	if len(peers) > 0 {
		if err := v.OnlyPeers.Set(uint32(1)); err != nil {
			return nil, err
		}
	}
	objs := new(bpf.NetObjects)
	if err := spec.LoadAndAssign(objs, nil); err != nil {
		return nil, fmt.Errorf("load the probe: %w", needs(err))
	}
	for _, p := range peers {
		if err := objs.Wanted.Put(p.Port(), uint8(1)); err != nil {
			return nil, errors.Join(fmt.Errorf("peer %s: %w", p, err), objs.Close())
		}
	}
	return objs, nil
}

// again looks once more and tells of it, unless looks would then take more of a
// processor than they may: with very many sockets they become rarer.
func (w *netWatch) again(s *session, tell func(*NetReport)) error {
	if ran := time.Since(w.first); s.o.MaxCPU > 0 && w.files.cpu.Seconds() > s.o.MaxCPU*ran.Seconds() {
		return nil
	}
	if err := w.look(); err != nil || tell == nil {
		return err
	}
	r, err := w.report(s, "")
	if err == nil {
		tell(r)
	}
	return err
}

// report puts together what was seen so far.
func (w *netWatch) report(s *session, end End) (*NetReport, error) {
	r := &NetReport{Listeners: w.listeners(), Connections: w.worst(), Totals: w.totals}
	var err error
	if r.Run, err = s.about(end); err != nil {
		return nil, err
	}
	r.CostCPU += w.files.cpu.Seconds() / r.Seconds
	if r.Peers, err = w.peers(); err != nil {
		return nil, err
	}
	for _, p := range r.Peers {
		r.Totals.Retransmits += p.Retransmits
		r.Totals.Resets += p.Resets
	}
	for _, l := range r.Listeners {
		r.Totals.Drops += l.Drops
	}
	for i := range r.Connections {
		if r.Connections[i].WindowLimited >= WindowLimitedMin {
			r.Totals.Limited++
		}
	}
	r.Totals.NotListed = max(0, r.Totals.Unwell-len(r.Connections))
	r.Findings = judgeNet(r)
	return r, nil
}

package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"pushfleet/internal/hist"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/swarm"
)

// Floor measures a node against a bare server, turn by turn in the same
// minutes, so that the machine's moods meet both alike.
type Floor struct {
	Clients
	Rates  []float64     // open-loop phases, messages per second
	Size   int           // bytes of the data object
	Cast   int           // bytes of a broadcast's data object, 0: none
	Rounds int           // turns of each side; 4 or more give intervals
	Phase  time.Duration // length of one phase
	Report string

	// Server starts the bare server as a process of its own and returns it with
	// its standard output not yet read; RunFloor stops it.
	Server func() *exec.Cmd
}

// side is one of the two servers.
type side struct {
	*run
	name string
	sum  map[string]*turns
}

// turns are the values of one figure, one per round.
type turns struct {
	name, unit, better string
	over, under        []float64 // the figure of a round is over/under
	lat                *hist.Log
	quantile           float64
}

// RunFloor measures both sides and prints them side by side.
func RunFloor(ctx context.Context, out *Out, t *Target, f Floor) (*Report, error) {
	if t.PID == 0 {
		return nil, errors.New("floor needs the node's process and did not find it; run as the node's user or as root")
	}
	bare, stop, err := startFloor(ctx, f.Server())
	if err != nil {
		return nil, err
	}
	defer stop()
	node := &side{run: newRun(out, t, "floor"), name: "node", sum: map[string]*turns{}}
	if err := node.identify(ctx); err != nil {
		return nil, err
	}
	floor := &side{run: newRun(out, bare, "floor"), name: "floor", sum: map[string]*turns{}}
	for _, s := range []*side{node, floor} {
		c := f.Clients
		c.Unshare = "off" // a worker on a thread of its own would be later than others
		out.linef("%s at %v", s.name, s.target.Clients)
		if err := s.plan(c); err != nil {
			return nil, fmt.Errorf("both sides are held at once: %w", err)
		}
		defer s.swarm.Close()
		if err := s.connect(ctx); err != nil {
			return nil, err
		}
	}
	err = f.turns(ctx, node, floor)
	if err != nil && (ctx.Err() == nil || len(node.sum) == 0) {
		return nil, err
	}
	r := node.report
	if err != nil {
		r.Ended = "interrupted"
	}
	r.Seconds = out.Now().Sub(node.begin).Seconds()
	node.finish()
	r.check(*r.Clients, nil, 0, false)
	r.Title = fmt.Sprintf("node against a bare server, %s", plural(int64(f.Conns), "connection"))
	r.floorTable(out, node, floor)
	out.verdict(r)
	return r, node.write(f.Report)
}

// startFloor runs the bare server and waits for its address.
func startFloor(ctx context.Context, cmd *exec.Cmd) (*Target, func(), error) {
	// It must not outlive us, and an interrupt from the terminal is ours to
	// handle.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("start the bare server: %w", err)
	}
	stop := func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	line, err := bufio.NewReader(io.LimitReader(pipe, 256)).ReadString('\n')
	addr, aerr := netip.ParseAddrPort(strings.TrimSpace(line))
	if err = cmpErr(err, aerr); err != nil {
		stop()
		return nil, nil, fmt.Errorf("the bare server did not start: %w", err)
	}
	client := pushdapi.New(addr.String(), pushdapi.Options{Timeout: castTimeout})
	return &Target{Clients: addr, Node: client, PID: cmd.Process.Pid}, func() { client.Close(); stop() }, ctx.Err()
}

func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// turns alternates the sides; each round begins with the other one.
func (f *Floor) turns(ctx context.Context, node, floor *side) error {
	for round := range f.Rounds {
		order := []*side{node, floor}
		if round%2 == 1 {
			order = []*side{floor, node}
		}
		for _, rate := range append(f.Rates[:len(f.Rates):len(f.Rates)], 0) {
			for _, s := range order {
				if err := s.phaseAt(ctx, f, rate); err != nil {
					return fmt.Errorf("%s at %s: %w", s.name, rateText(rate), err)
				}
			}
		}
		for _, s := range order {
			if err := s.castPhase(ctx, f); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		node.out.linef("%s  round %d of %d done", runSeconds(node.out.Now().Sub(node.begin)), round+1, f.Rounds)
	}
	return nil
}

// warm is how long a phase runs before it is measured.
const warm = 300 * time.Millisecond

// phaseAt publishes for one phase; rate 0 is as fast as possible.
func (s *side) phaseAt(ctx context.Context, f *Floor, rate float64) error {
	p, err := NewPublisher(ctx, Publish{Node: s.target.Node.Addr(), Rate: rate, Users: f.Conns, Size: f.Size,
		Arrivals: "poisson", Received: s.swarm.Received, Seed: 1})
	if err != nil {
		return err
	}
	defer p.Close()
	pctx, stop := context.WithCancel(ctx)
	defer stop()
	result := make(chan error, 1)
	go func() { result <- p.Run(pctx) }() // ended by stop
	err = pause(ctx, warm)
	begin := s.take()
	sent := p.Snapshot()
	if err == nil {
		err = pause(ctx, f.Phase)
	}
	iv := begin.until(s.take())
	done := p.Snapshot()
	stop()
	if perr := <-result; err == nil {
		err = perr
	}
	if err != nil {
		return err
	}
	n := float64(iv.received)
	if rate == 0 {
		s.ratio("full_rate_per_cpu_second", "1/s", Higher, n, iv.cpu)
		s.ratio("full_rate", "1/s", Higher, n, iv.seconds)
		return nil
	}
	done.Lag.Since(&sent.Lag)
	if lag := quantiles(&done.Lag); lag.P99 > lagMax.Seconds() {
		s.report.note("generator lag p99 %s in a phase of the %s at %s", span(lag.P99), s.name, rateText(rate))
	}
	at := "at_" + strings.ReplaceAll(commas(rate), ",", "") + "_"
	s.ratio(at+"cpu_per_10k", "s", Lower, iv.cpu*1e4, n)
	s.ratio(at+"switches_per_message", "1", Lower, iv.switches, n)
	for name, q := range map[string]float64{"p50": 0.5, "p99": 0.99, "p999": 0.999} {
		s.quantile(at+name, q, &iv.latency.Kind[0])
	}
	return nil
}

// castPhase measures three broadcasts.
func (s *side) castPhase(ctx context.Context, f *Floor) error {
	if f.Cast == 0 {
		return nil
	}
	clock, body, sum := swarm.NewClock(), newPayload(f.Cast, castKind, nil), new(cast)
	for range 3 {
		if err := pause(ctx, castPause); err != nil {
			return err
		}
		if err := s.castOnce(ctx, clock, body, sum); err != nil {
			return err
		}
	}
	s.ratio("broadcast_cpu_per_million", "s", Lower, sum.cpu*1e6, float64(sum.deliveries))
	s.ratio("broadcast_last_receipt", "s", Lower, median(sum.last), 1)
	if sum.missing > 0 && s.name == "node" {
		s.report.wrong("%s of broadcasts did not arrive", plural(sum.missing, "delivery"))
	}
	return nil
}

func (s *side) turnsOf(name, unit, better string) *turns {
	t := s.sum[name]
	if t == nil {
		t = &turns{name: name, unit: unit, better: better}
		s.sum[name] = t
	}
	return t
}

func (s *side) ratio(name, unit, better string, over, under float64) {
	t := s.turnsOf(name, unit, better)
	t.over, t.under = append(t.over, over), append(t.under, under)
}

func (s *side) quantile(name string, q float64, h *hist.Log) {
	t := s.turnsOf(name, "s", Lower)
	if t.lat == nil {
		t.lat, t.quantile = new(hist.Log), q
	}
	t.lat.Merge(h)
	t.over, t.under = append(t.over, float64(h.Quantile(q))/1e9), append(t.under, 1)
}

// value is the figure over all rounds.
func (t *turns) value() float64 {
	if t.lat != nil {
		return float64(t.lat.Quantile(t.quantile)) / 1e9
	}
	return mean(t.over) / mean(t.under)
}

// rounds are the figure of each round.
func (t *turns) rounds() []float64 {
	v := make([]float64, len(t.over))
	for i := range v {
		v[i] = t.over[i] / t.under[i]
	}
	return v
}

// floorTable prints both columns and files the figures.
func (r *Report) floorTable(out *Out, node, floor *side) {
	out.linef("%-30s %12s %12s %7s  %s", "", "node", "floor", "ratio", "95 % by round")
	for _, name := range sortedKeys(node.sum) {
		n, fl := node.sum[name], floor.sum[name]
		if fl == nil {
			continue
		}
		a, b := n.value(), fl.value()
		r.figure(name, a, n.unit, n.better)
		r.figure("floor_"+name, b, n.unit, n.better)
		ratio := math.NaN()
		if b > 0 {
			ratio = a / b
			r.figure("ratio_"+name, ratio, "1", n.better)
		}
		interval := ""
		if low, high, ok := pairedInterval(fl.rounds(), n.rounds()); ok {
			interval = fmt.Sprintf("%.2f…%.2f", low, high)
		}
		out.linef("%-30s %12s %12s %6.2f×  %s", name, value(a, n.unit), value(b, n.unit), ratio, interval)
	}
}

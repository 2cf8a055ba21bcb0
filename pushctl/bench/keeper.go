package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pushfleet/internal/keeperapi"
)

// Keeper measures how fast a change of a knob reaches many nodes.
type Keeper struct {
	Client   *keeperapi.Client // of keepers on this machine
	Etcd     []string          // client URLs of an etcd cluster that takes turns; none = without
	Watchers []int             // crowds, one after another
	Sets     int               // one after another, for each crowd
	Writers  int               // at the same time, for commits per second
	For      time.Duration     // how long they write; 0 = not at all
}

// KeeperReport is what was measured. Times are in seconds.
type KeeperReport struct {
	Machine Machine     `json:"machine"`
	Rows    []KeeperRow `json:"rows"`
	Writes  []WriteRow  `json:"writes,omitempty"`
}

// KeeperRow is one system with one crowd.
type KeeperRow struct {
	System   string `json:"system"` // keeper, etcd
	Watchers int    `json:"watchers"`
	Sets     int    `json:"sets"`
	// Last is from before the request until the last watcher has the value,
	// Answered until the request is answered; a keeper answers once all have
	// confirmed that they applied it, etcd once it is committed.
	Last     Spread `json:"last_seconds"`
	Answered Spread `json:"answered_seconds"`
	// CPU of the servers on this machine and of the crowd, per set.
	ServerCPU float64 `json:"server_cpu_seconds,omitempty"`
	CrowdCPU  float64 `json:"crowd_cpu_seconds"`
}

// Spread is a distribution of few values.
type Spread struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// WriteRow is one system under writers that do not wait for nodes.
type WriteRow struct {
	System  string  `json:"system"`
	Writers int     `json:"writers"`
	Seconds float64 `json:"seconds"`
	Commits int     `json:"commits"`
	Failed  int     `json:"failed"`
	Latency Spread  `json:"latency_seconds"`
	// Gap is the longest time between two answers: what a change of the leader
	// costs when one happens meanwhile.
	Gap float64 `json:"gap_seconds"`
}

// crowd is a system with watchers.
type crowd interface {
	name() string
	// grow makes the watchers so many.
	grow(ctx context.Context, n int) error
	// set writes a value; wait says whether to wait for the nodes.
	set(ctx context.Context, value int, wait bool) error
	// expect says whom to tell of values that watchers see.
	expect(*round)
	cpu() float64 // seconds of the servers, 0 if not known
	close()
}

// round is one value on its way to all watchers.
type round struct {
	value string
	left  atomic.Int64
	done  chan time.Time
}

func newRound(value, watchers int) *round {
	r := &round{value: strconv.Itoa(value), done: make(chan time.Time, 1)}
	r.left.Store(int64(watchers))
	return r
}

func (r *round) saw(value string) {
	if r != nil && r.value == value && r.left.Add(-1) == 0 {
		r.done <- time.Now()
	}
}

// RunKeeper measures all crowds; systems take turns set by set.
func RunKeeper(ctx context.Context, out *Out, k Keeper) (*KeeperReport, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	systems := []crowd{newKeeperCrowd(k)}
	if len(k.Etcd) > 0 {
		systems = append(systems, newEtcdCrowd(k.Etcd))
	}
	defer func() {
		for _, s := range systems {
			s.close()
		}
	}()
	r := &KeeperReport{Machine: thisMachine()}
	for _, n := range k.Watchers {
		rows, err := k.crowds(ctx, out, systems, n)
		if err != nil {
			return r, err
		}
		r.Rows = append(r.Rows, rows...)
	}
	if k.For > 0 {
		for _, s := range systems {
			row, err := k.write(ctx, s)
			if err != nil {
				return r, err
			}
			r.Writes = append(r.Writes, row)
			out.linef("%s  %s: %s commits/s, %d failed, p50 %s p99 %s, longest gap %s", row.System, plural(int64(row.Writers), "writer"),
				commas(float64(row.Commits)/row.Seconds), row.Failed, span(row.Latency.P50), span(row.Latency.P99), span(row.Gap))
		}
	}
	return r, nil
}

func (k *Keeper) check() error {
	for _, a := range append(k.Client.Addresses(), k.Etcd...) {
		network, target, _ := keeperapi.Target(a)
		if network == "unix" {
			continue
		}
		host, _, _ := net.SplitHostPort(target)
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			return fmt.Errorf("%s is not this machine: bench sends load over loopback only; run it where the keepers run", a)
		}
	}
	return nil
}

// crowds measures one number of watchers.
func (k *Keeper) crowds(ctx context.Context, out *Out, systems []crowd, n int) ([]KeeperRow, error) {
	rows := make([]KeeperRow, len(systems))
	last, answered := make([][]float64, len(systems)), make([][]float64, len(systems))
	for i, s := range systems {
		if err := s.grow(ctx, n); err != nil {
			return nil, fmt.Errorf("%s with %d watchers: %w", s.name(), n, err)
		}
		rows[i] = KeeperRow{System: s.name(), Watchers: n, Sets: k.Sets}
	}
	for value := range k.Sets {
		for i, s := range systems {
			servers, crowd := s.cpu(), cpuOf([]int{os.Getpid()})
			l, a, err := once(ctx, s, value, n)
			if err != nil {
				return nil, fmt.Errorf("%s with %d watchers: %w", s.name(), n, err)
			}
			last[i], answered[i] = append(last[i], l), append(answered[i], a)
			rows[i].ServerCPU += (s.cpu() - servers) / float64(k.Sets)
			rows[i].CrowdCPU += (cpuOf([]int{os.Getpid()}) - crowd) / float64(k.Sets)
		}
	}
	for i := range rows {
		rows[i].Last, rows[i].Answered = spreadOf(last[i]), spreadOf(answered[i])
		out.linef("%-7s %s: last has it p50 %s p99 %s, answered p50 %s p99 %s", rows[i].System, plural(int64(n), "watcher"),
			span(rows[i].Last.P50), span(rows[i].Last.P99), span(rows[i].Answered.P50), span(rows[i].Answered.P99))
	}
	return rows, nil
}

// once sets a value and waits until all have it.
func once(ctx context.Context, s crowd, value, n int) (last, answered float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r := newRound(value, n)
	s.expect(r)
	begin := time.Now()
	if err := s.set(ctx, value, true); err != nil {
		return 0, 0, err
	}
	answered = time.Since(begin).Seconds()
	select {
	case at := <-r.done:
		return at.Sub(begin).Seconds(), answered, nil
	case <-ctx.Done():
		return 0, 0, fmt.Errorf("%d watchers never saw the value", r.left.Load())
	}
}

// write counts commits of writers that each wait for their own.
func (k *Keeper) write(ctx context.Context, s crowd) (WriteRow, error) {
	row := WriteRow{System: s.name(), Writers: k.Writers}
	s.expect(nil)
	var mu sync.Mutex
	var all []float64
	begin := time.Now()
	at := begin
	var next atomic.Int64
	var work sync.WaitGroup
	for range k.Writers {
		work.Go(func() {
			for time.Since(begin) < k.For && ctx.Err() == nil {
				from := time.Now()
				err := s.set(ctx, int(next.Add(1)), false)
				now := time.Now()
				mu.Lock()
				if err != nil {
					row.Failed++
				} else {
					row.Commits++
					all = append(all, now.Sub(from).Seconds())
					row.Gap = max(row.Gap, now.Sub(at).Seconds())
					at = now
				}
				mu.Unlock()
			}
		})
	}
	work.Wait()
	row.Seconds, row.Latency = time.Since(begin).Seconds(), spreadOf(all)
	return row, ctx.Err()
}

func spreadOf(all []float64) Spread {
	if len(all) == 0 {
		return Spread{}
	}
	slices.Sort(all)
	at := func(q float64) float64 { return all[min(int(q*float64(len(all))), len(all)-1)] }
	return Spread{P50: at(0.5), P99: at(0.99), Max: all[len(all)-1]}
}

// keeperCrowd are nodes that declare one knob of their own, in a group of their
// own: real nodes of the fleet notice nothing.
type keeperCrowd struct {
	client *keeperapi.Client
	group  string
	round  atomic.Pointer[round]
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	ready  chan struct{} // one per node that holds what it should
	size   int
	pids   []int
}

const benchKnob = "bench.value"

func newKeeperCrowd(k Keeper) *keeperCrowd {
	c := &keeperCrowd{client: k.Client, group: strings.ToLower(rand.Text()[:8]), ready: make(chan struct{}, 1<<20)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	for _, a := range k.Client.Addresses() {
		network, target, _ := keeperapi.Target(a)
		if pid := findPID(network, target); pid != 0 && !slices.Contains(c.pids, pid) {
			c.pids = append(c.pids, pid)
		}
	}
	return c
}

func (c *keeperCrowd) name() string           { return "keeper" }
func (c *keeperCrowd) expect(r *round)        { c.round.Store(r) }
func (c *keeperCrowd) cpu() (s float64)       { return cpuOf(c.pids) }
func (c *keeperCrowd) scope() keeperapi.Scope { return keeperapi.Scope("bench=" + c.group) }

func (c *keeperCrowd) grow(ctx context.Context, n int) error {
	if n < c.size {
		return fmt.Errorf("crowds only grow: give --watchers in rising order")
	}
	for ; c.size < n; c.size++ {
		m := &mob{crowd: c, id: fmt.Sprintf("bench-%s-%d", c.group, c.size)}
		c.work.Go(func() { // ended by close
			_ = c.client.NewSession(m, slog.New(slog.DiscardHandler)).Run(c.ctx)
		})
		if c.size%100 == 99 { // a thousand that dial at once measure the accept queue
			if err := c.await(ctx, 100); err != nil {
				return err
			}
		}
	}
	return c.await(ctx, 0)
}

// await waits until at most so many nodes are not ready.
func (c *keeperCrowd) await(ctx context.Context, most int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for c.size-len(c.ready) > most {
		select {
		case <-ctx.Done():
			return fmt.Errorf("only %d of %d nodes were let in", len(c.ready), c.size)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

func (c *keeperCrowd) set(ctx context.Context, value int, wait bool) error {
	r := keeperapi.TxnRequest{Txn: keeperapi.Txn{Changes: []keeperapi.Assign{{Knob: benchKnob, Scope: c.scope(), Value: strconv.Itoa(value)}}}}
	if wait {
		r.WaitMS = 20_000
	}
	a, err := c.client.Txn(ctx, r)
	if err == nil && wait && a.Applied != nil && a.Applied.Applied != a.Applied.Of {
		return fmt.Errorf("%d of %d nodes applied it", a.Applied.Applied, a.Applied.Of)
	}
	return err
}

// close takes the value and the nodes away again.
func (c *keeperCrowd) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, _ = c.client.Txn(ctx, keeperapi.TxnRequest{Txn: keeperapi.Txn{Changes: []keeperapi.Assign{{Knob: benchKnob, Scope: c.scope(), Unset: true}}}})
	c.cancel()
	c.work.Wait()
}

// mob is one node of the crowd.
type mob struct {
	crowd    *keeperCrowd
	id       string
	position uint64
	revision uint64
	told     bool
}

func (m *mob) Hello(definition bool) keeperapi.Hello {
	schema := keeperapi.Schema{{Name: benchKnob, Type: "int", Default: "-1", Min: "-1", Max: "1000000000", Acts: "live", Help: "Of a benchmark."}}
	h := keeperapi.Hello{From: m.position, Join: keeperapi.Join{ID: m.id, Epoch: m.crowd.group, Version: "bench",
		Labels: map[string]string{"bench": m.crowd.group}, Schema: schema.Hash(), Knobs: keeperapi.Ack{Applied: m.revision}}}
	if definition {
		h.Definition = schema
	}
	return h
}

func (m *mob) Update(u keeperapi.Update) keeperapi.Ack {
	m.position, m.revision = u.Position, u.Revision
	if h := u.Knobs[benchKnob]; h != nil {
		m.crowd.round.Load().saw(h.Value)
	}
	if !m.told {
		m.told = true
		m.crowd.ready <- struct{}{}
	}
	return keeperapi.Ack{Applied: u.Revision}
}

func (m *mob) Check(keeperapi.Check) keeperapi.Checked { return keeperapi.Checked{} }
func (m *mob) Beat() keeperapi.Beat                    { return keeperapi.Beat{Health: "bench"} }

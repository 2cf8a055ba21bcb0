package tap

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"pushfleet/internal/teewire"
)

// run is one tee.
type run struct {
	number uint64 // among those of this process: what loops compare
	o      Options
	at     int64 // the clock when it began
	since  time.Time
	key    *key
	pool   pool
	torn   userList
	also   userSet
	steps  atomic.Uint64 // users below are in the sample
	over   atomic.Bool
	stop   chan struct{} // closed when it is over

	cpu     atomic.Int64  // ns that the flusher has computed
	percent atomic.Int64  // of one core over the last second, in thousandths
	bytes   atomic.Uint64 // handed over
	taken   atomic.Int64  // bytes of records in the second under way

	// With Tap.mu.
	limit float64      // percent, that budgets leave
	why   teewire.Drop // the sample became smaller
	end   teewire.End
	own   books // heads, counts and ends
}

func (r *run) String() string {
	return fmt.Sprintf("tee %s to %s runs since %s", r.o.ID, r.o.To, r.since.Format(time.RFC3339))
}

func (r *run) sample() float64 { return float64(r.steps.Load()) * 100 / steps }

// flushEvery bounds how long a record waits while chunks fill slowly. More
// often costs processors that sleep. Readers wait for 200 ms to put the parts of
// a node in order.
const flushEvery = 100 * time.Millisecond

// joinMax is the size up to which batches of a flush leave in one write: each
// write is system calls and wakes the reader.
const joinMax = 64 << 10

// Run serves one tee until ctx is done, the sink fails, it is stopped, or the
// knob or a budget ends it; the sink is told of all ends but its own. A
// *pushdapi.Error says that nothing was written: another tee runs, or none is
// allowed. Other errors are the sink's.
func (t *Tap) Run(ctx context.Context, o Options, w Sink) error {
	r, err := t.start(o)
	if err != nil {
		return err
	}
	t.Log.Info("tee begins", "id", o.ID, "to", o.To, "sample", r.sample(), "redact", o.Redact.String())
	f := flusher{t: t, r: r, w: w, second: r.at}
	err = f.serve(ctx)
	t.finish(r)
	return err
}

// finish makes room for the next tee.
func (t *Tap) finish(r *run) {
	for _, s := range t.shards() {
		s.drop()
	}
	r.pool.empty()
	r.also.empty()
	t.mu.Lock()
	s := t.status()
	addUp(&t.ended, s)
	t.busy = false
	t.mu.Unlock()
	t.Log.Info("tee ended", "id", r.o.ID, "to", r.o.To, "reason", s.EndReason, "detail", s.EndDetail, "bytes", s.Bytes,
		"connections_torn", s.Torn, "dropped", s.DroppedBy, "cpu_seconds", s.CPUSeconds)
}

// drop forgets all but the books.
func (s *Shard) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run, s.cur, s.full, s.torn, s.head, s.users, s.names, s.all = nil, nil, nil, nil, 0, nil, nil, teewire.DropNone
	s.scratch, s.blanks, s.hide, s.joining = nil, blanks{}, nil, false
}

// flusher takes what shards have filled and writes it. It is one goroutine with
// a thread of its own, whose processor time can be asked for.
type flusher struct {
	t    *Tap
	r    *run
	w    Sink
	own  teewire.Batch // heads, counts and ends
	list []*chunk
	join []byte // small batches that leave together

	second  int64 // the clock when the budgets' second began
	cpu     int64 // of all of the tee, then
	strikes [teewire.DropLimit]int
	told    uint64 // connections torn, when that was logged last
}

func (f *flusher) serve(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := f.t.threadCPU()
	spent := func() { f.r.cpu.Store(f.t.threadCPU() - start) }
	defer spent()
	if err := f.begin(); err != nil {
		return f.failed(err)
	}
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-f.r.stop:
			return f.last()
		case <-ctx.Done():
			f.t.stop(f.r, EndGone, "its reader has left")
			return f.last()
		case <-f.t.wake:
			err = f.flush(false)
		case <-tick.C:
			if err = f.flush(true); err == nil {
				spent()
				err = f.eachSecond()
			}
		}
		if err != nil {
			return f.failed(err)
		}
	}
}

func (f *flusher) begin() error {
	r := f.r
	f.own.Head(&teewire.Head{Version: teewire.Version, Node: f.t.Node, Build: f.t.Build, Wall: r.since, Mono: r.at,
		Sample: r.sample(), Redact: r.o.Redact})
	f.count(teewire.KindHead)
	if err := f.w.Write([]byte(teewire.Magic)); err != nil {
		return err
	}
	return f.write(&f.own)
}

func (f *flusher) count(k teewire.Kind) {
	f.t.mu.Lock()
	f.r.own.both(k)
	f.t.mu.Unlock()
}

// write seals a batch, hands it over and empties it.
func (f *flusher) write(b *teewire.Batch) error {
	whole := b.Seal()
	if whole == nil {
		return nil
	}
	err := f.put(whole)
	b.Reset()
	return err
}

func (f *flusher) put(whole []byte) error {
	err := f.w.Write(whole)
	if err == nil {
		f.r.bytes.Add(uint64(len(whole)))
	}
	return err
}

// flush hands over the full chunks, and with partial those that are being
// filled.
func (f *flusher) flush(partial bool) error {
	f.collect(partial)
	var err error
	for _, c := range f.list {
		f.r.taken.Add(int64(c.Len()))
		if err == nil {
			err = f.joined(&c.Batch)
		}
		f.r.pool.give(c)
	}
	clear(f.list)
	if err == nil {
		err = f.unjoin()
	}
	return err
}

// joined hands a batch over, a small one together with its neighbours.
func (f *flusher) joined(b *teewire.Batch) error {
	if len(f.join)+b.Len() > joinMax {
		if err := f.unjoin(); err != nil {
			return err
		}
	}
	if b.Len() > joinMax {
		return f.write(b)
	}
	f.join = append(f.join, b.Seal()...)
	return nil
}

// unjoin hands over what has been joined.
func (f *flusher) unjoin() error {
	whole := f.join
	f.join = f.join[:0]
	if len(whole) == 0 {
		return nil
	}
	return f.put(whole)
}

func (f *flusher) collect(partial bool) {
	f.list = f.list[:0]
	for _, s := range f.t.loops {
		f.list = s.take(f.list, partial)
	}
	for _, s := range f.t.pubs {
		f.list = s.take(f.list, partial)
	}
}

// last hands over what was mirrored until the end, the books and why it ended.
// What fails now is the reader's leaving.
func (f *flusher) last() error {
	for {
		if err := f.flush(true); err != nil {
			return nil
		}
		if len(f.list) == 0 {
			break
		}
	}
	f.t.mu.Lock()
	end := f.r.end
	f.r.own.both(teewire.KindEnd)
	f.t.mu.Unlock()
	f.countNow()
	end.At = f.t.Clock() // the books are before it
	f.own.End(&end)
	_ = f.write(&f.own)
	return nil
}

// failed ends the tee because of its sink.
func (f *flusher) failed(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		f.t.stop(f.r, EndStalled, fmt.Sprintf("its reader took nothing for %s, knob tap.stall_timeout", f.t.Knobs.Stall.Get()))
	} else {
		f.t.stop(f.r, EndGone, "its reader has left: "+err.Error())
	}
	return fmt.Errorf("tee to %s: %w", f.r.o.To, err)
}

// countNow appends the books of now.
func (f *flusher) countNow() sum {
	f.count(teewire.KindCount)
	all := f.t.sum()
	f.t.mu.Lock()
	all.add(&f.r.own)
	f.t.mu.Unlock()
	f.own.Count(&teewire.Count{At: f.t.Clock(), Seen: all.seen, Sent: all.sent, Dropped: all.dropped,
		Sample: f.r.sample(), Torn: all.torn, Bytes: f.r.bytes.Load()})
	return all
}

// eachSecond tells the books and holds the tee to its budgets.
func (f *flusher) eachSecond() error {
	now := f.t.Clock()
	took := now - f.second
	if took < int64(time.Second) {
		return nil
	}
	all := f.countNow()
	if err := f.write(&f.own); err != nil {
		return err
	}
	cpu := all.cpu + f.r.cpu.Load()
	percent := float64(cpu-f.cpu) / float64(took) * 100
	rate := float64(f.r.taken.Swap(0)) / (float64(took) / 1e9)
	f.second, f.cpu = now, cpu
	f.r.percent.Store(int64(math.Round(percent * 1000)))
	f.judge(teewire.DropCPU, percent > f.t.Knobs.CPU.Get(), fmt.Sprintf("it cost %.1f %% of a core, knob tap.cpu_percent_max", percent))
	f.judge(teewire.DropRate, rate > float64(f.t.Knobs.Rate.Get()), fmt.Sprintf("it mirrored %.0f bytes/s, knob tap.bytes_rate_max", rate))
	if all.torn > f.told {
		f.t.Log.Warn("tee lets connections go", "to", f.r.o.To, "torn", all.torn, "now", all.torn-f.told)
		f.told = all.torn
	}
	return nil
}

// judge halves the sample when a budget was exceeded twice in a row, and ends a
// tee that cannot be made smaller. Further seconds are those after it.
func (f *flusher) judge(why teewire.Drop, exceeded bool, detail string) {
	if !exceeded {
		f.strikes[why] = 0
		return
	}
	if f.strikes[why]++; f.strikes[why] < 2 {
		return
	}
	f.strikes = [teewire.DropLimit]int{}
	n := f.r.steps.Load() / 2
	if n == 0 {
		f.t.stop(f.r, why.String(), detail+", with the smallest sample")
		return
	}
	half := float64(n) * 100 / steps
	f.t.Log.Warn("tee makes its sample smaller", "to", f.r.o.To, "reason", why.String(), "detail", detail, "sample", half)
	f.t.resize(f.r, half, why)
}

// threadCPU is the processor time of this thread.
func threadCPU() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) != nil {
		return 0
	}
	return ts.Nano()
}

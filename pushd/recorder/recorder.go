// Package recorder keeps a second of everything: what the kernel, the Go
// runtime and the node say of themselves, once a second, in files that survive
// the process, and every 100 ms around a moment when something was slow. Room
// of ARCHITECTURE.md: imports internal/push, internal/pushdapi, internal/knob,
// internal/hist, internal/record.
package recorder

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"pushfleet/internal/knob"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/record"
)

// The rings, by the names of their files.
const (
	RingSecond = "1s"
	RingLong   = "10s"
	RingBurst  = "burst"
)

// Times of the recorder.
const (
	lookEvery  = 100 * time.Millisecond
	second     = time.Second
	askTimeout = 300 * time.Millisecond // a loop may take, once a second
	askHurried = 50 * time.Millisecond  // and in a burst
	retryEvery = 10 * time.Second       // to make a folder that could not be made
)

// longSeconds is how many records of a second one of the long ring stands for.
const longSeconds = 10

// Config is what a Recorder needs.
type Config struct {
	Dir           string // of the files; made when it is not there
	Node, Version string
	Knobs         Knobs
	Registry      *knob.Registry // that declared all knobs of the node
	Log           *slog.Logger
	// Ask fills f with what the node says; loops that do not answer before ctx
	// is done are counted as silent.
	Ask func(ctx context.Context, f *Figures)
	// Backlog and Conns are asked every 100 ms and must not wait.
	Backlog, Conns func() int64
	// Show are documents for a bundle, by the name of their file.
	Show map[string]func(context.Context) (any, error)

	proc, blocks string // in tests another /proc and /sys/block
	busy         int64  // in tests what counts as busy, µs of CPU a second
}

// busyFrom is how much CPU the node must have used in a second to count as
// busy, in µs: 10 % of a core. To wake an idle process each 100 ms costs more
// than all that is done once a second, and shows that nothing happened.
const busyFrom = 100_000

// Recorder records from Start to Close, on one goroutine.
type Recorder struct {
	c    Config
	stop chan struct{}
	once sync.Once
	done sync.WaitGroup

	fields []record.Field // static after New
	dir    string
	shared shared

	// Owned by the goroutine.
	sampler *sampler
	lock    *os.File // held while the files are open
	retry   time.Time
	second  ring
	long    ring
	burst   ring
	thin    record.Thin
	period  int64 // of the long ring: seconds / longSeconds
	thinned int
	now     record.Record
	earlier record.Record // At and Mono of the record before
	cpu     int64         // µs of the process as of the record before
	busy    bool          // the process used much CPU since then
	unix    int64         // second of the last record
	before  *before
	trigger *trigger
	changes *changes
	until   time.Time // end of the burst; zero for none
	bundle  *bundle
	on      bool
	said    map[string]string // gaps that were told, by file
	paused  pause
}

// ring is one resolution with its schema.
type ring struct {
	schema *record.Schema
	files  *record.Ring
}

// New prepares a recorder. Nothing is opened yet.
func New(c Config) *Recorder {
	if c.proc == "" {
		c.proc, c.blocks, c.busy = "/proc", "/sys/block", busyFrom
	}
	r := &Recorder{c: c, stop: make(chan struct{}), dir: c.Dir, before: newBefore(), said: map[string]string{}}
	r.sampler = newSampler(c.blocks, c.Ask)
	r.fields = r.sampler.fields
	run := strconv.FormatInt(time.Now().UnixNano(), 36)
	schema := func(every time.Duration) *record.Schema {
		return &record.Schema{Format: record.Format, Node: c.Node, Version: c.Version, Run: run, EveryMS: every.Milliseconds(), Fields: r.fields}
	}
	r.second.schema, r.long.schema, r.burst.schema = schema(second), schema(longSeconds*second), schema(lookEvery)
	r.trigger = newTrigger(&r.c.Knobs, r.second.schema)
	return r
}

// Start begins to record. What does not work is told by State and the log; a
// node serves without its recorder. Knobs that change from now on are marked.
func (r *Recorder) Start() {
	r.changes = newChanges(r.c.Registry)
	r.done.Go(r.run) // ended by Close
}

// Close ends recording.
func (r *Recorder) Close() {
	r.once.Do(func() { close(r.stop) })
	r.done.Wait()
}

func (r *Recorder) run() {
	defer r.end()
	r.sampler.open(r.c.proc)
	timer := time.NewTimer(r.due(time.Now()))
	defer timer.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-timer.C:
		}
		r.tick(time.Now())
		timer.Reset(r.due(time.Now()))
	}
}

// due is the time until the next record or look. They begin with the seconds
// of the clock, so that the records of several nodes fall together.
func (r *Recorder) due(now time.Time) time.Duration {
	every := second
	if r.on && (r.looking() || r.bursting()) {
		every = lookEvery
	}
	return now.Truncate(every).Add(every).Sub(now)
}

// looking tells whether the time before a burst that may come is held in memory.
func (r *Recorder) looking() bool { return r.busy && r.c.Knobs.Before.Get() > 0 }

func (r *Recorder) bursting() bool { return !r.until.IsZero() }

// tick does what is due.
func (r *Recorder) tick(now time.Time) {
	if !r.ready(now) {
		return
	}
	switch {
	case now.Unix() != r.unix:
		r.unix = now.Unix()
		r.takeSecond(now)
		r.publish()
	case r.bursting():
		r.takeBurst(now)
	case r.looking():
		r.sampler.look(now, r.c.Backlog(), r.c.Conns(), r.before.next())
	}
	if r.bursting() && !now.Before(r.until) {
		r.endBurst(now)
	}
}

// ready follows recorder.on and opens the files when they are not.
func (r *Recorder) ready(now time.Time) bool {
	if on := r.c.Knobs.On.Get(); on != r.on {
		r.on = on
		if !on {
			r.dropBurst()
			r.shut(now, "recorder.on was turned off")
			r.publish()
		}
	}
	if !r.on {
		return false
	}
	if r.second.files == nil && !now.Before(r.retry) {
		r.retry = now.Add(retryEvery)
		if err := r.openFiles(); err != nil {
			r.pause(now, err)
			r.publish()
		} else {
			r.mark(&record.Mark{At: now.UnixMilli(), Kind: record.MarkStart,
				Text: fmt.Sprintf("pushd %s, %s, %d cores", r.c.Version, runtime.Version(), runtime.NumCPU())}, &r.second, &r.long)
		}
	}
	return r.second.files != nil
}

// openFiles opens the folder and the rings in it.
func (r *Recorder) openFiles() error {
	folder, err := record.OpenFolder(r.dir)
	if err != nil {
		return err
	}
	if r.lock == nil {
		if r.lock, err = lock(r.dir); err != nil {
			return err
		}
	}
	k := &r.c.Knobs
	open := func(to *ring, name string, bytes *knob.Int, keep *knob.Duration) error {
		to.files, err = record.OpenRing(record.RingConfig{Name: name, Disk: folder, Schema: to.schema, BytesMax: bytes.Get, Keep: keep.Get})
		return err
	}
	if err := open(&r.long, RingLong, k.LongBytes, k.LongKeep); err != nil {
		return err
	}
	if err := open(&r.burst, RingBurst, k.BurstBytes, k.LongKeep); err != nil {
		return err
	}
	return open(&r.second, RingSecond, k.Bytes, k.Keep)
}

// takeSecond takes the record of a second.
func (r *Recorder) takeSecond(now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	r.sampler.take(ctx, now, &r.now)
	cancel()
	if r.earlier.At != 0 {
		if m := clockMark(&r.earlier, &r.now); m != nil {
			r.mark(m, &r.second, &r.long)
		}
	}
	r.earlier.At, r.earlier.Mono = r.now.At, r.now.Mono
	r.weigh()
	for _, m := range r.changes.since(r.now.At) {
		r.mark(m, &r.second, &r.long)
	}
	r.tellGaps()
	r.append(now, &r.second, &r.now)
	r.addLong(now)
	if r.bursting() {
		r.append(now, &r.burst, &r.now)
	} else if why := r.trigger.judge(&r.now); why != "" {
		r.beginBurst(now, why)
	}
	r.count()
}

// weigh tells whether the node was busy in the last second.
func (r *Recorder) weigh() {
	cpu := r.now.V[r.sampler.quick.user] + r.now.V[r.sampler.quick.system]
	r.busy = cpu-r.cpu >= r.c.busy
	r.cpu = cpu
}

// addLong adds the record of a second to that of its 10 s, which is written
// when the next ones begin.
func (r *Recorder) addLong(now time.Time) {
	if period := now.Unix() / longSeconds; period != r.period {
		if r.thinned > 0 {
			r.append(now, &r.long, r.thin.Take(r.long.schema))
		}
		r.period, r.thinned = period, 0
	}
	r.thin.Add(r.second.schema, &r.now)
	r.thinned++
}

// tellGaps marks files that cannot be read, each once for every reason.
func (r *Recorder) tellGaps() {
	gaps := r.sampler.gaps()
	if len(gaps) == 0 && len(r.said) == 0 {
		return
	}
	told := map[string]string{}
	for _, g := range gaps {
		told[g.path] = g.why
		if r.said[g.path] != g.why {
			r.mark(&record.Mark{At: r.now.At, Kind: record.MarkGap, Text: "no /proc/" + g.path + ": " + g.why, Fields: g.fields}, &r.second, &r.long)
		}
	}
	r.said = told
}

// append writes a record; a ring that cannot be written pauses.
func (r *Recorder) append(now time.Time, to *ring, rec *record.Record) {
	size := to.files.Written()
	if err := to.files.Append(rec); err != nil {
		r.pause(now, err)
		return
	}
	r.sampler.cost.written += to.files.Written() - size
	if to == &r.second {
		r.resume(now)
	}
}

// mark writes a mark to rings. A mark that cannot be written is lost: the next
// record will tell why.
func (r *Recorder) mark(m *record.Mark, to ...*ring) {
	for _, ring := range to {
		if ring.files == nil {
			continue
		}
		size := ring.files.Written()
		if ring.files.Mark(m) == nil {
			r.sampler.cost.written += ring.files.Written() - size
		}
	}
}

// end is the end of the goroutine.
func (r *Recorder) end() {
	now := time.Now()
	if r.bursting() {
		r.endBurst(now) // who stops a slow node wants to know why it was slow
	}
	if r.thinned > 0 && r.long.files != nil {
		r.append(now, &r.long, r.thin.Take(r.long.schema))
	}
	r.shut(now, "the node stopped")
	r.sampler.close()
}

// shut closes the files.
func (r *Recorder) shut(now time.Time, why string) {
	r.mark(&record.Mark{At: now.UnixMilli(), Kind: record.MarkStop, Text: why}, &r.second, &r.long)
	for _, ring := range []*ring{&r.second, &r.long, &r.burst} {
		if ring.files != nil {
			_ = ring.files.Close() // each record has reported its own error
			ring.files = nil
		}
	}
	if r.lock != nil {
		r.lock.Close()
		r.lock = nil
	}
	r.thinned, r.earlier, r.retry = 0, record.Record{}, time.Time{}
	clear(r.said)
}

// bundles is where they lie.
func (r *Recorder) bundles() string { return filepath.Join(r.dir, "bundles") }

// Fields lists what is recorded.
func (r *Recorder) Fields() []pushdapi.RecField {
	var all []pushdapi.RecField
	for _, f := range r.fields {
		all = append(all, pushdapi.RecField{Name: f.Name, Unit: f.Unit, Kind: string(f.Kind), Help: f.Help})
	}
	return all
}

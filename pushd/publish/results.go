package publish

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/receipt"
)

const (
	resultsEvery  = 50 * time.Millisecond
	errorsMax     = 100              // bad lines reported one by one, if not all are asked for
	errorsBytes   = 64 << 10         // of such reports that wait; then reading waits
	resultTimeout = 10 * time.Second // for a publisher that does not read
)

// totals are what became of a stream so far.
type totals struct {
	lines, absent, kept uint64
	receipt.Counts
}

// results answers a stream: counts at most every 50 ms, driven by a timer that
// runs only while there is something new, and bad lines at once. A publisher
// that reads no results loses them and is not held up, but for resultTimeout if
// it has asked for all bad lines.
type results struct {
	conn    net.Conn
	out     io.Writer
	receipt *receipt.Receipt
	allBad  bool // static: ?results=refused

	writing sync.Mutex // one writer at a time; before mu
	failed  bool       // guarded by writing: no answer gets through any more

	mu     sync.Mutex
	timer  *time.Timer
	armed  bool
	closed bool
	now    totals // of the lines; counts are in the receipt
	sent   totals
	errs   []byte // lines ready to be written
	bad    uint64
}

func newResults(c net.Conn, r *receipt.Receipt) *results {
	w := &results{conn: c, out: writer(c), receipt: r}
	w.timer = time.AfterFunc(time.Hour, w.fire)
	w.timer.Stop()
	return w
}

// add counts what a batch did and has it answered soon.
func (w *results) add(lines uint64, t *tally) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now.lines += lines
	w.now.absent += t.absent
	w.now.kept += t.kept
	w.arm(resultsEvery)
}

// badLine answers a line that is no message.
func (w *results) badLine(line uint64, why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now.lines++
	if w.bad++; w.allBad || w.bad <= errorsMax {
		w.errs = appendResult(w.errs, refused(line, why))
		w.arm(0)
	}
}

// relieve writes reports of bad lines if many wait, before more are read.
func (w *results) relieve() {
	w.mu.Lock()
	many := len(w.errs) >= errorsBytes
	w.mu.Unlock()
	if many {
		w.fire()
	}
}

// arm has fire called after d, or before if it is armed already.
func (w *results) arm(d time.Duration) {
	if w.closed || w.armed && (d > 0 || !w.timer.Stop()) {
		return
	}
	w.armed = true
	w.timer.Reset(d)
}

// fire writes what is new, on the timer's goroutine or for relieve.
func (w *results) fire() {
	w.writing.Lock()
	defer w.writing.Unlock()
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return
	}
	lines := w.errs
	w.errs = nil
	if now := w.read(); now != w.sent {
		d := now.since(&w.sent)
		w.sent = now
		lines = appendResult(lines, &pushdapi.PublishResult{Lines: d.lines, Result: result(d.Counts, d.absent, d.kept)})
	}
	w.mu.Unlock()
	w.write(lines)
	w.mu.Lock()
	w.armed = false
	if len(w.errs) > 0 {
		w.arm(0)
	} else if w.receipt.Pending() > 0 || w.read() != w.sent {
		w.arm(resultsEvery)
	}
	w.mu.Unlock()
}

// read returns the totals without what is pending, which is no result yet.
func (w *results) read() totals {
	t := w.now
	t.Counts = w.receipt.Counts()
	t.Pending = 0
	return t
}

func (t totals) since(old *totals) totals {
	t.lines -= old.lines
	t.absent -= old.absent
	t.kept -= old.kept
	t.Delivered -= old.Delivered
	for i := range t.Dropped {
		t.Dropped[i] -= old.Dropped[i]
	}
	return t
}

// each answers one line by itself, for ?results=each.
func (w *results) each(r *pushdapi.PublishResult) {
	w.writing.Lock()
	defer w.writing.Unlock()
	w.write(appendResult(nil, r))
}

// finish writes the last line and the end of the response. Nothing is written
// afterwards.
func (w *results) finish(failure string) {
	w.mu.Lock()
	w.closed = true
	w.timer.Stop()
	w.mu.Unlock()
	w.writing.Lock() // waits for a fire under way
	defer w.writing.Unlock()
	t := w.read()
	t.Pending = w.receipt.Pending()
	if failure == "" && w.bad > 0 {
		failure = fmt.Sprintf("%d of %d lines were not accepted", w.bad, t.lines)
		if w.bad > errorsMax && !w.allBad {
			failure += fmt.Sprintf("; the first %d were reported", errorsMax)
		}
	}
	w.write(appendResult(w.errs, &pushdapi.PublishResult{Lines: t.lines, Done: true, Error: failure,
		Result: result(t.Counts, t.absent, t.kept)}))
	w.raw([]byte("0\r\n\r\n"))
}

// refused tells of a line that is no message.
func refused(line uint64, why error) *pushdapi.PublishResult {
	return &pushdapi.PublishResult{Line: line, Code: codeOf(why), Error: why.Error()}
}

func appendResult(dst []byte, r *pushdapi.PublishResult) []byte {
	b, err := json.Marshal(r)
	if err != nil { // its fields are plain
		panic(err)
	}
	return append(append(dst, b...), '\n')
}

// write sends lines as one chunk.
func (w *results) write(lines []byte) {
	if len(lines) > 0 {
		b := fmt.Appendf(nil, "%x\r\n", len(lines))
		w.raw(append(append(b, lines...), "\r\n"...))
	}
}

func (w *results) raw(b []byte) {
	if w.failed {
		return
	}
	_ = w.conn.SetWriteDeadline(time.Now().Add(resultTimeout))
	_, err := w.out.Write(b)
	w.failed = err != nil
}

// oversize is the error of a line that is too long to be read.
func oversize(max int) error {
	return &SendError{push.DropOversize.String(), fmt.Sprintf("line longer than %d bytes; send less or raise the knob message.bytes_max", max)}
}

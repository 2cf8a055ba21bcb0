package record

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// segmentsMin is how many files a full ring has at least: when one is removed,
// no more than this part of the ring's past goes at once.
const segmentsMin = 24

// RingConfig says what a Ring keeps.
type RingConfig struct {
	Name     string // of its files: 1s, 10s, burst
	Disk     Disk
	Schema   *Schema
	BytesMax func() int64         // of all its files together; asked when a file is full
	Keep     func() time.Duration // older files are removed
}

// Ring writes records to files of bounded total size (BytesMax and at most one
// record more) and forgets the oldest.
// Every record is in the kernel's hands when Append returns, so a killed
// process loses none. It has one owner.
type Ring struct {
	c    RingConfig
	enc  *Encoder
	buf  []byte
	file File // nil before the first record, and after an error
	at   int64
	from int64 // ms since 1970 of the file's first record
	last int64 // of the last record; 0 before the first
	segs []live
	next uint64 // number of the next file
	sum  int64  // bytes ever written
}

// live is a file of the ring and when it ends, ms since 1970; 0 is not known.
type live struct {
	Segment
	end int64
}

// OpenRing continues the ring that is in the folder. Nothing is written yet.
func OpenRing(c RingConfig) (*Ring, error) {
	r := &Ring{c: c, enc: NewEncoder(c.Schema), next: 1}
	old, err := Segments(c.Disk, c.Name)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	for i, s := range old {
		l := live{Segment: s}
		if i+1 < len(old) {
			l.end = firstAt(c.Disk, old[i+1].Name, &buf)
		}
		r.segs = append(r.segs, l)
		r.next = s.Number + 1
	}
	return r, nil
}

// Append writes one record. After an error nothing of it is in the file, and
// the next one tries again with a file of its own.
func (r *Ring) Append(rec *Record) error {
	if r.file != nil && r.full(rec) {
		r.closeFile()
	}
	if r.file == nil {
		if err := r.begin(rec); err != nil {
			return err
		}
	}
	r.last = rec.At
	return r.write(r.enc.Record(r.buf[:0], rec))
}

// Mark writes a mark between the records; the first record makes the file.
func (r *Ring) Mark(m *Mark) error {
	if r.file == nil {
		if err := r.begin(&Record{At: m.At}); err != nil {
			return err
		}
	}
	return r.write(r.enc.Mark(r.buf[:0], m))
}

// full tells whether a record belongs to the next file: this one has its part
// of the bytes, or of the time.
func (r *Ring) full(rec *Record) bool {
	age := time.Duration(rec.At-r.from) * time.Millisecond
	return r.at >= r.c.BytesMax()/segmentsMin || age >= r.c.Keep()/segmentsMin || age < 0
}

// begin opens the next file.
func (r *Ring) begin(rec *Record) error {
	r.prune(rec.At)
	head, err := r.enc.Header(r.buf[:0])
	if err != nil {
		return err
	}
	name := segmentName(r.c.Name, r.next)
	f, err := r.c.Disk.Create(name)
	if err != nil {
		return fmt.Errorf("begin a file of records: %w", err)
	}
	if n := len(r.segs); n > 0 {
		r.segs[n-1].end = rec.At
	}
	r.file, r.at, r.from = f, 0, rec.At
	r.segs = append(r.segs, live{Segment: Segment{Name: name, Number: r.next}})
	r.next++
	return r.write(head)
}

// write appends bytes to the file, all or nothing.
func (r *Ring) write(b []byte) error {
	r.buf = b
	_, err := r.file.WriteAt(b, r.at)
	if err != nil {
		r.giveUp()
		return fmt.Errorf("write a record: %w", err)
	}
	r.at += int64(len(b))
	r.sum += int64(len(b))
	r.segs[len(r.segs)-1].Size = r.at
	return nil
}

// giveUp leaves a file that could not be written, without the torn end. One
// that holds no record is removed: a full disk would be littered with them.
func (r *Ring) giveUp() {
	last := len(r.segs) - 1
	name, empty := r.segs[last].Name, r.at == 0
	if !empty {
		_ = r.file.Truncate(r.at) // else the reader sees the torn end
	}
	r.closeFile()
	if empty && r.c.Disk.Remove(name) == nil {
		r.segs = r.segs[:last]
	}
}

func (r *Ring) closeFile() {
	_ = r.file.Close() // every write has reported its own error
	r.file = nil
}

// prune removes the oldest files: those too old, and those too many for the
// bytes with one more file. None is too old by a clock that was just set
// forward: it may be set back.
func (r *Ring) prune(now int64) {
	most := r.c.BytesMax()
	total := most / segmentsMin
	for _, s := range r.segs {
		total += s.Size
	}
	keep := r.c.Keep().Milliseconds()
	oldest := now - keep
	if r.last != 0 && now-r.last > keep {
		oldest = 0
	}
	for len(r.segs) > 0 && (total > most || r.segs[0].end != 0 && r.segs[0].end < oldest) {
		if err := r.c.Disk.Remove(r.segs[0].Name); err != nil && !gone(err) {
			return // tried again with the next file
		}
		total -= r.segs[0].Size
		r.segs = r.segs[1:]
	}
}

// Bytes is the size of all files of the ring.
func (r *Ring) Bytes() (n int64) {
	for _, s := range r.segs {
		n += s.Size
	}
	return n
}

// Written is the number of bytes that the ring has written since it was opened.
func (r *Ring) Written() int64 { return r.sum }

// Close ends writing. The ring may be opened again.
func (r *Ring) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}

func gone(err error) bool { return errors.Is(err, errNotExist) }

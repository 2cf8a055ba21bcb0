package drive

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sort"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
)

// Bounds of messages on their way to the shadow. Beyond them they are dropped
// (full).
const (
	outBytes      = 16 << 20 // waiting to be written
	outRecords    = 1 << 18  // not answered
	broadcastsMax = 1 << 10
)

// retryAfter is how long messages are dropped (shadow_lost) once their stream
// has broken.
const retryAfter = 500 * time.Millisecond

// sender posts messages to the shadow: those to users and groups in a stream,
// so that they keep their order, those to everybody each by itself.
type sender struct {
	d      *Driver
	signal chan struct{}
	all    chan *teewire.Publish

	// Guarded by d.mu.
	out     []byte // lines not written yet
	sent    []post // not answered, in order
	lines   uint64 // of this stream so far
	acked   uint64 // of them
	settled uint64 // of them, those of messages that are in the books
	refused bool   // one of them was, and that was logged
	stream  int    // its number: answers of an older one mean nothing
	downTo  int64  // ns since Driver.base: until then nobody is asked
	closed  bool

	spare []byte // owned by run
}

// post is a message that the shadow has not answered.
type post struct {
	last    uint64 // number of its last line in the stream, from 1
	refused bool
}

func newSender(d *Driver) *sender {
	return &sender{d: d, signal: make(chan struct{}, 1), all: make(chan *teewire.Publish, broadcastsMax)}
}

// publish replays a message.
func (d *Driver) publish(rec *record) {
	p := rec.body.(*teewire.Publish)
	s := d.messages
	switch {
	case d.users[p.User]:
		d.books.drop(rec.kind, dropTorn)
	case d.now() < s.downTo:
		d.leaveOut(rec, dropLost)
	case p.User == "" && p.Group == "":
		s.everybody(rec, p)
	case len(s.out) > outBytes || len(s.sent) >= outRecords:
		d.leaveOut(rec, dropFull)
	default:
		s.add(rec, p)
	}
}

func (s *sender) add(rec *record, p *teewire.Publish) {
	oneLine(p.Data)
	copies := 1
	if p.User != "" {
		copies = s.d.opts.Amplify
	}
	for number := range copies {
		s.out = append(appendMessage(s.out, p, number), '\n')
	}
	s.lines += uint64(copies)
	s.sent = append(s.sent, post{last: s.lines})
	s.d.books.waiting[rec.kind]++
}

func (s *sender) everybody(rec *record, p *teewire.Publish) {
	select {
	case s.all <- p:
		s.d.books.waiting[rec.kind]++
	default:
		s.d.leaveOut(rec, dropFull)
	}
}

// oneLine replaces the line breaks that JSON allows between tokens.
func oneLine(b []byte) {
	if bytes.ContainsAny(b, "\n\r") {
		for i, c := range b {
			if c == '\n' || c == '\r' {
				b[i] = ' '
			}
		}
	}
}

// appendMessage appends a message as the server API takes it.
func appendMessage(b []byte, p *teewire.Publish, number int) []byte {
	b = append(b, '{')
	field := func(name, value string) {
		if value != "" {
			b = append(append(append(b, '"'), name...), `":`...)
			b = append(appendQuoted(b, value), ',')
		}
	}
	if p.User != "" {
		field("user", derive(p.User, number))
	}
	field("group", p.Group)
	field("id", p.ID)
	field("key", p.Key)
	if p.Class != push.ClassNormal {
		field("class", p.Class.String())
	}
	if p.TTL > 0 {
		field("ttl", p.TTL.String())
	}
	b = append(append(b, `"data":`...), p.Data...)
	return append(b, '}')
}

// poke has what was added written.
func (s *sender) poke() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// close writes what is left and has run end when the shadow has answered.
func (s *sender) close() {
	s.d.mu.Lock()
	s.closed = true
	s.d.mu.Unlock()
	s.poke()
}

// run writes until close or ctx.
func (s *sender) run(ctx context.Context) {
	done := make(chan struct{})
	go func() { // ended when all is closed, below
		defer close(done)
		for p := range s.all {
			s.broadcast(ctx, p)
		}
	}()
	s.write(ctx)
	close(s.all) // replay has ended: nobody adds
	<-done
}

// write is the loop of the stream.
func (s *sender) write(ctx context.Context) {
	var p *pushdapi.Publisher
	for ctx.Err() == nil {
		lines, number, closed := s.take()
		if len(lines) > 0 && p == nil {
			p = s.d.opts.Shadow.PublishStrict(ctx, func(r pushdapi.PublishResult) { s.answer(number, r) })
		}
		if len(lines) > 0 && writeTo(p, lines) != nil {
			s.lose(p)
			p = nil
			continue
		}
		if p != nil && closed {
			s.lose(p)
			p = nil
		}
		if closed {
			return
		}
		select {
		case <-s.signal:
		case <-ctx.Done():
		}
	}
	if p != nil {
		s.lose(p)
	}
	s.abandon()
}

// abandon drops what was added for a stream that was not begun any more.
func (s *sender) abandon() {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	for range s.sent {
		s.d.books.settle(teewire.KindPublish, s.d.unanswered(dropLost))
	}
	s.sent, s.out = nil, nil
}

func writeTo(p *pushdapi.Publisher, lines []byte) error {
	if err := p.SendLine(lines[:len(lines)-1]); err != nil {
		return err
	}
	return p.Flush()
}

// take returns the lines that were added, valid until the next call.
func (s *sender) take() (lines []byte, stream int, closed bool) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	lines, s.out = s.out, s.spare[:0]
	if s.spare = lines; cap(lines) > 1<<20 {
		s.spare = nil
	}
	return lines, s.stream, s.closed && len(s.out) == 0
}

// lose ends a stream. What it has not answered by then, by its last line, is
// lost.
func (s *sender) lose(p *pushdapi.Publisher) {
	_, err := p.Close()
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	w := s.d.unanswered(dropLost)
	for range s.sent {
		s.d.books.settle(teewire.KindPublish, w)
	}
	s.sent, s.out = nil, s.out[:0]
	s.lines, s.acked, s.settled, s.refused = 0, 0, 0, false
	s.stream++
	if err != nil {
		s.downTo = s.d.now() + int64(retryAfter)
		if w == dropLost { // behind the end nothing is compared
			s.exclude(err)
		}
	}
}

func (s *sender) exclude(err error) {
	now := time.Now()
	s.d.books.spans.add(now, now.Add(retryAfter), DropLost)
	if !errors.Is(err, context.Canceled) {
		s.d.log.Warn("the stream of messages to the shadow broke", "error", err, "again_after", retryAfter)
	}
}

// answer is called with each line that the node answers.
func (s *sender) answer(stream int, r pushdapi.PublishResult) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	switch {
	case stream != s.stream:
		return
	case r.Line > 0 && r.Error != "":
		s.refuse(r)
		return
	case r.Done:
		s.acked = max(s.acked, r.Lines)
	default:
		s.acked += r.Lines
	}
	n := 0
	for ; n < len(s.sent) && s.sent[n].last <= s.acked; n++ {
		s.settle(&s.sent[n])
	}
	s.sent = slices.Delete(s.sent, 0, n)
}

func (s *sender) settle(p *post) {
	if p.refused {
		s.d.books.settle(teewire.KindPublish, dropRefused)
	} else {
		s.d.books.settle(teewire.KindPublish, notDropped)
		s.d.books.published += p.last - s.settled
	}
	s.settled = p.last
}

// refuse marks a message of which the shadow has refused a line.
func (s *sender) refuse(r pushdapi.PublishResult) {
	if !s.refused {
		s.d.log.Warn("the shadow refused a message", "error", r.Error)
		s.refused = true
	}
	i := sort.Search(len(s.sent), func(i int) bool { return s.sent[i].last >= r.Line })
	if i < len(s.sent) {
		s.sent[i].refused = true
	}
}

// broadcast posts a message to everybody.
func (s *sender) broadcast(ctx context.Context, p *teewire.Publish) {
	w := notDropped
	m := pushdapi.Send{ID: p.ID, Key: p.Key, TTL: pushdapi.Duration(p.TTL), Class: p.Class.String(), Data: p.Data}
	if _, err := s.d.opts.Shadow.Broadcast(ctx, m); err != nil {
		w = dropLost
		if e, ok := errors.AsType[*pushdapi.Error](err); ok && e.Status < 500 {
			w = dropRefused
		}
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if w == dropLost {
		w = s.d.unanswered(w)
	}
	s.d.books.settle(teewire.KindPublish, w)
	if w == notDropped {
		s.d.books.published++
	}
}

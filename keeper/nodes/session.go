package nodes

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/keeper/state"
)

// session is one node's connection: the caller of Serve reads, one goroutine
// writes what the node must hold.
type session struct {
	desk *Desk
	from string
	join keeperapi.Join

	labels string // of join, in one form

	writing sync.Mutex // of conn; taken before mu
	conn    net.Conn
	// answered holds a token when the node has answered since the writer looked.
	answered chan struct{}

	mu       sync.Mutex
	heard    time.Time
	ack      keeperapi.Ack // as the node said it last
	held     uint64        // revision that it holds; grows without traffic when nothing of its own changed
	sent     uint64        // revision of the last frame with values
	sentAt   time.Time     // when that was
	through  uint64        // revision up to which nothing else concerns the node
	pending  bool          // that frame is not acknowledged yet
	beat     *keeperapi.Beat
	drift    []keeperapi.Drift
	renewed  time.Time // when its lease was last written
	urgent   bool      // ack or health changed: report soon
	position uint64    // how far its values were sent
	checks   map[uint64]chan keeperapi.Checked
	bye      bool
}

// Serve talks to the node behind conn, which said in the HTTP request that it
// wants a session, until one of them ends it. It closes conn. from names the
// peer. ready confirms that the state holds all that was acknowledged.
func (d *Desk) Serve(ctx context.Context, conn net.Conn, in *bufio.Reader, from string, ready func(context.Context) error) error {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	s := &session{desk: d, conn: conn, from: from, answered: make(chan struct{}, 1), checks: map[uint64]chan keeperapi.Checked{}}
	hello, err := s.read(in)
	if err != nil || hello.Hello == nil {
		return fmt.Errorf("hello of %s: %w", from, orElse(err, errNoHello))
	}
	if err := ready(ctx); err != nil {
		s.sendLeader(err)
		return err
	}
	if err := s.admit(ctx, in, hello.Hello); err != nil {
		s.refuse(err)
		return fmt.Errorf("node at %s: %w", from, err)
	}
	defer d.leave(s)
	done := make(chan struct{})
	defer close(done)
	go s.write(done) // ends with done, or hangs up and so ends the reading
	return s.listen(ctx, in)
}

var errNoHello = errors.New("it did not say hello")

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// admit makes the node known and the session its own.
func (s *session) admit(ctx context.Context, in *bufio.Reader, h *keeperapi.Hello) error {
	t := s.desk.cfg.Timing
	s.join, s.position = h.Join, h.From
	s.join.LeaseMS, s.join.Definition = t.Lease.Milliseconds(), nil
	s.labels = labelled(h.Labels)
	s.heard = time.Now()
	before, known := s.desk.cfg.State.Node(h.ID)
	if !known || !maps.Equal(before.Labels, h.Labels) {
		s.position = 0 // other scopes may cover it now, which no event tells
	}
	if h.Cluster != "" && h.Cluster != s.desk.cfg.Cluster() {
		s.position = 0 // counted by keepers that were lost, or by others
	}
	if !known || before.Epoch != h.Epoch || before.Schema != h.Schema || before.Version != h.Version ||
		before.Address != h.Address || !maps.Equal(before.Labels, h.Labels) {
		join := h.Join
		join.LeaseMS = t.Lease.Milliseconds()
		if err := s.propose(ctx, in, &join); err != nil {
			return err
		}
	}
	if h.Knobs.Applied <= s.desk.cfg.State.ValuesRevision() {
		s.ack = h.Knobs
	}
	s.urgent = true
	if no := s.desk.enter(s); no != nil {
		return no
	}
	s.desk.wake()
	return s.send(&keeperapi.KeeperFrame{NowMS: s.desk.cfg.Now(), Welcome: &keeperapi.Welcome{
		Member: s.desk.cfg.Member, Cluster: s.desk.cfg.Cluster(), BeatMS: t.Beat.Milliseconds(), LeaseMS: t.Lease.Milliseconds()}})
}

// propose commits the node's join; it asks for the definition of a schema that
// is not known.
func (s *session) propose(ctx context.Context, in *bufio.Reader, join *keeperapi.Join) error {
	for {
		r, err := s.desk.cfg.Propose(ctx, state.Command{Op: state.OpJoin, From: s.from, Body: join})
		if err != nil {
			return err
		}
		if r.Error == nil {
			return nil
		}
		if r.Error.Code != keeperapi.CodeSchema || join.Definition != nil {
			return r.Error
		}
		if err := s.send(&keeperapi.KeeperFrame{Need: "definition"}); err != nil {
			return err
		}
		again, err := s.read(in)
		if err != nil || again.Hello == nil || again.Hello.Definition == nil {
			return fmt.Errorf("definition of the schema: %w", orElse(err, errNoHello))
		}
		join.Definition = again.Hello.Definition
	}
}

// read takes one line; empty lines are signs of life.
func (s *session) read(in *bufio.Reader) (*keeperapi.NodeFrame, error) {
	for {
		s.conn.SetReadDeadline(time.Now().Add(3*s.desk.cfg.Timing.Beat + time.Second))
		line, err := readLine(in)
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		f := &keeperapi.NodeFrame{}
		if err := json.Unmarshal(line, f); err != nil {
			return nil, fmt.Errorf("frame: %w", err)
		}
		return f, nil
	}
}

// readLine reads up to FrameMax bytes.
func readLine(in *bufio.Reader) ([]byte, error) {
	var long []byte
	for {
		part, err := in.ReadSlice('\n')
		if err == nil && long == nil {
			return part, nil
		}
		long = append(long, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return long, err
		}
		if len(long) > keeperapi.FrameMax {
			return nil, fmt.Errorf("a line is longer than %d bytes", keeperapi.FrameMax)
		}
	}
}

// listen hears the node out.
func (s *session) listen(ctx context.Context, in *bufio.Reader) error {
	for {
		f, err := s.read(in)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.heard = time.Now()
		s.mu.Unlock()
		switch {
		case f.Ack != nil:
			s.acked(f.Ack)
		case f.Beat != nil:
			s.beaten(f.Beat)
		case f.Checked != nil:
			s.checked(f.Checked)
		case f.Broke != nil:
			s.desk.cfg.Broke(s.join.ID, f.Broke)
		case f.Drift != nil:
			s.mu.Lock()
			s.drift = f.Drift.List
			s.mu.Unlock()
		case f.Leave:
			_, err := s.desk.cfg.Propose(ctx, state.Command{Op: state.OpLeave, From: s.from, Body: keeperapi.Leave{ID: s.join.ID}})
			return err
		}
	}
}

// write sends the node what it must hold whenever that changes, and otherwise
// signs of life. Whatever was committed while a write was under way is in the
// next one: a node that reads slowly skips what is past.
func (s *session) write(done <-chan struct{}) {
	life := time.NewTicker(s.desk.cfg.Timing.Beat)
	defer life.Stop()
	for {
		_, more := s.desk.cfg.Hub.Values()
		if s.mayTake() {
			if err := s.update(); err != nil {
				s.conn.Close()
				return
			}
		}
		select {
		case <-done:
			return
		case <-more:
		case <-s.answered:
		case <-life.C:
			if err := s.put([]byte("\n")); err != nil {
				s.conn.Close()
				return
			}
		}
	}
}

// mayTake tells whether the node should be sent what is new: not while it has
// not answered the last, so that a storm of changes reaches each node at the
// node's own pace. One that forgets to answer is not forgotten.
func (s *session) mayTake() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.pending || time.Since(s.sentAt) >= s.desk.cfg.Timing.Write
}

// update sends the node's difference, if there is one. Only finding it takes a
// turn: a node that reads slowly must not keep others waiting. What goes on
// from here to the socket is one goroutine per turn that was given back.
func (s *session) update() error {
	s.desk.turns <- struct{}{}
	frame := s.difference()
	<-s.desk.turns
	if frame == nil {
		return nil
	}
	return s.put(frame)
}

// difference returns the frame to send, nil for none.
func (s *session) difference() []byte {
	all, delta, moved, values := s.desk.cfg.State.Delta(s.join.ID, s.position)
	s.position = moved // only the writer's, once the session is admitted
	s.mu.Lock()
	s.through = values
	if all == nil && delta == nil {
		current := !s.pending && s.ack.Nacked <= s.ack.Applied
		if current {
			s.held = values
		}
		s.mu.Unlock()
		if current {
			s.desk.progress(s, values, nil)
		}
		return nil
	}
	s.sent, s.sentAt, s.pending = values, time.Now(), true
	s.mu.Unlock()
	return encode(&keeperapi.KeeperFrame{NowMS: s.desk.cfg.Now(), Knobs: all, Delta: delta})
}

func (s *session) send(f *keeperapi.KeeperFrame) error { return s.put(encode(f)) }

func encode(f *keeperapi.KeeperFrame) []byte {
	b, err := json.Marshal(f)
	if err != nil { // texts and numbers always encode
		panic(err)
	}
	return append(b, '\n')
}

func (s *session) put(b []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.conn.SetWriteDeadline(time.Now().Add(s.desk.cfg.Timing.Write))
	_, err := s.conn.Write(b)
	return err
}

// end says goodbye and hangs up.
func (s *session) end(bye *keeperapi.Bye) {
	s.mu.Lock()
	first := !s.bye
	s.bye = true
	s.mu.Unlock()
	if first {
		_ = s.send(&keeperapi.KeeperFrame{Bye: bye})
		s.conn.Close()
	}
}

// refuse tells the node why it is not let in.
func (s *session) refuse(err error) {
	_ = s.send(&keeperapi.KeeperFrame{Bye: &keeperapi.Bye{Reason: err.Error(), WithinMS: 1000}})
}

// sendLeader sends the node on when this member does not lead any more.
func (s *session) sendLeader(err error) {
	bye := &keeperapi.Bye{Reason: err.Error(), WithinMS: 100}
	if e, ok := errors.AsType[*keeperapi.Error](err); ok {
		bye.Leader = e.Leader
	}
	_ = s.send(&keeperapi.KeeperFrame{Bye: bye})
}

// lively tells whether the node was heard within the time for three beats.
func (s *session) lively() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.bye && time.Since(s.heard) < 3*s.desk.cfg.Timing.Beat
}

func (s *session) seen() Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Seen{Applied: s.held, Nacked: s.ack.Nacked, Reason: s.ack.Reason, Drift: s.drift}
	if s.beat != nil {
		out.Figures = s.beat.Figures
	}
	return out
}

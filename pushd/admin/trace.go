package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
)

// traceGrace is how long the head of the answer waits for the Source to refuse
// with a status of its own.
const traceGrace = 50 * time.Millisecond

// trace streams what happens to a user until the reader leaves.
func (a *API) trace(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "user")
	if err != nil {
		return err
	}
	user := q.Get("user")
	if user == "" || len(user) > push.UserIDMax {
		return badQuery("user has %d bytes; name one user of 1 to %d bytes, as in ?user=ann", len(user), push.UserIDMax)
	}
	if err := a.traces.enter(0); err != nil {
		return err
	}
	defer a.traces.leave()
	ctx, cancel := context.WithCancel(r.Context())
	s := &stream{w: w, rc: http.NewResponseController(w), patience: a.c.Limits.Timeout.Get, cancel: cancel}
	var beats sync.WaitGroup
	beats.Go(func() { s.beat(ctx, a.c.Limits.Heartbeat.Get) }) // ends with ctx
	err = a.c.Source.Trace(ctx, user, s.event)
	cancel()
	beats.Wait() // w must not be touched after the handler
	return a.endTrace(s, r, err)
}

// endTrace finishes the stream after the Source has returned err.
func (a *API) endTrace(s *stream, r *http.Request, err error) error {
	started, left := s.state()
	if left || r.Context().Err() != nil {
		return nil // that is how a trace ends
	}
	if !started {
		return err
	}
	s.rc.SetWriteDeadline(time.Time{}) // the connection may be used again
	if err != nil {
		a.c.Log.Warn("trace ended", "err", err, "to", r.RemoteAddr)
	}
	return nil
}

// stream writes lines, flushed one by one, from several goroutines.
type stream struct {
	rc       *http.ResponseController
	patience func() time.Duration // longest wait for the reader
	cancel   context.CancelFunc   // ends the stream

	mu      sync.Mutex
	w       http.ResponseWriter
	started bool
	err     error // of the first write that the reader did not take
}

func (s *stream) event(e pushdapi.TraceEvent) error {
	if e.Event == "" {
		return s.write([]byte{'\n'})
	}
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return s.write(append(b, '\n'))
}

// write sends a line. Its deadline also replaces one that the server has for
// ordinary answers, which would end a trace.
func (s *stream) write(line []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if !s.started {
		s.started = true
		s.w.Header().Set("Content-Type", "application/x-ndjson")
		s.w.WriteHeader(http.StatusOK)
	}
	err := s.rc.SetWriteDeadline(time.Now().Add(s.patience()))
	if errors.Is(err, http.ErrNotSupported) {
		err = nil
	}
	if err == nil {
		_, err = s.w.Write(line)
	}
	if err == nil {
		err = s.rc.Flush()
	}
	if err != nil {
		s.err = err
		s.cancel()
	}
	return err
}

// beat sends empty lines: the first soon, so that the reader has its answer,
// the others so that a dead reader is noticed.
func (s *stream) beat(ctx context.Context, every func() time.Duration) {
	t := time.NewTimer(min(traceGrace, every()))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if s.write([]byte{'\n'}) != nil {
			return
		}
		t.Reset(every())
	}
}

// state tells whether anything was written and whether the reader left.
func (s *stream) state() (started, left bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started, s.err != nil
}

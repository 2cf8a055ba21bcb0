package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/keeper/watch"
)

// Bounds of a watcher.
const (
	watchLife  = 5 * time.Second  // an empty line this often
	watchWrite = 10 * time.Second // a watcher that takes nothing for so long is hung up on
)

// watch streams frames until the watcher goes. What is committed while it is
// written to is in the next frame: nobody waits for a watcher.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, _ identity) error {
	from := uint64(0)
	if text := r.URL.Query().Get("from"); text != "" {
		var err error
		if from, err = strconv.ParseUint(text, 10, 64); err != nil {
			return refuse(keeperapi.CodeMalformed, "from=%q: give a revision", clip(text, 30))
		}
	}
	if err := s.catchUp(r.Context(), from); err != nil {
		return err
	}
	if s.watchers.Add(1) > watchersMax {
		s.watchers.Add(-1)
		return refuse(keeperapi.CodeBusy, "%d watchers are here already; ask another keeper", watchersMax)
	}
	defer s.watchers.Add(-1)
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := http.NewResponseController(w)
	feed := watch.NewFeed(s.cfg.State, from)
	life := time.NewTicker(watchLife)
	defer life.Stop()
	for {
		_, more := s.cfg.Hub.Any()
		line := []byte("\n")
		if f := feed.Next(s.cfg.Now()); f != nil {
			b, err := json.Marshal(f)
			if err != nil {
				return err
			}
			line = append(b, '\n')
		}
		_ = out.SetWriteDeadline(time.Now().Add(watchWrite))
		if _, err := w.Write(line); err != nil || out.Flush() != nil {
			return nil // it has gone
		}
		select {
		case <-more:
		case <-life.C:
		case <-r.Context().Done():
			return nil
		case <-s.ctx.Done():
			return nil
		}
	}
}

// catchUp waits until this member knows what a watcher has seen elsewhere, and
// for one that begins what the leader knows: a member that lags, or has just
// started, must not show the past as if it were news.
func (s *Server) catchUp(ctx context.Context, from uint64) error {
	revision, more := s.cfg.Hub.Any()
	if from != 0 && revision >= from {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	if s.cfg.Member.Leads() {
		return s.cfg.Member.Linearize(ctx)
	}
	var leader whereabouts
	if err := s.ask(ctx, "/v1/where", &leader); err != nil {
		return refuse(keeperapi.CodeNoLeader, "no leader can say how far this keeper is behind (%s); try again, or ask another", err)
	}
	for revision < leader.Revision {
		select {
		case <-more:
		case <-ctx.Done():
			return refuse(keeperapi.CodeBusy, "this keeper is at r%d, the leader at r%d; ask another, or try again", revision, leader.Revision)
		}
		revision, more = s.cfg.Hub.Any()
	}
	return nil // a revision that is still to come was lost, with its cluster
}

// session hands the connection of a node over to the desk.
func (s *Server) session(w http.ResponseWriter, r *http.Request, who identity) error {
	if !strings.EqualFold(r.Header.Get("Upgrade"), keeperapi.SessionProtocol) {
		return refuse(keeperapi.CodeMalformed, "a session needs the header Upgrade: %s", keeperapi.SessionProtocol)
	}
	if !s.cfg.Member.Leads() {
		ctx, cancel := context.WithTimeout(r.Context(), readWait)
		defer cancel()
		e := refuse(keeperapi.CodeNotLeader, "this keeper does not lead; ask the leader")
		if e.Leader = s.LeaderAPI(ctx); e.Leader == "" {
			e.Code, e.Message = keeperapi.CodeNoLeader, "no keeper leads at the moment; try again"
		}
		return e
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	_ = conn.SetDeadline(time.Time{})
	if _, err := conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " +
		keeperapi.SessionProtocol + "\r\n\r\n")); err != nil {
		conn.Close()
		return nil
	}
	if err := s.cfg.Desk.Serve(s.ctx, conn, rw.Reader, peer(r), s.cfg.Member.Linearize); err != nil && !errors.Is(err, context.Canceled) {
		s.cfg.Log.Debug("session ended", "from", peer(r), "who", who.Who, "err", err)
	}
	return nil
}

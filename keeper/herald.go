package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"pushfleet/internal/daemon"
	"pushfleet/internal/keeperapi"
	"pushfleet/keeper/config"
	"pushfleet/keeper/member"
)

const (
	readyWait   = 5 * time.Second // a keeper that still waits for others then is up, too
	statusEvery = time.Second
)

// herald tells systemd and the log how the keeper is.
type herald struct {
	member *member.Member
	cfg    *config.Config
	notify *daemon.Notifier
	log    *slog.Logger
	wait   time.Duration // readyWait

	cancel context.CancelFunc
	done   chan struct{}
}

// start returns when the keeper serves, or after a while when it waits for
// others: they may be started by hand, one after the other, and systemd must
// not take that for a failure.
func (h *herald) start(ctx context.Context) error {
	running, cancel := context.WithCancel(context.Background())
	h.cancel, h.done = cancel, make(chan struct{})
	go h.tell(running) // ended by stop
	waiting, late := context.WithTimeout(ctx, h.wait)
	defer late()
	err := h.member.Ready(waiting)
	switch {
	case ctx.Err() != nil:
		return errors.Join(ctx.Err(), h.stop(context.Background()))
	case err == nil:
		h.log.Info("keeper serves", "id", h.cfg.ID, "api", h.member.APIAddr(), "members", h.member.RaftAddr())
	case errors.Is(waiting.Err(), context.DeadlineExceeded):
		h.log.Warn("keeper is up and waits", "for", h.status())
	default:
		return errors.Join(err, h.stop(context.Background()))
	}
	return nil
}

func (h *herald) stop(context.Context) error {
	h.cancel()
	<-h.done
	return nil
}

// tell keeps the line that systemctl status shows.
func (h *herald) tell(ctx context.Context) {
	defer close(h.done)
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	said := ""
	for {
		if now := h.status(); now != said {
			said = now
			h.notify.Status(now)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (h *herald) status() string { return statusLine(h.member.Status(), h.cfg) }

// probe asks the keeper the way others do. What it knows without a leader is
// answer enough: to start it again would not bring the others back.
func (h *herald) probe(ctx context.Context) error {
	address := h.cfg.Socket
	if address == "" {
		return nil // the API may ask for a certificate that is not ours
	}
	c := keeperapi.NewClient([]string{"unix:" + address}, keeperapi.ClientOptions{Timeout: 5 * time.Second})
	defer c.Close()
	_, err := c.Status(ctx)
	return err
}

// statusLine says in a line where a keeper stands, or what it waits for.
func statusLine(s keeperapi.Status, cfg *config.Config) string {
	var voters []string
	for _, m := range s.Members {
		if m.Voter && m.ID != s.ID {
			voters = append(voters, m.ID)
		}
	}
	others := strings.Join(voters, ", ")
	switch {
	case s.LeaderID == s.ID && len(voters) == 0:
		return fmt.Sprintf("alone, revision %d", s.Revision)
	case s.LeaderID == s.ID:
		return fmt.Sprintf("leads %s, revision %d", others, s.Revision)
	case s.LeaderID != "":
		return fmt.Sprintf("follows %s, revision %d", s.LeaderID, s.Revision)
	case len(s.Members) == 0 && cfg.BootstrapExpect > 1:
		return fmt.Sprintf("waits for %d keepers to found the cluster: %s", cfg.BootstrapExpect, strings.Join(cfg.Join, ", "))
	case len(s.Members) == 0 && len(cfg.Join) > 0:
		return "waits to be let in by " + strings.Join(cfg.Join, ", ")
	case len(voters) == 0:
		return "starts"
	}
	return fmt.Sprintf("no leader: waits for most of %s and itself", others)
}

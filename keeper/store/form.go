package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"
)

// form makes this member part of a cluster and then returns. Each attempt looks
// at the world anew, so that it can be interrupted anywhere.
//
// Two halves cannot found two clusters: only one member may, the one with the
// first address of the list, and only when every address of the list answers,
// has no state and has the same list. A member that lost its disk therefore
// never founds a second cluster while one of the others remembers the first.
func (s *Store) form(ctx context.Context) {
	said := ""
	for {
		err := s.formStep(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		if errors.Is(err, errRemoved) {
			s.log.Error("not a member any more", "err", err)
			return
		}
		if err.Error() != said {
			said = err.Error()
			s.log.Info("not in a cluster yet", "why", err)
		}
		pause := s.cfg.Timing.Retry/2 + rand.N(s.cfg.Timing.Retry)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

var errRemoved = errors.New("this member was removed from the cluster; to bring it back, empty its state directory and start it again")

// formStep returns nil when this member is in the configuration at its address.
func (s *Store) formStep(ctx context.Context) error {
	if s.hasState() {
		return s.rejoin(ctx)
	}
	if s.cfg.Expect == 0 {
		if len(s.cfg.Join) == 0 {
			return errors.New("nobody to join: give addresses to join, or how many members found the cluster")
		}
		return s.join(ctx)
	}
	answers, err := s.ask(ctx, s.founders())
	if slices.ContainsFunc(answers, func(r reply) bool { return r.HasState }) {
		return s.join(ctx)
	}
	if err != nil {
		return err
	}
	if err := mayFound(s.founders(), s.cfg.Expect, answers); err != nil {
		return err
	}
	if s.founders()[0] != s.link.advertise {
		return fmt.Errorf("waiting for %s to found the cluster", s.founders()[0])
	}
	return s.found(ctx, answers)
}

// rejoin is for a member with state.
func (s *Store) rejoin(ctx context.Context) error {
	me, in := s.member(s.cfg.ID)
	switch {
	case in && me.Address == s.link.advertise:
		return s.ident.change(func(d *identityData) { d.Joined = true })
	case !in && s.ident.get().Joined:
		return errRemoved
	case len(s.cfg.Join) == 0 && in:
		return fmt.Errorf("the others know this member at %s, not %s: give addresses to join, so that it can tell them", me.Address, s.link.advertise)
	case len(s.cfg.Join) == 0:
		return errors.New("the leader has not let this member in yet")
	}
	// To note a new address the leader takes this member out for a moment,
	// which must not look like a removal if the leader dies then.
	if err := s.ident.change(func(d *identityData) { d.Joined = false }); err != nil {
		return err
	}
	return s.join(ctx)
}

// ask collects the status of the addresses. The error names those who did not
// answer.
func (s *Store) ask(ctx context.Context, addresses []string) ([]reply, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timing.RPC)
	defer cancel()
	type got struct {
		reply
		err error
	}
	results := make(chan got, len(addresses))
	for _, a := range addresses {
		s.work.Go(func() { // bounded by ctx
			if a == s.link.advertise {
				results <- got{s.status(), nil}
				return
			}
			r, err := s.link.call(ctx, a, call{Kind: callStatus, ID: s.cfg.ID, Address: s.link.advertise})
			results <- got{r, err}
		})
	}
	var answers []reply
	var errs []error
	for range addresses {
		if r := <-results; r.err != nil {
			errs = append(errs, r.err)
		} else {
			answers = append(answers, r.reply)
		}
	}
	slices.SortFunc(answers, func(a, b reply) int { return strings.Compare(a.Address, b.Address) })
	return answers, errors.Join(errs...)
}

// mayFound tells whether these answers, one from each address, allow a new
// cluster.
func mayFound(founders []string, expect int, answers []reply) error {
	if len(founders) != expect {
		return fmt.Errorf("expecting %d founding members, but the list to join holds %d with this one: %s; list exactly the founding ones, others join later without expecting any",
			expect, len(founders), strings.Join(founders, ", "))
	}
	ids := map[string]string{}
	for i, r := range answers {
		switch {
		case i >= len(founders) || r.Address != founders[i]:
			return fmt.Errorf("the member at %s calls itself %s: list members by the address that they advertise", founders[min(i, len(founders)-1)], r.Address)
		case !slices.Equal(r.Founders, founders):
			return fmt.Errorf("%s founds with [%s], this member with [%s]: give all founding members the same list",
				r.ID, strings.Join(r.Founders, ", "), strings.Join(founders, ", "))
		case ids[r.ID] != "":
			return fmt.Errorf("%s and %s are both called %s: give each member its own id", ids[r.ID], r.Address, r.ID)
		}
		ids[r.ID] = r.Address
	}
	if len(answers) != len(founders) {
		return fmt.Errorf("%d of %d founding members answer", len(answers), len(founders))
	}
	return nil
}

// found gives all the new cluster's name and then writes the first entry. Who
// has taken the name and has no state can still take another.
func (s *Store) found(ctx context.Context, answers []reply) error {
	if s.ident.cluster() == "" {
		if err := s.ident.change(func(d *identityData) { d.Cluster = newCluster() }); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timing.RPC)
	defer cancel()
	var first raft.Configuration
	for _, r := range answers {
		first.Servers = append(first.Servers, raft.Server{ID: raft.ServerID(r.ID), Address: raft.ServerAddress(r.Address)})
		if r.Address == s.link.advertise {
			continue
		}
		c := call{Kind: callFound, ID: s.cfg.ID, Address: s.link.advertise, Cluster: s.ident.cluster()}
		a, err := s.link.call(ctx, r.Address, c)
		if err == nil && a.Error != "" {
			err = fmt.Errorf("%s %s", r.ID, a.Error)
		}
		if err != nil {
			return fmt.Errorf("found the cluster: %w", err)
		}
	}
	if err := s.await(ctx, s.raft.BootstrapCluster(first)); err != nil {
		return fmt.Errorf("found the cluster: %w", err)
	}
	s.log.Info("cluster founded", "cluster", s.ident.cluster(), "members", len(answers))
	return s.rejoin(ctx)
}

// join asks the listed members, and whom they name as leader, to let this
// member in. Only the leader's answer names the cluster, and without that name
// nobody can make this member vote: so a member that came back with an empty
// directory is out of the configuration before it can vote a second time.
func (s *Store) join(ctx context.Context) error {
	var errs []error
	asked := map[string]bool{s.link.advertise: true}
	queue := slices.Clone(s.cfg.Join)
	for len(queue) > 0 && ctx.Err() == nil {
		a := queue[0]
		queue = queue[1:]
		if asked[a] {
			continue
		}
		asked[a] = true
		r, err := s.askToJoin(ctx, a)
		if err == nil {
			return errors.New("let in, waiting for the configuration")
		}
		errs = append(errs, err)
		if r.LeaderAddress != "" {
			queue = append([]string{r.LeaderAddress}, queue...)
		}
	}
	return fmt.Errorf("join: %w", errors.Join(append(errs, ctx.Err())...))
}

func (s *Store) askToJoin(ctx context.Context, address string) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*s.cfg.Timing.RPC)
	defer cancel()
	r, err := s.link.call(ctx, address, call{
		Kind: callJoin, ID: s.cfg.ID, Address: s.link.advertise, Cluster: s.ident.cluster(), Fresh: !s.hasState(),
	})
	if err != nil {
		return r, err
	}
	if r.Error != "" {
		return r, fmt.Errorf("%s at %s: %s", r.ID, address, r.Error)
	}
	return r, s.ident.change(func(d *identityData) { d.Cluster = r.Cluster })
}

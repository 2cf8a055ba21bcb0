package store

import (
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/raft"
)

// Recovery says what Recover found and what it did or would do.
type Recovery struct {
	Cluster       string   // its name afterwards: a new one, which shuts out dropped members
	LastIndex     uint64   // last entry on this member
	LastTerm      uint64   // its term; the member with the highest (term, index) knows most
	SnapshotIndex uint64   // 0 = none
	Uncertain     uint64   // entries behind the snapshot: they count as committed from now on
	Before        []Member // the configuration in force
	After         []Member
	Dropped       []string // ids in Before that are not in After
	Done          bool     // false after a dry run
}

// Recover gives a stopped member a new configuration, when a majority is lost
// for good: the last way out. Run it with the same peers on every member that
// is left, each stopped, and then start them. All peers become voters. Entries
// that this member has and the majority may not have committed count as
// committed; commands that only lost members knew are lost. A dry run changes
// nothing.
//
// Of cfg it takes ID, Dir, LogKind, Log and Machine, which is used up.
func Recover(cfg Config, peers []Member, dryRun bool) (Recovery, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return Recovery{}, err
	}
	if _, err := os.Stat(identityFile(cfg.Dir)); err != nil { // opening would make the directory
		return Recovery{}, fmt.Errorf("%w in %s: %w; name the right directory, or let this member join instead", errNoState, cfg.Dir, err)
	}
	cfg.readOnly = dryRun
	d, err := openDisk(cfg)
	if err != nil {
		return Recovery{}, err
	}
	r, err := d.recover(cfg, peers, dryRun)
	return r, errors.Join(err, d.close())
}

var errNoState = errors.New("no state to recover from")

func (d *disk) recover(cfg Config, peers []Member, dryRun bool) (Recovery, error) {
	ident, err := loadIdentity(cfg.Dir, cfg.ID)
	if err != nil {
		return Recovery{}, err
	}
	report := Recovery{Cluster: ident.cluster()}
	if has, err := raft.HasExistingState(d.logs, d.stable, d.snaps); err != nil || !has {
		return report, errors.Join(err, fmt.Errorf("%w in %s; let this member join instead", errNoState, cfg.Dir))
	}
	if err := d.survey(&report); err != nil {
		return report, err
	}
	after, err := newPeers(cfg.ID, peers)
	if err != nil {
		return report, err
	}
	next := ident.get().recovered(peers)
	report.Cluster, report.After = next.Cluster, members(after)
	report.Dropped = dropped(report.Before, report.After)
	if dryRun {
		return report, nil
	}
	if err := ident.change(func(d *identityData) { *d = next }); err != nil {
		return report, err
	}
	_, transport := raft.NewInmemTransport("") // asked for nothing but its kind
	err = raft.RecoverCluster(raftConfig(cfg), newReplica(cfg.Machine, cfg.Log), d.logs, d.stable, d.snaps, transport, after)
	if err != nil {
		return report, fmt.Errorf("recover: %w", err)
	}
	report.Done = true
	return report, nil
}

// survey reads how far this member is and which configuration is in force: the
// last one in the log, or else the snapshot's.
func (d *disk) survey(r *Recovery) error {
	snaps, err := d.snaps.List()
	if err != nil {
		return fmt.Errorf("snapshots: %w", err)
	}
	if len(snaps) > 0 {
		r.SnapshotIndex, r.LastIndex, r.LastTerm = snaps[0].Index, snaps[0].Index, snaps[0].Term
		r.Before = members(snaps[0].Configuration)
	}
	last, err := d.logs.LastIndex()
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	for i := r.SnapshotIndex + 1; i <= last; i++ {
		var l raft.Log
		if err := d.logs.GetLog(i, &l); err != nil {
			return fmt.Errorf("log entry %d: %w", i, err)
		}
		if l.Type == raft.LogConfiguration {
			r.Before = members(raft.DecodeConfiguration(l.Data))
		}
		r.LastIndex, r.LastTerm = l.Index, l.Term
	}
	r.Uncertain = r.LastIndex - r.SnapshotIndex
	return nil
}

func newPeers(self string, peers []Member) (raft.Configuration, error) {
	var c raft.Configuration
	ids, addresses := map[string]bool{}, map[string]bool{}
	for _, p := range peers {
		if p.ID == "" || p.Address == "" || ids[p.ID] || addresses[p.Address] {
			return c, fmt.Errorf("member %q at %q: each needs an id and an address of its own", p.ID, p.Address)
		}
		ids[p.ID], addresses[p.Address] = true, true
		c.Servers = append(c.Servers, raft.Server{ID: raft.ServerID(p.ID), Address: raft.ServerAddress(p.Address)})
	}
	if !ids[self] {
		return c, fmt.Errorf("this member, %s, is not among the members to go on with", self)
	}
	return c, nil
}

func members(c raft.Configuration) []Member {
	var out []Member
	for _, s := range c.Servers {
		out = append(out, Member{ID: string(s.ID), Address: string(s.Address), Voter: s.Suffrage == raft.Voter})
	}
	return out
}

func dropped(before, after []Member) []string {
	var out []string
	for _, b := range before {
		stays := false
		for _, a := range after {
			stays = stays || a.ID == b.ID
		}
		if !stays {
			out = append(out, b.ID)
		}
	}
	return out
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"pushfleet/internal/daemon"
	"pushfleet/internal/settings"
	"pushfleet/keeper/config"
	"pushfleet/keeper/state"
	"pushfleet/keeper/store"
)

// recoverState is the command recover.
func recoverState(args []string, w settings.World) int {
	r, ok, exit := config.RecoverCommand(args, w)
	if !ok {
		return exit
	}
	found, err := doRecover(&r, w)
	if err != nil {
		fmt.Fprintln(w.Stderr, "keeper:", err)
		return settings.ExitFailed
	}
	report := reportOf(&r, found)
	if r.Output == "json" {
		e := json.NewEncoder(w.Stdout)
		e.SetIndent("", "  ")
		err = e.Encode(report)
	} else {
		err = report.write(w.Stdout)
	}
	if err != nil {
		fmt.Fprintln(w.Stderr, "keeper:", err)
		return settings.ExitFailed
	}
	return settings.ExitFine
}

func doRecover(r *config.Recovery, w settings.World) (store.Recovery, error) {
	cfg := r.Store()
	log, err := daemon.LogTo(os.Stderr, "warn", r.LogFormat, w.Getenv)
	if err != nil {
		return store.Recovery{}, err
	}
	cfg.Machine, cfg.Log = state.New(), log
	return store.Recover(cfg, r.Members(), r.DryRun)
}

// report is what recover prints; as JSON it is for scripts that compare the
// members.
type report struct {
	ID            string   `json:"id"`
	StateDir      string   `json:"state_dir"`
	Done          bool     `json:"done"`
	Cluster       string   `json:"cluster"` // afterwards
	LastTerm      uint64   `json:"last_term"`
	LastIndex     uint64   `json:"last_index"`
	SnapshotIndex uint64   `json:"snapshot_index"`
	Uncertain     uint64   `json:"uncertain"`
	Members       []change `json:"members"`

	peers []string
}

// change is one member before and after; an empty address is none.
type change struct {
	ID     string `json:"id"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	Voter  bool   `json:"voter_before,omitempty"`
}

func reportOf(r *config.Recovery, found store.Recovery) report {
	out := report{ID: r.ID, StateDir: r.StateDir, Done: found.Done, Cluster: found.Cluster, LastTerm: found.LastTerm,
		LastIndex: found.LastIndex, SnapshotIndex: found.SnapshotIndex, Uncertain: found.Uncertain, peers: r.Peers}
	byID := map[string]*change{}
	one := func(id string) *change {
		if byID[id] == nil {
			byID[id] = &change{ID: id}
		}
		return byID[id]
	}
	for _, m := range found.Before {
		c := one(m.ID)
		c.Before, c.Voter = m.Address, m.Voter
	}
	for _, m := range found.After {
		one(m.ID).After = m.Address
	}
	for _, c := range byID { // any order: sorted below
		out.Members = append(out.Members, *c)
	}
	slices.SortFunc(out.Members, func(a, b change) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func (c change) note() string {
	switch {
	case c.After == "":
		return "given up"
	case c.Before == "":
		return "was no member here: it must have this cluster's state, or join afterwards instead"
	case c.Before != c.After:
		return "moves: start it with --raft-advertise " + c.After
	case !c.Voter:
		return "gets a vote"
	}
	return "stays"
}

func (r report) write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "keeper %s in %s\n", r.ID, r.StateDir)
	fmt.Fprintf(&b, "last entry %d of term %d; the snapshot ends at %d\n", r.LastIndex, r.LastTerm, r.SnapshotIndex)
	fmt.Fprintf(&b, "%d entries behind it may not have been committed; a recovery counts them as such\n\n", r.Uncertain)
	grid := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(grid, "MEMBER\tBEFORE\tAFTER\tWHAT")
	for _, c := range r.Members {
		fmt.Fprintf(grid, "%s\t%s\t%s\t%s\n", c.ID, orDash(c.Before), orDash(c.After), c.note())
	}
	grid.Flush() // into b, which takes everything
	b.WriteString("\n" + r.next())
	_, err := io.WriteString(w, b.String())
	return err
}

// next says what to run where, one step a line.
func (r report) next() string {
	var left, others []string
	for _, c := range r.Members {
		if c.After == "" {
			continue
		}
		if left = append(left, c.ID); c.ID != r.ID {
			others = append(others, c.ID)
		}
	}
	var b strings.Builder
	n := 0
	step := func(format string, args ...any) {
		n++
		fmt.Fprintf(&b, "  %d. %s\n", n, fmt.Sprintf(format, args...))
	}
	command := "keeper recover --peer " + strings.Join(r.peers, " --peer ")
	on := others
	if r.Done {
		fmt.Fprintf(&b, "Done: the cluster is called %s from now on. Next:\n", r.Cluster)
	} else {
		b.WriteString("Dry run, nothing was changed. Next:\n")
		on = left
		if len(others) > 0 {
			step("look at %s as well, stopped too: who has the highest term,\n     and in it the highest entry, knows most", strings.Join(others, ", "))
		}
	}
	if len(on) > 0 {
		step("run on each of %s\n     %s", strings.Join(on, ", "), command)
	}
	if len(left) == 1 {
		step("start %s", left[0])
	} else {
		step("start the one that knows most, then the others of %s", strings.Join(left, ", "))
	}
	step("let others join with an empty state directory: keeper --join HOST:PORT")
	return b.String()
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

package main

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
	"pushfleet/pushctl/table"
)

// historyKnobs bounds of how many knobs, those changed last, the history of
// the whole fleet is put together.
const historyKnobs = 20

func knobHistoryCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "history", Usage: "who changed what, when and why",
		UsageText: "pushctl knob history [NAME] [-n N]",
		Description: `The latest first. Without a name: of the 20 knobs changed last.

  pushctl knob history queue.messages_max
  pushctl knob history -n 10`,
		Flags:  []cli.Flag{&cli.IntFlag{Name: "n", Usage: "at most `N` changes", Value: 50}},
		Action: e.onFleet(0, 1, keeperapi.RoleRead, knobHistory),
	}
}

func knobHistory(f *fleet, c *cli.Context) error {
	if c.Int("n") < 1 {
		return usagef("-n %d: want at least 1", c.Int("n"))
	}
	var rows []table.HistoryRow
	var floor uint64
	if name := c.Args().First(); name != "" {
		h, err := f.History(c.Context, name, f.read)
		if err != nil {
			return err
		}
		floor, rows = h.Floor, historyRows(h)
	} else {
		var err error
		if rows, err = f.histories(c.Context); err != nil {
			return err
		}
	}
	slices.SortStableFunc(rows, func(a, b table.HistoryRow) int { return cmp.Compare(b.Revision, a.Revision) })
	if len(rows) > c.Int("n") {
		rows, floor = rows[:c.Int("n")], 0
	}
	v := &view{docs: []any{whole(rows)}, rows: anys(rows)}
	v.lines = func() []string {
		return table.History(rows, floor, c.Args().First() == "", f.now(), f.wide(), f.style)
	}
	return f.print(v)
}

func historyRows(h *keeperapi.History) []table.HistoryRow {
	rows := make([]table.HistoryRow, 0, len(h.Changes))
	for _, ch := range h.Changes {
		rows = append(rows, table.HistoryRow{Knob: h.Knob, Change: ch})
	}
	return rows
}

// histories joins those of the knobs that changed last.
func (f *fleet) histories(ctx context.Context) ([]table.HistoryRow, error) {
	ks, err := f.Knobs(ctx, f.read)
	if err != nil {
		return nil, err
	}
	ks = slices.DeleteFunc(ks, func(k keeperapi.KnobInfo) bool { return k.Last == 0 })
	slices.SortStableFunc(ks, func(a, b keeperapi.KnobInfo) int { return cmp.Compare(b.Last, a.Last) })
	var rows []table.HistoryRow
	for _, k := range ks[:min(historyKnobs, len(ks))] {
		h, err := f.History(ctx, k.Name, f.read)
		if err != nil {
			return nil, err
		}
		rows = append(rows, historyRows(h)...)
	}
	return rows, nil
}

func knobRollbackCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "rollback", Usage: "make knobs what they were at a revision",
		UsageText: "pushctl knob rollback REV [NAME]… [--why TEXT]",
		Description: `By a new revision, all at once; without names every knob that changed since. Temporary values whose time is over stay away.

  pushctl knob rollback 418
  pushctl knob rollback r418 queue.messages_max --dry-run`,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "now", Usage: "with --all: past freezes and rollouts, needs --why"},
			&cli.BoolFlag{Name: "all", Usage: "with --now: everybody at once"},
		}, changeFlags()...),
		Action: e.onFleet(1, -1, keeperapi.RoleOperate, knobRollback),
	}
}

func knobRollback(f *fleet, c *cli.Context) error {
	to, err := parseRev(c.Args().First())
	if err != nil {
		return usagef("knob rollback: %q is no revision: see pushctl knob history", c.Args().First())
	}
	if c.Bool("now") != c.Bool("all") {
		return usagef("knob rollback: --now and --all go together, so that nobody breaks the glass by accident")
	}
	f.breakGlass(c)
	ask, err := askOf(c)
	if err != nil {
		return err
	}
	r := keeperapi.Rollback{To: to, Knobs: c.Args().Tail(), IfRev: ifRev(c), NowAll: c.Bool("now")}
	a, err := f.Client.Rollback(c.Context, keeperapi.RollbackRequest{Rollback: r, Ask: ask})
	return f.answer(a, err, "")
}

// parseRev reads 418 and r418.
func parseRev(s string) (uint64, error) { return strconv.ParseUint(strings.TrimPrefix(s, "r"), 10, 64) }

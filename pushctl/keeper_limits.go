package main

import (
	"strconv"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
	"pushfleet/pushctl/table"
)

func keeperLimitsCommand(e *env) *cli.Command {
	show := e.onFleet(0, 0, keeperapi.RoleRead, limitsShow)
	return &cli.Command{
		Name: "limits", Usage: "what the keepers remember at most", UsageText: "pushctl keeper limits [set NAME VALUE]",
		Description: "  pushctl keeper limits\n  pushctl keeper limits set history_max 200\n  pushctl keeper limits set forget 30d",
		Subcommands: []*cli.Command{{
			Name: "set", Usage: "change one", UsageText: "pushctl keeper limits set NAME VALUE",
			Description: "  pushctl keeper limits set history_max 200\n  pushctl keeper limits set forget 30d",
			Action:      e.onFleet(2, 2, keeperapi.RoleAdmin, limitsSet),
		}},
		Action: orUnknown("keeper", show),
	}
}

func limitsShow(f *fleet, c *cli.Context) error {
	l, err := f.Limits(c.Context, f.read)
	if err != nil {
		return err
	}
	return f.print(&view{docs: []any{l}, rows: []any{l}, lines: func() []string { return table.Limits(l) }})
}

func limitsSet(f *fleet, c *cli.Context) error {
	l, err := f.Limits(c.Context, keeperapi.Read{})
	if err != nil {
		return err
	}
	if err := changeLimit(l, c.Args().Get(0), c.Args().Get(1)); err != nil {
		return err
	}
	if err := f.SetLimits(c.Context, *l); err != nil {
		return err
	}
	return limitsShow(f, c)
}

// changeLimit sets one by its name.
func changeLimit(l *keeperapi.Limits, name, value string) error {
	if name == "forget" {
		var s span
		if err := s.Set(value); err != nil {
			return usagef("keeper limits set forget %s: %w", value, err)
		}
		l.ForgetMS = s.d.Milliseconds()
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return usagef("keeper limits set %s %s: want a whole number", name, value)
	}
	for _, x := range countLimits(l) {
		if x.name == name {
			*x.n = n
			return nil
		}
	}
	return &hinted{usageError{noSuch("limit", name, limitNames())}, "  all limits        pushctl keeper limits"}
}

type countLimit struct {
	name string
	n    *int
}

func countLimits(l *keeperapi.Limits) []countLimit {
	return []countLimit{{"history_max", &l.History}, {"audit_max", &l.Audit}, {"ids_max", &l.IDs}, {"events_max", &l.Events},
		{"rollouts_max", &l.Rollouts}, {"nodes_max", &l.Nodes}, {"values_max", &l.Values}, {"tokens_max", &l.Tokens}}
}

func limitNames() []string {
	names := []string{"forget"}
	for _, x := range countLimits(&keeperapi.Limits{}) {
		names = append(names, x.name)
	}
	return names
}

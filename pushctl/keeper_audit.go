package main

import (
	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
	"pushfleet/pushctl/table"
)

func keeperAuditCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "audit", Usage: "who did what, when, why and from where", UsageText: "pushctl keeper audit [-n N]",
		Description: "The latest last.\n\n  pushctl keeper audit -n 20\n  pushctl keeper audit -n 1000 -o csv > audit.csv",
		Flags:       []cli.Flag{&cli.IntFlag{Name: "n", Usage: "the last `N` lines", Value: 50}},
		Action: e.onFleet(0, 0, keeperapi.RoleRead, func(f *fleet, c *cli.Context) error {
			if c.Int("n") < 1 {
				return usagef("-n %d: want at least 1", c.Int("n"))
			}
			as, err := f.Audit(c.Context, c.Int("n"), f.read)
			if err != nil {
				return err
			}
			return f.print(&view{docs: []any{whole(as)}, rows: anys(as), lines: func() []string { return table.Audits(as, f.now(), f.wide(), f.style) }})
		}),
	}
}

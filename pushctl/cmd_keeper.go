package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
	"pushfleet/pushctl/table"
)

func keeperCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "keeper", Category: "fleet", Usage: "the keepers: who leads, who may do what, who did it",
		UsageText: "pushctl keeper status|audit|tokens|…",
		Description: `Keepers agree on the knobs of a fleet: 1, 3 or 5 of them, of which more than half must live to turn any.

  pushctl keeper status
  pushctl keeper audit -n 20
  pushctl keeper tokens add maria --role operate --expires 90d`,
		Subcommands: []*cli.Command{
			{Name: "status", Usage: "members, leader, and how far each is", UsageText: "pushctl keeper status",
				Description: "  pushctl keeper status\n  pushctl keeper status -o json | jq -r .leader_id",
				Action:      e.onFleet(0, 0, keeperapi.RoleRead, keeperStatus)},
			keeperJoinCommand(e), keeperRemoveCommand(e), keeperTransferCommand(e), keeperSnapshotCommand(e), keeperRecoverCommand(),
			keeperAuditCommand(e), keeperTokensCommand(e), keeperLimitsCommand(e),
		},
	}
}

func keeperStatus(f *fleet, c *cli.Context) error {
	s, err := f.Status(c.Context)
	if err != nil {
		return err
	}
	if err := f.print(&view{docs: []any{s}, rows: []any{s}, lines: func() []string { return table.KeeperStatus(s, f.wide(), f.style) }}); err != nil {
		return err
	}
	if s.LeaderID == "" { // the screen has said it
		return &shownError{fmt.Errorf("nobody leads: start the missing keepers")}
	}
	return nil
}

func keeperRemoveCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "remove", Usage: "take a member out of the cluster", UsageText: "pushctl keeper remove ID",
		Description: "It may not come back under this name with its old disk. Remove one at a time.\n\n  pushctl keeper remove k3",
		Action: e.onFleet(1, 1, keeperapi.RoleAdmin, func(f *fleet, c *cli.Context) error {
			id := c.Args().First()
			if err := f.RemoveMember(c.Context, id); err != nil {
				return err
			}
			return f.did("removed "+table.Safe(id), map[string]any{"removed": id})
		}),
	}
}

func keeperTransferCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "transfer", Usage: "hand the leadership over, before a restart", UsageText: "pushctl keeper transfer [ID]",
		Description: "Takes a few milliseconds. Without ID: to the member that is furthest.\n\n  pushctl keeper transfer\n  pushctl keeper transfer k2",
		Action: e.onFleet(0, 1, keeperapi.RoleAdmin, func(f *fleet, c *cli.Context) error {
			if err := f.Transfer(c.Context, c.Args().First()); err != nil {
				return err
			}
			s, err := f.Status(c.Context)
			if err != nil {
				return fmt.Errorf("the leadership was handed over, but who has it now is not known: %w", err)
			}
			leader := s.LeaderID
			if leader == "" {
				leader = "not known yet"
			}
			return f.did("handed over; the leader is "+table.Safe(leader), map[string]any{"leader_id": s.LeaderID})
		}),
	}
}

func keeperSnapshotCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "snapshot", Usage: "have the keeper that answers write a snapshot now", UsageText: "pushctl keeper snapshot",
		Description: "They do so by themselves; by hand it is for a copy of the disk.\n\n  pushctl keeper snapshot --keeper 10.0.0.2:7410",
		Action: e.onFleet(0, 0, keeperapi.RoleAdmin, func(f *fleet, c *cli.Context) error {
			if err := f.Snapshot(c.Context); err != nil {
				return err
			}
			return f.did("snapshot written", map[string]any{"snapshot": true})
		}),
	}
}

func keeperRecoverCommand() *cli.Command {
	return &cli.Command{
		Name: "recover", Usage: "when more than half of the keepers are lost for good", UsageText: "keeper recover --peer ID=HOST:PORT … [--dry-run]",
		Description: `It works on the disk of a keeper that is stopped, so it belongs to the keeper program, not to pushctl. On every machine that is left:

  systemctl stop keeper
  keeper recover --peer k1=10.0.0.1:7411 --dry-run
  keeper recover --peer k1=10.0.0.1:7411
  systemctl start keeper

--peer names each keeper that shall be left; give all of them the same list. Here:

  pushctl keeper recover              says the same`,
		SkipFlagParsing: true,
		Action: func(c *cli.Context) error {
			return &hinted{usagef("keeper recover works on the disk of a stopped keeper: it belongs to the keeper program"),
				"  on each that is left   keeper recover --peer ID=HOST:PORT … --dry-run\n" +
					"  more                   pushctl keeper recover --help"}
		},
	}
}

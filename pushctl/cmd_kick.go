package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

func kickCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "kick", Category: "change", Usage: "close one connection, or all of a user",
		UsageText: "pushctl kick ID\npushctl kick --user USER",
		Description: `ID is what top prints, with several nodes NODE/ID. The client gets close code 4001, which tells it not to come back by itself.

  pushctl kick 3.1f20.2
  pushctl kick --user u-88121`,
		Flags: []cli.Flag{&cli.StringFlag{Name: "user", Usage: "close every connection of `USER`"}},
		Action: func(c *cli.Context) error {
			o, err := e.options(c)
			if err != nil {
				return err
			}
			user := c.String("user")
			id := c.Args().First()
			var ref connRef
			switch {
			case user == "" && id == "":
				return usagef("kick: whom? pushctl kick ID, or pushctl kick --user USER")
			case user != "" && id != "":
				return usagef("kick: either ID or --user, not both")
			case user == "":
				if ref, err = parseConn(id); err != nil {
					return usageError{fmt.Errorf("%w; for a user: pushctl kick --user %s", err, pushdapi.Quote(id))}
				}
			}
			if err := wantArgs(c, 0, 1); err != nil {
				return err
			}
			nodes, err := o.clients(c.Context)
			if err != nil {
				return err
			}
			if user != "" {
				return kickUser(c.Context, o, nodes, user)
			}
			return kickConn(c.Context, o, nodes, ref)
		},
	}
}

// kicked is the document of kick.
type kicked struct {
	pushdapi.Kicked
	Conn string `json:"conn,omitempty"`
	User string `json:"user,omitempty"`
}

func kickUser(ctx context.Context, o *options, nodes []*pushdapi.Client, user string) error {
	a := ask(ctx, nodes, func(ctx context.Context, c *pushdapi.Client) (pushdapi.Kicked, error) {
		k, err := c.KickUser(ctx, user)
		if isNotFound(err) {
			err = nil
		}
		return k, err
	})
	if len(a.vals) == 0 {
		return a.err()
	}
	k := kicked{User: user}
	for _, on := range a.vals {
		k.Kicked.Kicked += on.Kicked
		k.Unanswered += on.Unanswered
	}
	text := fmt.Sprintf("kicked %s of %s", table.Plural(int64(k.Kicked.Kicked), "connection"), table.Safe(user))
	switch {
	case k.Unanswered > 0:
		text += fmt.Sprintf(", %d more as soon as their loop, which is busy, gets to it", k.Unanswered)
	case k.Kicked.Kicked == 0:
		text = table.Safe(user) + " has no connection"
	}
	if err := o.print(&view{lines: func() []string { return []string{text} }, docs: []any{k}, rows: []any{k}}); err != nil {
		return err
	}
	return a.err()
}

// kickConn closes a connection on the one node that has it. Nodes that are no
// fleet number their connections alike, so that an id may be on several.
func kickConn(ctx context.Context, o *options, nodes []*pushdapi.Client, ref connRef) error {
	nodes, err := ref.among(ctx, nodes)
	if err != nil {
		return err
	}
	id, holder := ref.id, nodes[0]
	var silent error
	if len(nodes) > 1 {
		a := ask(ctx, nodes, func(ctx context.Context, c *pushdapi.Client) (*pushdapi.Conn, error) { return c.Conn(ctx, id) })
		silent = a.known()
		if len(a.vals) == 0 {
			return goneHint(silent)
		}
		if len(a.vals) > 1 {
			var on []string
			for _, c := range a.vals {
				on = append(on, fmt.Sprintf("%s of %s", table.ConnID(c.Node, id), table.Safe(c.User)))
			}
			return usagef("%s is open on several nodes: name one of %s, or choose with --node", id, strings.Join(on, ", "))
		}
		holder = a.from[0]
	}
	if err := holder.KickConn(ctx, id); err != nil {
		if isNotFound(err) {
			return goneHint(err)
		}
		return &silentError{asked: 1, silent: []silentNode{{holder.Addr(), err}}}
	}
	k := kicked{Kicked: pushdapi.Kicked{Kicked: 1}, Conn: id}
	if err := o.print(&view{lines: func() []string { return []string{"kicked " + id} }, docs: []any{k}, rows: []any{k}}); err != nil {
		return err
	}
	return silent
}

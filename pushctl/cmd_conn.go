package main

import (
	"context"
	"strings"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

func connCommand(e *env) *cli.Command {
	every := &seconds{}
	return &cli.Command{
		Name: "conn", Category: "look", Usage: "one connection: what it does, why it is slow, what to try",
		UsageText: "pushctl conn ID [-w [SECONDS]]",
		Description: `ID is what top prints, with several nodes NODE/ID. The node is asked for this one socket's TCP figures. The sentence at the end says who makes the connection slow: the client that does not read, the network, the publisher or the node.

  pushctl conn 3.1f20.2
  pushctl conn 3.1f20.2 -o json`,
		Flags: []cli.Flag{watchFlag(every)},
		Action: func(c *cli.Context) error {
			o, err := e.options(c)
			if err != nil {
				return err
			}
			ref, err := connID(c)
			if err != nil {
				return err
			}
			nodes, err := o.clients(c.Context)
			if err != nil {
				return err
			}
			asked := len(nodes)
			if nodes, err = ref.among(c.Context, nodes); err != nil {
				return err
			}
			look := func(ctx context.Context) (*view, error) { return connLook(ctx, o, nodes, ref.id, asked) }
			if every.d > 0 {
				return o.watch(c.Context, every.d, look)
			}
			return o.once(c.Context, look)
		},
	}
}

// connID is the only argument of a command, checked before a node is asked.
func connID(c *cli.Context) (connRef, error) {
	if err := wantArgs(c, 1, 1); err != nil {
		return connRef{}, err
	}
	ref, err := parseConn(c.Args().First())
	if err != nil {
		return connRef{}, usageError{err}
	}
	return ref, nil
}

// connLook explains the connection of that ID on each of the nodes. asked is
// how many nodes the command line named.
func connLook(ctx context.Context, o *options, nodes []*pushdapi.Client, id string, asked int) (*view, error) {
	a := ask(ctx, nodes, func(ctx context.Context, c *pushdapi.Client) (*pushdapi.Conn, error) { return c.Conn(ctx, id) })
	err := a.known()
	if len(a.vals) == 0 {
		return nil, goneHint(err)
	}
	v := &view{lines: func() []string {
		var lines []string
		for i, c := range a.vals {
			if i > 0 {
				lines = append(lines, "")
			}
			lines = append(lines, table.Conn(c, o.wide(), o.style)...)
		}
		return lines
	}}
	for _, c := range a.vals {
		located(c.Cause.Try, c, asked)
		v.docs, v.rows = append(v.docs, c), append(v.rows, c)
	}
	return v, err
}

// goneHint points at the ring of closed connections when one is not found.
func goneHint(err error) error {
	if isNotFound(err) && !strings.Contains(err.Error(), "pushctl closed") {
		return &hinted{err, "  it may be gone    pushctl closed"}
	}
	return err
}

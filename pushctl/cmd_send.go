package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

// dataMax bounds what is read of a file or standard input, in bytes; the
// node's own bound is lower.
const dataMax = 16 << 20

func sendFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "class", Usage: "`CLASS` of the message: normal, volatile or stored"},
		&cli.DurationFlag{Name: "ttl", Usage: "drop it when it has waited `TIME`"},
		&cli.StringFlag{Name: "id", Usage: "`ID`: the same id to the same user is delivered once"},
		&cli.StringFlag{Name: "key", Usage: "replace a queued message with the same `KEY` (policy coalesce)"},
		&cli.StringFlag{Name: "group", Usage: "to everyone in `GROUP`"},
	}
}

func sendCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "send", Category: "by hand", Usage: "send a message to users or a group",
		UsageText: "pushctl send USER… DATA\npushctl send --group GROUP DATA",
		Description: `DATA is JSON, @FILE or - for standard input. What is not JSON is sent as a string. With several nodes the message goes to each of them; nodes of one fleet pass it on themselves, so name one.

  pushctl send u-88121 '{"text":"hello"}'
  pushctl send u-1 u-2 @offer.json --class volatile --ttl 10s
  date | pushctl send --group ops -`,
		Flags: sendFlags(),
		Action: func(c *cli.Context) error {
			least := 2
			if c.String("group") != "" {
				least = 1
			}
			if err := wantArgs(c, least, -1); err != nil {
				return err
			}
			words := c.Args().Slice()
			users, data := words[:len(words)-1], words[len(words)-1]
			if c.String("group") != "" && len(users) > 0 {
				return usagef("send: either users or --group, not both")
			}
			s := pushdapi.Send{Group: c.String("group")}
			if len(users) == 1 {
				s.User = users[0]
			} else {
				s.Users = users
			}
			return e.publish(c, s, data, (*pushdapi.Client).Send)
		},
	}
}

func broadcastCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "broadcast", Category: "by hand", Usage: "send a message to everyone",
		UsageText: "pushctl broadcast DATA [--group GROUP]",
		Description: `DATA is JSON, @FILE or - for standard input.

  pushctl broadcast '"maintenance at 22:00"'
  pushctl broadcast --group ops @notice.json`,
		Flags: sendFlags(),
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, 1); err != nil {
				return err
			}
			return e.publish(c, pushdapi.Send{Group: c.String("group")}, c.Args().First(), (*pushdapi.Client).Broadcast)
		},
	}
}

// publish completes a message from the flags and hands it to the nodes.
func (e *env) publish(c *cli.Context, s pushdapi.Send, data string,
	via func(*pushdapi.Client, context.Context, pushdapi.Send) (*pushdapi.Result, error)) error {
	o, err := e.options(c)
	if err != nil {
		return err
	}
	if _, err := push.ParseClass(c.String("class")); err != nil {
		return usageError{fmt.Errorf("--class: %w", err)}
	}
	if s.Data, err = readData(data, e.in); err != nil {
		return err
	}
	s.Class, s.TTL, s.ID, s.Key = c.String("class"), pushdapi.Duration(c.Duration("ttl")), c.String("id"), c.String("key")
	nodes, err := o.clients(c.Context)
	if err != nil {
		return err
	}
	a := ask(c.Context, nodes, func(ctx context.Context, n *pushdapi.Client) (*pushdapi.Result, error) { return via(n, ctx, s) })
	if len(a.vals) == 0 {
		return a.err()
	}
	sum := &pushdapi.Result{}
	for _, r := range a.vals {
		table.AddResult(sum, r)
	}
	v := &view{lines: func() []string { return []string{table.Result(sum)} }, docs: []any{sum}, rows: []any{sum}}
	if err := o.print(v); err != nil {
		return err
	}
	return a.err()
}

// readData turns the DATA argument into JSON: literal, @FILE or - for in.
func readData(arg string, in io.Reader) (json.RawMessage, error) {
	b := []byte(arg)
	var err error
	switch {
	case arg == "-":
		b, err = readBounded(in)
	case strings.HasPrefix(arg, "@"):
		var f *os.File
		if f, err = os.Open(arg[1:]); err == nil {
			defer f.Close()
			b, err = readBounded(f)
		}
	}
	if err != nil {
		return nil, err
	}
	if json.Valid(b) {
		return json.RawMessage(strings.TrimSpace(string(b))), nil
	}
	// What looks like JSON but is not was meant to be.
	text := strings.TrimSpace(string(b))
	if text != "" && strings.ContainsRune(`{["`, rune(text[0])) {
		var v any
		err := json.Unmarshal(b, &v)
		if s, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, usagef("DATA is not JSON at byte %d: %w", s.Offset, err)
		}
		return nil, usagef("DATA is not JSON: %w", err)
	}
	return json.Marshal(strings.TrimSuffix(string(b), "\n"))
}

func readBounded(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, dataMax+1))
	if err == nil && len(b) > dataMax {
		return nil, fmt.Errorf("DATA is larger than %s", table.Bytes(dataMax))
	}
	return b, err
}

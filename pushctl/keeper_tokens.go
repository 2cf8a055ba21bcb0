package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/keeperapi"
	"pushfleet/pushctl/table"
)

func keeperTokensCommand(e *env) *cli.Command {
	show := e.onFleet(0, 0, keeperapi.RoleAdmin, tokensList)
	return &cli.Command{
		Name: "tokens", Usage: "who may ask the keepers from afar", UsageText: "pushctl keeper tokens [list|add|remove]",
		Description: `Roles: read, operate (turn knobs, run rollouts), admin (tokens, limits, members, break-glass). The keepers know only a hash of each.

  pushctl keeper tokens
  pushctl keeper tokens add maria --role operate --expires 90d
  pushctl keeper tokens remove maria`,
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "all tokens", UsageText: "pushctl keeper tokens list", Description: "  pushctl keeper tokens list", Action: show},
			{Name: "add", Usage: "make a token and print it, once", UsageText: "pushctl keeper tokens add NAME --role ROLE [--expires TIME]",
				Description: "  pushctl keeper tokens add maria --role operate --expires 90d > token",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "role", Usage: "what its bearer may do: `ROLE` is read, operate or admin"},
					&cli.GenericFlag{Name: "expires", Usage: "good for `TIME`, as 90d or 12h (default: for ever)", Value: &span{}},
					&cli.StringFlag{Name: "why", Usage: "reason kept in the audit: `TEXT`"},
				},
				Action: e.onFleet(1, 1, keeperapi.RoleAdmin, tokensAdd)},
			{Name: "remove", Usage: "a token is good no longer", UsageText: "pushctl keeper tokens remove NAME [--why TEXT]",
				Description: "  pushctl keeper tokens remove maria",
				Flags:       []cli.Flag{&cli.StringFlag{Name: "why", Usage: "reason kept in the audit: `TEXT`"}},
				Action:      e.onFleet(1, 1, keeperapi.RoleAdmin, tokensRemove)},
		},
		Action: orUnknown("keeper", show),
	}
}

// orUnknown is the action of a command whose words are subcommands: without
// one it does something itself.
func orUnknown(parent string, alone cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		if name := c.Args().First(); name != "" {
			return unknownCommand(&line{path: []*cli.Command{{Name: parent}, c.Command}}, c.Command.Subcommands, name)
		}
		return alone(c)
	}
}

func roles() []string {
	return []string{string(keeperapi.RoleRead), string(keeperapi.RoleOperate), string(keeperapi.RoleAdmin)}
}

func tokensList(f *fleet, c *cli.Context) error {
	ts, err := f.Tokens(c.Context, f.read)
	if err != nil {
		return err
	}
	return f.print(&view{docs: []any{whole(ts)}, rows: anys(ts), lines: func() []string { return table.Tokens(ts, f.now(), f.wide(), f.style) }})
}

// newToken is the only place where a secret is ever shown.
type newToken struct {
	Name    string         `json:"name"`
	Role    keeperapi.Role `json:"role"`
	Expires keeperapi.Time `json:"expires_ms,omitempty"`
	Token   string         `json:"token"`
}

func tokensAdd(f *fleet, c *cli.Context) error {
	if c.String("role") == "" {
		return usagef("keeper tokens add: say what its bearer may do: --role read, operate or admin")
	}
	if err := oneOf("--role", c.String("role"), roles()); err != nil {
		return err
	}
	t := newToken{Name: c.Args().First(), Role: keeperapi.Role(c.String("role")), Token: rand.Text()}
	if d := c.Generic("expires").(*span).d; d > 0 {
		t.Expires = keeperapi.TimeOf(f.now().Add(d))
	}
	if err := f.addToken(c, &t); err != nil {
		return err
	}
	return f.print(&view{docs: []any{t}, rows: []any{t}, lines: func() []string { return []string{t.Token} }})
}

func (f *fleet) addToken(c *cli.Context, t *newToken) error {
	sum := sha256.Sum256([]byte(t.Token))
	set := keeperapi.TokenSet{Name: t.Name, Role: t.Role, Hash: hex.EncodeToString(sum[:]), Expires: t.Expires}
	if _, err := f.SetToken(c.Context, keeperapi.TokenRequest{TokenSet: set, Ask: keeperapi.Ask{Why: c.String("why")}}); err != nil {
		return err
	}
	if f.forPeople() {
		for _, l := range tokenNote(t, f.now()) {
			if _, err := f.err.Write([]byte(l + "\n")); err != nil {
				return err
			}
		}
	}
	return nil
}

// tokenNote stands beside the token, on the other stream, so that it can be
// sent to a file alone.
func tokenNote(t *newToken, now time.Time) []string {
	good := "for ever"
	if t.Expires != 0 {
		good = "for " + table.Span(t.Expires.Go().Sub(now).Round(time.Second))
	}
	return []string{"token of " + table.Safe(t.Name) + ", " + string(t.Role) + ", good " + good + ". It is shown once; use it as",
		"  PUSHCTL_TOKEN=… pushctl …   or   pushctl --token-file FILE …"}
}

func tokensRemove(f *fleet, c *cli.Context) error {
	name := c.Args().First()
	r := keeperapi.TokenRequest{TokenSet: keeperapi.TokenSet{Name: name, Remove: true}, Ask: keeperapi.Ask{Why: c.String("why")}}
	a, err := f.SetToken(c.Context, r)
	if err != nil {
		return err
	}
	return f.print(&view{docs: []any{a}, rows: []any{a}, lines: func() []string {
		return []string{table.Rev(a.Revision) + "  token " + table.Safe(name) + " removed"}
	}})
}

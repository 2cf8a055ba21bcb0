package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

// formats are the values of -o.
func formats() []string { return []string{"table", "wide", "json", "ndjson", "csv"} }

// globalFlags work before and after the command.
func globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "node", Usage: "ask the node at `ADDR`: socket path or host:port; repeat for several (PUSHCTL_NODE; default: this machine's)"},
		&cli.StringSliceFlag{Name: "keeper", Usage: "ask the keepers at `ADDR`,…: socket path, host:port or URL (PUSHCTL_KEEPER; default: this machine's)"},
		&cli.StringFlag{Name: "keeper-ca", Usage: "trust the keepers whose certificate is signed by `FILE`, in PEM (PUSHCTL_KEEPER_CA)"},
		&cli.StringFlag{Name: "token-file", Usage: "send the keepers the token in `FILE` (PUSHCTL_TOKEN: the token itself)"},
		&cli.BoolFlag{Name: "stale", Usage: "take what the keeper that answers knows, also without a leader; it may be old"},
		&cli.StringFlag{Name: "context", Usage: "ask the nodes and keepers of context `NAME` in ~/.config/pushctl/config.toml"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write `FORMAT`: table (the default), wide, json, ndjson or csv", Value: "table"},
		&cli.BoolFlag{Name: "json", Usage: "same as -o json"},
		&cli.DurationFlag{Name: "timeout", Usage: "wait `TIME` for an answer (5s)", Value: 5 * time.Second},
		&cli.StringFlag{Name: "color", Usage: "`WHEN` to colour: auto, always or never (NO_COLOR is honoured)", Value: "auto"},
	}
}

// options are the global flags, checked.
type options struct {
	*env
	format  string
	timeout time.Duration
	style   table.Style
	named   []string // nodes asked for; nil is the default places
}

// options reads the global flags of a command that asks nodes.
func (e *env) options(c *cli.Context) (*options, error) {
	o, err := e.rendering(c)
	if err != nil {
		return nil, err
	}
	o.named, err = chooseNodes(c.StringSlice("node"), c.String("context"), e.getenv("PUSHCTL_NODE"), e.config)
	return o, err
}

func (e *env) config() (*config, error) { return readConfig(configPath(e.getenv)) }

// rendering reads the global flags that are not about whom to ask.
func (e *env) rendering(c *cli.Context) (*options, error) {
	o := &options{env: e, format: c.String("output"), timeout: c.Duration("timeout")}
	if c.Bool("json") {
		o.format = "json"
	}
	if !slices.Contains(formats(), o.format) {
		return nil, usagef("-o %s: want one of %s", o.format, strings.Join(formats(), ", "))
	}
	if o.timeout <= 0 {
		return nil, usagef("--timeout %s: want a time above zero, for example 5s", o.timeout)
	}
	switch when := c.String("color"); when {
	case "auto":
		o.style.Color = e.terminal && e.getenv("NO_COLOR") == "" && e.getenv("TERM") != "dumb"
	case "always":
		o.style.Color = true
	case "never":
	default:
		return nil, usagef("--color %s: want auto, always or never", when)
	}
	return o, nil
}

// forPeople says whether the output is a screen rather than data.
func (o *options) forPeople() bool { return o.format == "table" || o.format == "wide" }

func (o *options) wide() bool { return o.format == "wide" }

// clients returns one client for each node to ask.
func (o *options) clients(ctx context.Context) ([]*pushdapi.Client, error) {
	addrs := o.named
	if addrs == nil {
		addr, err := findNode(ctx, defaultNodes(o.getenv))
		if err != nil {
			return nil, err
		}
		addrs = []string{addr}
	}
	var cs []*pushdapi.Client
	for _, a := range addrs {
		cs = append(cs, o.client(a))
	}
	return cs, nil
}

func (o *options) client(addr string) *pushdapi.Client {
	// The node's log and tee status tell which of several it was.
	return pushdapi.New(addr, pushdapi.Options{Timeout: o.timeout, UserAgent: fmt.Sprintf("pushctl[%d]", os.Getpid())})
}

func splitList(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

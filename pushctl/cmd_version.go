package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushctl/table"
)

func versionCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "version", Category: "more", Usage: "version of pushctl and of the nodes in reach",
		UsageText:   "pushctl version",
		Description: "  pushctl version\n  pushctl version -o json",
		Action: func(c *cli.Context) error {
			o, err := e.options(c)
			if err != nil {
				return err
			}
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			return printVersion(c.Context, o)
		},
	}
}

// versions is the document of version.
type versions struct {
	Pushctl pushdapi.Version   `json:"pushctl"`
	Nodes   []pushdapi.Version `json:"nodes"`
}

func printVersion(ctx context.Context, o *options) error {
	v := versions{Pushctl: ownVersion(), Nodes: []pushdapi.Version{}}
	lines := []string{versionLine("pushctl", v.Pushctl)}
	nodes, err := o.clients(ctx)
	if err == nil {
		a := ask(ctx, nodes, func(ctx context.Context, c *pushdapi.Client) (*pushdapi.Version, error) { return c.Version(ctx) })
		for _, n := range a.vals {
			v.Nodes = append(v.Nodes, *n)
			lines = append(lines, versionLine("pushd", *n)+"  on "+table.Safe(n.Node))
		}
		err = a.err()
	}
	// Without a word about nodes, one that does not run is no failure.
	if err != nil && o.named == nil {
		lines, err = append(lines, "no node is running on this machine"), nil
	}
	doc := []any{v}
	if perr := o.print(&view{lines: func() []string { return lines }, docs: doc, rows: doc}); perr != nil {
		return perr
	}
	return err
}

func versionLine(program string, v pushdapi.Version) string {
	s := fmt.Sprintf("%-8s %s  %s", program, table.Safe(v.Version), table.Safe(v.Go))
	if v.Commit != "" {
		s += "  " + table.Safe(v.Commit[:min(12, len(v.Commit))])
	}
	return s
}

// version is set by the linker: -X main.version=0.1.0.
var version = "0.1.0-dev"

// ownVersion reads what the build has stamped into the program.
func ownVersion() pushdapi.Version {
	v := pushdapi.Version{Version: version, Go: runtime.Version()}
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range b.Settings {
		if s.Key == "vcs.revision" {
			v.Commit = s.Value
		}
	}
	return v
}

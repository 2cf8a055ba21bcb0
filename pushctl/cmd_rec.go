package main

import (
	"github.com/urfave/cli/v2"
)

func recCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "rec", Category: "look", Usage: "what happened at 14:03:07",
		UsageText: "pushctl rec at|show|find|export|plot|…",
		Description: `Each node records a second of everything: kernel, Go runtime, connections, queues, knobs. A day of seconds is kept and two weeks of each 10 s, and around a moment when something was slow each 100 ms. With --file the records are read from the disk of a node that is dead.

  pushctl rec at 14:03:07 --diff 14:02:00
  pushctl rec show --from -10m --fields queued,cpu.softirq
  pushctl rec find 'queued > 1e5' --from -24h
  pushctl rec at 'yesterday 14:03' --file /var/lib/pushd/recorder`,
		Subcommands: []*cli.Command{
			recAtCommand(e), recShowCommand(e), recFindCommand(e), recExportCommand(e), recPlotCommand(e),
			recFieldsCommand(e), recStatusCommand(e), recBundlesCommand(e), recBundleCommand(e),
		},
	}
}

// onMemories wraps what a command does with nodes or files.
func (e *env) onMemories(least, most int, f func(*options, *cli.Context, []memory) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		o, err := e.options(c)
		if err != nil {
			return err
		}
		if err := wantArgs(c, least, most); err != nil {
			return err
		}
		ms, err := o.memories(c)
		if err != nil {
			return err
		}
		return f(o, c, ms)
	}
}

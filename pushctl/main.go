// Command pushctl shows what push nodes do and why, and changes how they
// behave. One file per command.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"
)

func main() { os.Exit(run(os.Args[1:], host())) }

// commands lists all commands in the order of the help text.
func commands(e *env) []*cli.Command {
	return []*cli.Command{
		statsCommand(e), topCommand(e), connCommand(e), whyCommand(e), closedCommand(e), traceCommand(e),
		kickCommand(e), recCommand(e), knobCommand(e), nodesCommand(e), keeperCommand(e),
		sendCommand(e), broadcastCommand(e), listenCommand(e),
		pprofCommand(e), probeCommand(e), benchCommand(e), teeCommand(e), doctorCommand(e), versionCommand(e), completionCommand(e), manCommand(e),
	}
}

func newApp(e *env) *cli.App {
	app := &cli.App{
		Name: "pushctl", Usage: "see what push nodes do and why, and change it",
		UsageText:   "pushctl [--node ADDR]… [--keeper ADDR] [-o FORMAT] COMMAND [ARGUMENT]… [FLAG]…",
		Description: "Exit status: 0 fine, 1 failed, 2 wrong usage, 3 some of the nodes did not answer, or have not applied a change yet, or a recording breaks off.\n\n  pushctl top --by wait      the slowest connections\n  pushctl help top           more on one command",
		Commands:    commands(e), Flags: globalFlags(),
		Writer: e.out, ErrWriter: e.err, Reader: e.in,
		HideHelp: true, HideVersion: true,
		// Errors are reported once, by run.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usage,
	}
	each(app.Commands, func(c *cli.Command) { c.HideHelp, c.OnUsageError = true, usage })
	return app
}

// usage marks what the flag parser refuses.
func usage(c *cli.Context, err error, _ bool) error { return badValue(c, err) }

// each visits commands and their subcommands.
func each(cs []*cli.Command, f func(*cli.Command)) {
	for _, c := range cs {
		f(c)
		each(c.Subcommands, f)
	}
}

// run obeys one command line and returns the exit status.
func run(args []string, e *env) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	app := newApp(e)
	if len(args) > 0 && args[0] == completeWord {
		complete(ctx, e, app, args[1:])
		return exitFine
	}
	err := obey(ctx, e, app, args)
	// Who interrupts has what he wants; so has who closes the pipe (| head).
	if err == nil || (ctx.Err() != nil && errors.Is(err, context.Canceled)) || errors.Is(err, syscall.EPIPE) {
		return exitFine
	}
	report(e.err, err)
	return exitCode(err)
}

func obey(ctx context.Context, e *env, app *cli.App, args []string) error {
	l, err := arrange(app, args)
	if err != nil {
		return err
	}
	if leaf := l.leaf(); l.help || leaf == nil || (leaf.Action == nil && len(leaf.Subcommands) > 0) {
		printHelp(e.out, app, l)
		return nil
	}
	return app.RunContext(ctx, l.sorted(app.Name))
}

// wantArgs checks the number of arguments of a command.
func wantArgs(c *cli.Context, least, most int) error {
	n := c.NArg()
	switch {
	case n < least:
		return usagef("%s: something is missing: %s", short(c.Command), useOf(c.Command))
	case most >= 0 && n > most:
		return usagef("%s: %q is too much: %s", short(c.Command), c.Args().Get(most), useOf(c.Command))
	}
	return nil
}

// short is how a command is called, behind the program's own name.
func short(c *cli.Command) string { return strings.TrimPrefix(c.HelpName, "pushctl ") }

func useOf(c *cli.Command) string { return strings.ReplaceAll(c.UsageText, "\n", " or ") }

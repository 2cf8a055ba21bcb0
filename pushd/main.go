// Command pushd is a push gateway node. See README.md.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"

	"pushfleet/internal/daemon"
	"pushfleet/internal/settings"
	"pushfleet/pushd/config"
	"pushfleet/pushd/node"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	cfg, start, exit := config.Command(args, settings.World{Getenv: os.Getenv, ReadFile: os.ReadFile, Stdout: os.Stdout, Stderr: os.Stderr,
		Version: node.Version}, node.Knobs())
	if !start {
		return exit
	}
	tuneRuntime(cfg.Loops)
	level := new(slog.LevelVar) // turned by the knob log.level
	log := daemon.LogAt(os.Stderr, level, cfg.LogFormat, os.Getenv)
	n, err := node.New(cfg, log)
	if err != nil {
		fmt.Fprintln(os.Stderr, "pushd:", err)
		return 1
	}
	n.TurnLogLevel(level)
	if err := serve(n, log); err != nil {
		log.Error("ended", "err", err)
		return 1
	}
	return 0
}

// serve runs the node until it is told to end, with what systemd offers.
func serve(n *node.Node, log *slog.Logger) error {
	sockets, err := daemon.InheritedSockets(os.Getenv)
	if err != nil {
		return err
	}
	n.Inherit(sockets)
	notify, err := daemon.NewNotifier(os.Getenv)
	if err != nil {
		log.Warn("systemd is not told", "err", err)
	}
	o := daemon.Options{Log: log, Notify: notify, Status: n.StatusLine}
	parts := []daemon.Part{{Name: "node", Start: n.Start, Stop: n.Stop}, {Name: "knobs", Start: n.AwaitKeepers}}
	if notify.WatchdogInterval() > 0 {
		probe := n.SelfProbe()
		o.Probe = probe.Check
		parts = append(parts, daemon.Part{Name: "self-probe", Stop: probe.Close})
	}
	return daemon.Run(context.Background(), o, parts...)
}

// tuneRuntime gives the private side processors of its own, so that it never
// takes the loops' (the environment's GOMAXPROCS wins).
func tuneRuntime(loops int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(runtime.NumCPU(), loops) + 2)
	}
}

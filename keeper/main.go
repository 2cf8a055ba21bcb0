// Command keeper keeps the knobs of a fleet, alone or with others. See
// README.md.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"pushfleet/internal/daemon"
	"pushfleet/internal/settings"
	"pushfleet/internal/tlsfile"
	"pushfleet/keeper/config"
	"pushfleet/keeper/member"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	w := settings.World{Getenv: os.Getenv, ReadFile: os.ReadFile, Stdout: os.Stdout, Stderr: os.Stderr, Version: member.BuildVersion()}
	if len(args) > 0 && args[0] == "recover" {
		return recoverState(args[1:], w)
	}
	cfg, serve, exit := config.Command(args, w)
	if !serve {
		return exit
	}
	log, err := daemon.LogTo(os.Stderr, cfg.LogLevel, cfg.LogFormat, os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "keeper:", err)
		return settings.ExitUsage
	}
	notify, err := daemon.NewNotifier(os.Getenv)
	if err != nil {
		log.Warn("systemd is not told", "err", err)
	}
	m, err := open(&cfg, log)
	if err != nil {
		fmt.Fprintln(os.Stderr, "keeper:", err)
		return settings.ExitFailed
	}
	h := &herald{member: m, cfg: &cfg, notify: notify, log: log, wait: readyWait}
	err = daemon.Run(context.Background(), daemon.Options{Log: log, Notify: notify, Probe: h.probe},
		daemon.Part{Name: "keeper", Stop: m.Stop}, daemon.Part{Name: "readiness", Start: h.start, Stop: h.stop})
	if err != nil {
		log.Error("ended", "err", err)
		return settings.ExitFailed
	}
	return settings.ExitFine
}

// open starts the member that the configuration describes.
func open(cfg *config.Config, log *slog.Logger) (*member.Member, error) {
	c := member.Config{Store: cfg.Store(), API: cfg.API, APIAdvertise: cfg.APIAdvertise, Socket: cfg.Socket,
		Version: member.BuildVersion(), Log: log}
	c.Store.Embedded = true // a keeper that says what it waits for is better than one that dies again and again
	if cfg.APITLS != (config.APITLS{}) {
		var err error
		if c.APITLS, err = tlsfile.Server(cfg.APITLS.Cert, cfg.APITLS.Key, log); err != nil {
			return nil, fmt.Errorf("API: %w", err)
		}
	}
	return member.Open(c)
}

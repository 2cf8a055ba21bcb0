// Settings is a small program that obeys keepers: its settings are a struct,
// start with what a file says, change while it runs, and go back by themselves
// when a guard breaks. README.md beside it shows it at work.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"pushfleet/internal/agent"
	"pushfleet/internal/keeperapi"
	"pushfleet/internal/knob"
)

// settings are what operators may turn. The handles are read where they
// matter; there is no reload.
type settings struct {
	Pace    *knob.Int      `knob:"shop.pace" unit:"orders" default:"20" min:"1" max:"1000" help:"Orders begun in a second."`
	Timeout *knob.Duration `knob:"shop.timeout" default:"100ms" min:"1ms" max:"10s" risk:"medium" help:"After which an order has failed."`
	Retry   *knob.Bool     `knob:"shop.retry" default:"off" help:"Try a failed order once more."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "settings:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	host, _ := os.Hostname()
	flags := flag.NewFlagSet("settings", flag.ContinueOnError)
	keepers := flags.String("keeper", "127.0.0.1:7410", "addresses of keepers, with commas between")
	token := flags.String("token-file", "", "file with the keeper's token")
	config := flags.String("config", "", "TOML file whose table [knobs] holds start values")
	dir := flags.String("dir", "", "folder for the last known good; empty keeps none")
	id := flags.String("id", "shop-"+host, "name of this node in the fleet")
	if err := flags.Parse(args); err != nil {
		return err
	}

	// Struct to knobs, then the file's values: they become the defaults that
	// an unset returns to.
	var s settings
	registry := knob.NewRegistry()
	if err := knob.Bind(registry, &s); err != nil {
		return err
	}
	start, err := startValues(*config)
	if err != nil {
		return err
	}
	if _, err := registry.SetMany(start, "config", *config); err != nil {
		return fmt.Errorf("%s: %w", *config, err)
	}
	secret, err := readToken(*token)
	if err != nil {
		return err
	}

	// From here on the keepers may turn them; what they said last is in force
	// when New returns, whether or not a keeper answers.
	shop := newShop(&s)
	a, err := agent.New(agent.Config{
		Client:   keeperapi.NewClient(strings.Split(*keepers, ","), keeperapi.ClientOptions{Token: secret}),
		Registry: registry, ID: *id, Epoch: fmt.Sprint(os.Getpid()), Version: "example",
		Labels: map[string]string{"app": "shop"}, Dir: *dir,
		Log:     slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Figures: shop.figures, // what guards may ask for
		Status:  func() (string, map[string]float64) { return "serving", shop.figures() },
		OnStart: func() { fmt.Fprintln(out, "start ", list(registry)) },
		OnStop:  func() { fmt.Fprintln(out, "stop  ", list(registry)) },
		OnChange: func(changes []knob.Change) {
			for _, c := range changes {
				now, _ := registry.Get(c.Name) // it exists: it has just changed
				fmt.Fprintf(out, "change %s %s → %s (%s)\n", c.Name, c.Old, c.New, now.Source)
			}
		},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { shop.run(ctx) }) // ends with ctx
	defer work.Wait()
	defer cancel()
	return a.Run(ctx)
}

// list prints all knobs with where their values come from.
func list(r *knob.Registry) string {
	var out []string
	for _, s := range r.List() {
		out = append(out, fmt.Sprintf("%s=%s (%s)", s.Name, s.Value, s.Source))
	}
	return strings.Join(out, " ")
}

package config

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"pushfleet/internal/knob"
)

// Exit codes of the process.
const (
	ExitFine   = 0
	ExitFailed = 1
	ExitUsage  = 2
)

// World is what the command line needs of the outside.
type World struct {
	Getenv         func(string) string
	ReadFile       func(string) ([]byte, error)
	Stdout, Stderr io.Writer
	Version        string         // printed by pushd version
	Knobs          *knob.Registry // to check start values of knobs; nil = do not
}

// Command does what the arguments (without the program's name) ask for, except
// serving: serve is true when the node should now be started with cfg,
// otherwise the process ends with exit.
func Command(args []string, w World) (cfg Config, serve bool, exit int) {
	check := false
	if len(args) > 0 {
		switch args[0] {
		case "version", "--version", "-version":
			fmt.Fprintln(w.Stdout, "pushd", w.Version)
			return cfg, false, ExitFine
		case "help":
			Help(w.Stdout, w.Getenv)
			return cfg, false, ExitFine
		case "check-config":
			check, args = true, args[1:]
		}
	}
	cfg, err := Load(args, w.Getenv, w.ReadFile)
	if errors.Is(err, ErrHelp) {
		Help(w.Stdout, w.Getenv)
		return cfg, false, ExitFine
	}
	var problems Problems
	errors.As(err, &problems)
	if w.Knobs != nil {
		problems = append(problems, cfg.CheckKnobs(w.Knobs)...)
	}
	if len(problems) > 0 {
		report(w.Stderr, problems)
		return cfg, false, ExitUsage
	}
	if check {
		cfg.Print(w.Stdout)
		return cfg, false, ExitFine
	}
	return cfg, true, ExitFine
}

func report(w io.Writer, problems Problems) {
	for _, p := range problems {
		fmt.Fprintln(w, "pushd:", p)
	}
	if n := len(problems); n > 1 {
		fmt.Fprintf(w, "pushd: %d problems, nothing was started\n", n)
	}
}

// Print writes every key with its value and source, one a line.
func (c *Config) Print(w io.Writer) {
	line := func(key, value string) {
		if value == "" {
			value = "–"
		}
		fmt.Fprintf(w, "%-33s %-32s %s\n", key, value, c.Source(key))
	}
	for _, k := range keys() {
		line(k.name, k.value.get(c))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Knobs)) {
		line("knobs."+name, c.Knobs[name])
	}
	fmt.Fprintln(w, "fine")
}

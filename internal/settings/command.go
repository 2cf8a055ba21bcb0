package settings

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// Exit codes of a process.
const (
	ExitFine   = 0
	ExitFailed = 1
	ExitUsage  = 2
)

// Command does what the arguments (without the program's name) ask for, except
// serving: serve is true when the program should now go on with cfg, otherwise
// the process ends with exit.
func (p *Program[C]) Command(args []string, w World) (cfg C, serve bool, exit int) {
	check := false
	if len(args) > 0 {
		switch args[0] {
		case "version", "--version", "-version":
			fmt.Fprintln(w.Stdout, p.Name, w.Version)
			return cfg, false, ExitFine
		case "help":
			p.Help(w.Stdout, w.Getenv)
			return cfg, false, ExitFine
		case "sample-config":
			return cfg, false, p.sample(args[1:], w)
		case "man":
			p.Man(w.Stdout, w.Getenv, w.Version)
			return cfg, false, ExitFine
		case "check-config":
			check, args = true, args[1:]
		}
	}
	cfg, serve, exit = p.Understand(args, w)
	if serve && check {
		p.Print(w.Stdout, &cfg)
		return cfg, false, ExitFine
	}
	return cfg, serve, exit
}

// sample writes a file to begin with.
func (p *Program[C]) sample(args []string, w World) int {
	switch {
	case len(args) == 0:
		p.Sample(w.Stdout, w.Getenv)
	case len(args) == 1 && args[0] == "env":
		p.SampleEnv(w.Stdout, w.Getenv)
	default:
		fmt.Fprintf(w.Stderr, "%s: sample-config takes nothing, or env: %s\n", p.Name, p.hint())
		return ExitUsage
	}
	return ExitFine
}

// Understand is Command without commands: flags only. ok is false when the
// process should end with exit, because help was asked for or problems were
// found and printed.
func (p *Program[C]) Understand(args []string, w World) (cfg C, ok bool, exit int) {
	cfg, err := p.Load(args, w.Getenv, w.ReadFile)
	if errors.Is(err, ErrHelp) {
		p.Help(w.Stdout, w.Getenv)
		return cfg, false, ExitFine
	}
	problems, _ := errors.AsType[Problems](err)
	if p.Also != nil {
		problems = append(problems, p.Also(&cfg)...)
	}
	if len(problems) > 0 {
		p.report(w.Stderr, problems)
		return cfg, false, ExitUsage
	}
	return cfg, true, ExitFine
}

func (p *Program[C]) report(w io.Writer, problems Problems) {
	for _, one := range problems {
		fmt.Fprintf(w, "%s: %s\n", p.Name, one)
	}
	if n := len(problems); n > 1 {
		fmt.Fprintf(w, "%s: %d problems, nothing was started\n", p.Name, n)
	}
}

// Print writes every key with its value and source, one a line.
func (p *Program[C]) Print(w io.Writer, c *C) {
	sources := p.Sources(c)
	line := func(key, value string) {
		if value == "" {
			value = "–"
		}
		fmt.Fprintf(w, "%-33s %-32s %s\n", key, value, sources.Source(key))
	}
	for _, k := range p.Keys {
		line(k.Name, k.Value.get(c))
	}
	if p.Pairs != nil {
		pairs := p.Pairs.Map(c)
		for _, name := range slices.Sorted(maps.Keys(pairs)) {
			line(p.Pairs.Table+"."+name, pairs[name])
		}
	}
	fmt.Fprintln(w, "fine")
}

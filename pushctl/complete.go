package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/push"
	"pushfleet/pushctl/table"
)

// candidate is a word that may stand at the cursor, and what it means.
type candidate struct{ word, text string }

// complete prints what may come next; words are those of the command line so
// far, the last one the one being typed.
func complete(ctx context.Context, e *env, app *cli.App, words []string) {
	for _, c := range candidates(ctx, e, app, words) {
		fmt.Fprintf(e.out, "%s\t%s\n", c.word, c.text)
	}
}

func candidates(ctx context.Context, e *env, app *cli.App, words []string) []candidate {
	words = joinEquals(words)
	if len(words) == 0 {
		words = []string{""}
	}
	before, cur := words[:len(words)-1], words[len(words)-1]
	// The value of a flag: --by w, or --by=w in shells that keep it one word.
	if n := len(before); n > 0 && isFlag(before[n-1]) && !strings.Contains(before[n-1], "=") {
		l, _ := arrange(app, before[:n-1])
		name := strings.TrimLeft(before[n-1], "-")
		if _, f := l.find(app, name); f != nil && takesValue(f) {
			return starting(flagValues(ctx, e, l, name), cur)
		}
	}
	l, _ := arrange(app, before)
	if name, value, ok := strings.Cut(cur, "="); ok && isFlag(cur) {
		var out []candidate
		for _, c := range starting(flagValues(ctx, e, l, strings.TrimLeft(name, "-")), value) {
			out = append(out, candidate{name + "=" + c.word, c.text})
		}
		return out
	}
	if strings.HasPrefix(cur, "-") {
		return starting(flagCandidates(app, l), cur)
	}
	return starting(wordCandidates(ctx, e, app, l), cur)
}

// joinEquals undoes bash, which makes three words of --by=wait.
func joinEquals(words []string) []string {
	var out []string
	for i, w := range words {
		if w == "=" && i > 0 && isFlag(words[i-1]) {
			if i == len(words)-1 {
				out = append(out, "")
			}
			continue
		}
		out = append(out, w)
	}
	return out
}

func starting(cs []candidate, with string) []candidate {
	return slices.DeleteFunc(cs, func(c candidate) bool { return !strings.HasPrefix(c.word, with) })
}

func plainWords(words []string) []candidate {
	var out []candidate
	for _, w := range words {
		out = append(out, candidate{word: w})
	}
	return out
}

// flagValues are the values of the flags that have a known set of them.
func flagValues(ctx context.Context, e *env, l *line, flag string) []candidate {
	values := map[string][]string{
		"by": table.TopKeys(), "reason": push.CloseReasonNames(), "proto": protocols(), "window": {"1", "10", "100"},
		"output": formats(), "o": formats(), "color": {"auto", "always", "never"}, "class": {"normal", "volatile", "stored"}, "every": {"100ms", "1s", "10s"}, "role": roles(), "plan": {"1,5%,25%,all", "1,all"},
	}
	switch {
	case strings.HasPrefix(l.name(), "pushctl tee "):
		if v := teeValues(ctx, e, l, flag); v != nil {
			return v
		}
	case strings.HasSuffix(l.name(), "probe lock") && flag == "by":
		return plainWords(lockWays())
	case strings.HasSuffix(l.name(), "probe lock") && flag == "sort":
		return plainWords(lockSorts())
	case flag == "on":
		return scopesInReach(ctx, e, l)
	case flag == "fields":
		return recFieldsInReach(ctx, e, l)
	case flag == "node" && strings.HasSuffix(l.name(), "knob explain"):
		return nodesInReach(ctx, e, l)
	}
	if flag == "context" {
		if c, err := readConfig(configPath(e.getenv)); err == nil {
			return plainWords(slices.Sorted(maps.Keys(c.Contexts)))
		}
	}
	return plainWords(values[flag])
}

func flagCandidates(app *cli.App, l *line) []candidate {
	var out []candidate
	add := func(flags []cli.Flag) {
		for _, f := range visible(flags) {
			_, text := flagText(f)
			for _, n := range f.Names() {
				out = append(out, candidate{dashed(n), text})
			}
		}
	}
	for _, c := range slices.Backward(l.path) {
		add(c.Flags)
	}
	add(app.Flags)
	return append(out, candidate{"--help", "explain this command"})
}

// wordCandidates are commands, or the arguments of the innermost one.
func wordCandidates(ctx context.Context, e *env, app *cli.App, l *line) []candidate {
	subs := app.Commands
	if leaf := l.leaf(); leaf != nil {
		subs = leaf.Subcommands
	}
	var out []candidate
	for _, c := range subs {
		if !c.Hidden {
			out = append(out, candidate{c.Name, c.Usage})
		}
	}
	switch name := strings.TrimPrefix(l.name(), "pushctl "); {
	case name == "pprof" && len(l.words) == 0:
		return plainWords(profiles())
	case name == "completion" && len(l.words) == 0:
		return plainWords(slices.Sorted(maps.Keys(completionScripts())))
	case name == "why" && len(l.words) == 0:
		return connsInReach(ctx, e, l)
	case name == "rec find" && len(l.words) == 0:
		return recFieldsInReach(ctx, e, l)
	case name == "rec bundle" && len(l.words) == 0:
		return bundlesInReach(ctx, e, l)
	case l.leaf() != nil:
		out = append(out, fleetWords(ctx, e, l, name)...)
	}
	return out
}

// given returns the values of a global flag on the line.
func given(l *line, flag string) []string {
	var out []string
	for _, f := range l.flags[0] {
		if v, ok := strings.CutPrefix(f, flag+"="); ok {
			out = append(out, v)
		}
	}
	return out
}

package settings

import (
	"errors"
	"flag"
	"slices"
	"strings"
)

// ErrHelp is returned by Load when --help was given; print Help.
var ErrHelp = flag.ErrHelp

// Load puts the configuration together, the later source winning: defaults,
// the file, variables, flags. It touches nothing outside but through getenv
// and readFile, and returns every problem at once as Problems; the C then
// holds what could be understood.
func (p *Program[C]) Load(args []string, getenv func(string) string, readFile func(string) ([]byte, error)) (C, error) {
	l := &loader[C]{Program: p, cfg: p.Default(getenv), readFile: readFile, getenv: getenv}
	l.sources = p.Sources(&l.cfg)
	flags, err := p.parseFlags(args)
	if errors.Is(err, flag.ErrHelp) {
		return l.cfg, ErrHelp
	}
	if err != nil {
		return l.cfg, Problems{{Text: err.Error()}}
	}
	path, optional := l.filePath(flags[flagConfig])
	l.file(path, optional)
	l.environment()
	l.flags(flags)
	l.check()
	if len(l.problems) > 0 {
		return l.cfg, l.problems
	}
	return l.cfg, nil
}

type loader[C any] struct {
	*Program[C]
	cfg      C
	sources  Sources
	readFile func(string) ([]byte, error)
	getenv   func(string) string
	problems Problems
}

func (l *loader[C]) problem(key, text, source string) {
	l.problems = append(l.problems, Problem{key, text, source})
}

// check looks at the whole. A key whose text could not be read still has an
// older value, which need not be judged.
func (l *loader[C]) check() {
	unread := slices.Clone(l.problems)
	for _, p := range l.Check(&l.cfg, l.readFile) {
		if !slices.ContainsFunc(unread, func(q Problem) bool { return q.Key == p.Key && p.Key != "" }) {
			l.problems = append(l.problems, p)
		}
	}
}

// filePath returns the file to read and whether it may be absent.
func (l *loader[C]) filePath(flags []string) (string, bool) {
	if n := len(flags); n > 0 {
		l.sources[flagConfig] = "flag --config"
		return flags[n-1], false
	}
	if p := l.getenv(l.env(flagConfig)); p != "" {
		l.sources[flagConfig] = "env " + l.env(flagConfig)
		return p, false
	}
	return l.File, true
}

// environment applies the variables. Lists are separated by commas, pairs by
// semicolons: PUSHD_KNOB="queue.messages_max=1,024; tap.on=off".
func (l *loader[C]) environment() {
	for i := range l.Keys {
		k := &l.Keys[i]
		if s := l.getenv(l.Env(k)); s != "" && !k.FlagOnly {
			l.set(k, k.Value.split(s), "env "+l.Env(k))
		}
	}
	if l.Pairs == nil {
		return
	}
	name := l.env(l.Pairs.Flag)
	for s := range strings.SplitSeq(l.getenv(name), ";") {
		if s = strings.TrimSpace(s); s != "" {
			l.assignment(s, "env "+name)
		}
	}
}

func (l *loader[C]) flags(given map[string][]string) {
	for i := range l.Keys {
		k := &l.Keys[i]
		texts, ok := given[k.Flag]
		if !ok {
			continue
		}
		if !k.Value.list {
			texts = texts[len(texts)-1:] // the last one wins, as everywhere
		}
		var all []string
		for _, t := range texts {
			all = append(all, k.Value.split(t)...)
		}
		l.set(k, all, "flag "+dashes(k.Flag))
	}
	if l.Pairs == nil {
		return
	}
	for _, s := range given[l.Pairs.Flag] {
		l.assignment(s, "flag --"+l.Pairs.Flag)
	}
}

func (l *loader[C]) set(k *Key[C], texts []string, source string) {
	l.sources[k.Name] = source
	if err := k.Value.set(&l.cfg, texts); err != nil {
		l.problem(k.Name, err.Error(), source)
	}
}

func (l *loader[C]) assignment(s, source string) {
	name, text, ok := strings.Cut(s, "=")
	if !ok {
		l.problem(l.Pairs.Table, "\""+s+"\" is no assignment: write NAME=VALUE", source)
		return
	}
	l.pair(strings.TrimSpace(name), strings.TrimSpace(text), source)
}

func (l *loader[C]) pair(name, text, source string) {
	l.Pairs.Map(&l.cfg)[name] = text
	l.sources[l.Pairs.Table+"."+name] = source
}

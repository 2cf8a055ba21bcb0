package config

import (
	"errors"
	"flag"
	"slices"
	"strings"
)

// ErrHelp is returned by Load when --help was given; print Help.
var ErrHelp = flag.ErrHelp

// Load puts the configuration together, the later source winning: defaults,
// the file, PUSHD_ variables, flags. It touches nothing outside but through
// getenv and readFile, and returns every problem at once as Problems; the
// Config then holds what could be understood.
func Load(args []string, getenv func(string) string, readFile func(string) ([]byte, error)) (Config, error) {
	l := &loader{cfg: Default(getenv), keys: keys(), readFile: readFile, getenv: getenv}
	flags, err := parseFlags(l.keys, args)
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
	for _, p := range l.cfg.Check(readFile) {
		if !slices.ContainsFunc(l.problems, func(q Problem) bool { return q.Key == p.Key && p.Key != "" }) {
			l.problems = append(l.problems, p)
		}
	}
	if len(l.problems) > 0 {
		return l.cfg, l.problems
	}
	return l.cfg, nil
}

type loader struct {
	cfg      Config
	keys     []key
	readFile func(string) ([]byte, error)
	getenv   func(string) string
	problems Problems
}

func (l *loader) problem(key, text, source string) {
	l.problems = append(l.problems, Problem{key, text, source})
}

// filePath returns the file to read and whether it may be absent.
func (l *loader) filePath(flags []string) (string, bool) {
	if n := len(flags); n > 0 {
		l.cfg.sources["config"] = "flag --config"
		return flags[n-1], false
	}
	if p := l.getenv("PUSHD_CONFIG"); p != "" {
		l.cfg.sources["config"] = "env PUSHD_CONFIG"
		return p, false
	}
	return FileDefault, true
}

// environment applies the PUSHD_ variables. Lists are separated by commas,
// knobs by semicolons: PUSHD_KNOB="queue.messages_max=1,024; tap.on=off".
func (l *loader) environment() {
	for i := range l.keys {
		k := &l.keys[i]
		if s := l.getenv(k.env()); s != "" {
			l.set(k, l.split(k, s), "env "+k.env())
		}
	}
	for s := range strings.SplitSeq(l.getenv("PUSHD_KNOB"), ";") {
		if s = strings.TrimSpace(s); s != "" {
			l.assignment(s, "env PUSHD_KNOB")
		}
	}
}

func (l *loader) flags(given map[string][]string) {
	for i := range l.keys {
		k := &l.keys[i]
		texts, ok := given[k.flag]
		if !ok {
			continue
		}
		if !k.isList() {
			texts = texts[len(texts)-1:] // the last one wins, as everywhere
		}
		var all []string
		for _, t := range texts {
			all = append(all, l.split(k, t)...)
		}
		l.set(k, all, "flag --"+k.flag)
	}
	for _, s := range given[flagKnob] {
		l.assignment(s, "flag --knob")
	}
}

func (k *key) isList() bool {
	switch k.value.(type) {
	case many, prefixes:
		return true
	}
	return false
}

// split cuts a text at commas if the key is a list; an empty text is an empty
// list.
func (l *loader) split(k *key, s string) []string {
	if !k.isList() {
		return []string{s}
	}
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func (l *loader) set(k *key, texts []string, source string) {
	l.cfg.sources[k.name] = source
	if err := k.value.set(&l.cfg, texts); err != nil {
		l.problem(k.name, err.Error(), source)
	}
}

func (l *loader) assignment(s, source string) {
	name, text, ok := strings.Cut(s, "=")
	if !ok {
		l.problem("knobs", "\""+s+"\" is no assignment: write NAME=VALUE", source)
		return
	}
	l.knob(strings.TrimSpace(name), strings.TrimSpace(text), source)
}

func (l *loader) knob(name, text, source string) {
	l.cfg.Knobs[name] = text
	l.cfg.sources["knobs."+name] = source
}

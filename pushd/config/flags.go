package config

import (
	"flag"
	"fmt"
	"io"
	"strings"

	"pushfleet/internal/knob"
)

// flagTexts collects what was given for one flag, to be applied after the
// weaker sources.
type flagTexts struct {
	texts  []string
	toggle bool
}

func (f *flagTexts) String() string     { return "" }
func (f *flagTexts) Set(s string) error { f.texts = append(f.texts, s); return nil }
func (f *flagTexts) IsBoolFlag() bool   { return f.toggle }

const (
	flagConfig = "config"
	flagKnob   = "knob"
)

// parseFlags returns the texts by flag name. flag.ErrHelp means help was asked
// for; other errors are sentences.
func parseFlags(keys []key, args []string) (map[string][]string, error) {
	set := flag.NewFlagSet("pushd", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	given := map[string]*flagTexts{flagConfig: {}, flagKnob: {}}
	for _, k := range keys {
		_, isToggle := k.value.(switchValue)
		given[k.flag] = &flagTexts{toggle: isToggle}
	}
	names := make([]string, 0, len(given))
	for name, texts := range given {
		set.Var(texts, name, "")
		names = append(names, name)
	}
	if err := set.Parse(args); err != nil {
		if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
			return nil, unknownFlag(strings.TrimLeft(name, "-"), names)
		}
		return nil, err
	}
	if set.NArg() > 0 {
		return nil, fmt.Errorf("%q is no flag: pushd [check-config|version] [flags]; pushd --help lists them", set.Arg(0))
	}
	out := map[string][]string{}
	for name, texts := range given {
		if texts.texts != nil {
			out[name] = texts.texts
		}
	}
	return out, nil
}

func unknownFlag(name string, names []string) error {
	msg := fmt.Sprintf("there is no flag --%s", name)
	if near := knob.Closest(name, names); near != "" {
		return fmt.Errorf("%s; did you mean --%s?", msg, near)
	}
	return fmt.Errorf("%s; pushd --help lists them", msg)
}

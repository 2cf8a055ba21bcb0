package settings

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

const flagConfig = "config"

// parseFlags returns the texts by flag name. flag.ErrHelp means help was asked
// for; other errors are sentences.
func (p *Program[C]) parseFlags(args []string) (map[string][]string, error) {
	set := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	given := map[string]*flagTexts{flagConfig: {}}
	if p.Pairs != nil {
		given[p.Pairs.Flag] = &flagTexts{}
	}
	for _, k := range p.Keys {
		given[k.Flag] = &flagTexts{toggle: k.Value.toggle}
	}
	names := make([]string, 0, len(given))
	for name, texts := range given {
		set.Var(texts, name, "")
		names = append(names, name)
	}
	if err := set.Parse(args); err != nil {
		if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
			return nil, p.unknownFlag(strings.TrimLeft(name, "-"), names)
		}
		return nil, err
	}
	if set.NArg() > 0 {
		return nil, fmt.Errorf("%q is no flag: %s; %s lists them", set.Arg(0), p.Usage, p.hint())
	}
	out := map[string][]string{}
	for name, texts := range given {
		if texts.texts != nil {
			out[name] = texts.texts
		}
	}
	return out, nil
}

func (p *Program[C]) unknownFlag(name string, names []string) error {
	msg := fmt.Sprintf("there is no flag --%s", name)
	if near := knob.Closest(name, names); near != "" {
		return fmt.Errorf("%s; did you mean --%s?", msg, near)
	}
	return fmt.Errorf("%s; %s lists them", msg, p.hint())
}

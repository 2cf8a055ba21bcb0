package config

import (
	"pushfleet/internal/knob"
	"pushfleet/internal/settings"
)

// Command does what the arguments (without the program's name) ask for, except
// serving: serve is true when the node should now be started with cfg,
// otherwise the process ends with exit. Start values of knobs are checked
// against the registry; nil = they are not.
func Command(args []string, w settings.World, knobs *knob.Registry) (cfg Config, serve bool, exit int) {
	p := program()
	if knobs != nil {
		p.Also = func(c *Config) settings.Problems { return c.CheckKnobs(knobs) }
	}
	return p.Command(args, w)
}

// Load puts the configuration together, the later source winning: defaults,
// the file, PUSHD_ variables, flags. It touches nothing outside but through
// getenv and readFile, and returns every problem at once as
// settings.Problems, or settings.ErrHelp.
func Load(args []string, getenv func(string) string, readFile func(string) ([]byte, error)) (Config, error) {
	return program().Load(args, getenv, readFile)
}

func program() *settings.Program[Config] {
	return &settings.Program[Config]{
		Name: "pushd", Usage: "pushd [check-config|sample-config|version] [flags]", Head: helpHead, Tail: helpTail, File: FileDefault,
		Default: Default,
		Sources: func(c *Config) settings.Sources { return c.Sources },
		Keys:    keys(),
		Pairs:   &settings.Pairs[Config]{Flag: "knob", Table: "knobs", Map: func(c *Config) map[string]string { return c.Knobs }},
		Check:   (*Config).Check,
	}
}

package config

import (
	"errors"
	"slices"
	"strings"

	"pushfleet/internal/settings"
	"pushfleet/keeper/store"
)

// Command does what the arguments (without the program's name) ask for, except
// serving: serve is true when the keeper should now be started with cfg,
// otherwise the process ends with exit. Recover reads its arguments by
// RecoverCommand.
func Command(args []string, w settings.World) (cfg Config, serve bool, exit int) {
	return program().Command(args, w)
}

func program() *settings.Program[Config] {
	return &settings.Program[Config]{
		Name: "keeper", Usage: "keeper [check-config|sample-config|version|recover] [flags]", Head: helpHead, Tail: helpTail, File: FileDefault,
		Default: Default,
		Sources: func(c *Config) settings.Sources { return c.Sources },
		Keys:    keys(),
		Check:   (*Config).Check,
	}
}

// Recovery is what keeper recover is told.
type Recovery struct {
	Config
	Peers  []string // ID=HOST:PORT
	DryRun bool
	Output string // table or json
}

// RecoverCommand reads the arguments after "recover"; ok is false when the
// process should end with exit.
func RecoverCommand(args []string, w settings.World) (r Recovery, ok bool, exit int) {
	return recoverProgram().Understand(args, w)
}

// recoverProgram knows the keys of a keeper too, so that it finds the state
// where the keeper does; it shows those that matter.
func recoverProgram() *settings.Program[Recovery] {
	own := []settings.Key[Recovery]{
		{Name: "peer", Flag: "peer", Group: "What to do", Arg: "ID=HOST:PORT", FlagOnly: true, Help: "a keeper that is left, this one among them; repeatable",
			Value: settings.List(func(r *Recovery) *[]string { return &r.Peers })},
		{Name: "dry_run", Flag: "dry-run", Group: "What to do", FlagOnly: true, Help: "tell what would be done and change nothing",
			Value: settings.Toggle(func(r *Recovery) *bool { return &r.DryRun })},
		{Name: "output", Flag: "o", Group: "What to do", Arg: "table|json", FlagOnly: true, Help: "form of the report",
			Value: settings.Choice(func(r *Recovery) *string { return &r.Output }, "table", "json")},
	}
	return &settings.Program[Recovery]{
		Name: "keeper", Verb: "recover", Usage: "keeper recover --peer ID=HOST:PORT [--dry-run]", Head: recoverHead, Tail: recoverTail, File: FileDefault,
		Default: func(getenv func(string) string) Recovery { return Recovery{Config: Default(getenv), Output: "table"} },
		Sources: func(r *Recovery) settings.Sources { return r.Sources },
		Keys:    append(own, settings.Within(keys(), func(r *Recovery) *Config { return &r.Config })...),
		Check: func(r *Recovery, _ func(string) ([]byte, error)) settings.Problems {
			return r.Collect(r.check)
		},
		Shown: func(k *settings.Key[Recovery]) bool {
			return k.FlagOnly || slices.Contains([]string{"id", "state_dir", "raft.log"}, k.Name)
		},
	}
}

func (r *Recovery) check(add settings.Adder) {
	r.checkSelf(add)
	if len(r.Peers) == 0 {
		add("peer", "nobody to go on with: give --peer ID=HOST:PORT for each keeper that is left, with its --raft address")
	}
	for _, text := range r.Peers {
		if _, err := peer(text); err != nil {
			add("peer", "%s", err)
		}
	}
}

// Members returns the peers, which have been checked.
func (r *Recovery) Members() (out []store.Member) {
	for _, text := range r.Peers {
		if m, err := peer(text); err == nil {
			out = append(out, m)
		}
	}
	return out
}

func peer(text string) (store.Member, error) {
	id, address, ok := strings.Cut(text, "=")
	var problems settings.Problems
	if ok {
		problems = settings.Sources{}.Collect(func(add settings.Adder) {
			settings.CheckName(add, "", id)
			checkHostPort(add, "", address)
		})
	}
	if !ok || address == "" || len(problems) > 0 {
		return store.Member{}, errors.New("\"" + text + "\" names no keeper: write ID=HOST:PORT, such as k1=10.0.0.1:7411")
	}
	return store.Member{ID: id, Address: address, Voter: true}, nil
}

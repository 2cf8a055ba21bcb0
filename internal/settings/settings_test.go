package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"
)

// oven is a configuration with a key of each kind.
type oven struct {
	Name   string
	Mode   string
	Trays  int
	Fan    bool
	Every  time.Duration
	Door   string
	Racks  []string
	Doors  []string
	Timers map[string]string
	Sources
}

func program() *Program[oven] {
	k := func(name, flag string, v Value[oven]) Key[oven] {
		return Key[oven]{Name: name, Flag: flag, Group: "Oven", Arg: "X", Help: "what " + name + " is", Value: v}
	}
	now := k("now", "n", Toggle(func(c *oven) *bool { return &c.Fan }))
	now.FlagOnly = true
	return &Program[oven]{
		Name: "oven", Usage: "oven [check-config] [flags]", Head: "oven: bakes\n", Tail: "\ntail\n", File: "/etc/oven.toml",
		Default: func(getenv func(string) string) oven {
			return oven{Name: "o", Mode: "bake", Timers: map[string]string{}, Sources: Sources{}}
		},
		Sources: func(c *oven) Sources { return c.Sources },
		Keys: []Key[oven]{
			k("name", "name", Text(func(c *oven) *string { return &c.Name })),
			k("mode.main", "mode", Choice(func(c *oven) *string { return &c.Mode }, "bake", "grill")),
			k("trays", "trays", Int(func(c *oven) *int { return &c.Trays })),
			k("fan", "fan", Toggle(func(c *oven) *bool { return &c.Fan })),
			k("every", "every", Duration(func(c *oven) *time.Duration { return &c.Every })),
			k("door", "door", Addr(func(c *oven) *string { return &c.Door })),
			k("racks", "racks", List(func(c *oven) *[]string { return &c.Racks })),
			k("doors", "doors", Addrs(func(c *oven) *[]string { return &c.Doors })),
			now,
		},
		Pairs: &Pairs[oven]{"timer", "timers", func(c *oven) map[string]string { return c.Timers }},
		Check: func(c *oven, _ func(string) ([]byte, error)) Problems {
			return c.Collect(func(add Adder) {
				if c.Trays > 9 {
					add("trays", "%d is too many: give at most 9", c.Trays)
					add("trays", "and it is hot")
				}
			})
		},
	}
}

// load reads "NAME=VALUE …" as environment, a file and arguments.
func load(env, file, args string) (oven, error) {
	vars := map[string]string{}
	for _, pair := range strings.Fields(env) {
		name, value, _ := strings.Cut(pair, "=")
		vars[name] = value
	}
	return program().Load(strings.Fields(args), func(s string) string { return vars[s] }, func(path string) ([]byte, error) {
		if path == "/etc/oven.toml" && file != "" || path == "/other" {
			return []byte(file), nil
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	})
}

func TestSourcesInTheirOrder(t *testing.T) {
	f := func(env, file, args, key, value, source string) {
		t.Helper()
		c, err := load(env, file, args)
		if err != nil {
			t.Errorf("%s | %s | %s: %v", env, file, args, err)
			return
		}
		got := c.Timers[strings.TrimPrefix(key, "timers.")]
		for _, k := range program().Keys {
			if k.Name == key {
				got = k.Value.get(&c)
			}
		}
		if got != value || c.Source(key) != source {
			t.Errorf("%s | %s | %s: %s = %q from %q, want %q from %q", env, file, args, key, got, c.Source(key), value, source)
		}
	}
	f("", "", "", "name", "o", "default")
	f("", "\nname = \"a\"", "", "name", "a", "/etc/oven.toml:2")
	f("OVEN_NAME=b", "name = \"a\"", "", "name", "b", "env OVEN_NAME")
	f("OVEN_NAME=b", "name = \"a\"", "--name c -name d", "name", "d", "flag --name")
	f("OVEN_CONFIG=/other", "name = \"a\"", "", "name", "a", "/other:1")
	f("", "[mode]\nmain = \"grill\"", "", "mode.main", "grill", "/etc/oven.toml:2")
	f("", "", "--fan", "fan", "true", "flag --fan")
	f("", "fan = true", "--fan=false", "fan", "false", "flag --fan")
	f("", "every = \"90s\"", "", "every", "1m30s", "/etc/oven.toml:1")
	f("", "", "--door :7", "door", "[::]:7", "flag --door")
	f("OVEN_RACKS=a,b", "", "", "racks", "a, b", "env OVEN_RACKS")
	f("", "racks = []", "", "racks", "", "/etc/oven.toml:1")
	f("", "", "--doors localhost:1 --doors [::1]:2,127.0.0.1:3", "doors", "127.0.0.1:1, [::1]:2, 127.0.0.1:3", "flag --doors")
	f("", "[timers]\n\"egg.soft\" = \"4m\"", "", "timers.egg.soft", "4m", "/etc/oven.toml:2")
	f("OVEN_TIMER=egg=5m;tea=1,5m;", "", "", "timers.tea", "1,5m", "env OVEN_TIMER")
	f("OVEN_TIMER=egg=5m", "", "--timer egg=6m", "timers.egg", "6m", "flag --timer")
	f("OVEN_N=true", "", "", "now", "false", "default") // of flags only
}

func TestProblemsAreSaidAllAtOnce(t *testing.T) {
	f := func(env, file, args string, parts ...string) {
		t.Helper()
		_, err := load(env, file, args)
		problems, ok := errors.AsType[Problems](err)
		if !ok || len(problems) != len(parts) {
			t.Errorf("%s | %s | %s: %v, want %d problems", env, file, args, err, len(parts))
			return
		}
		for i, part := range parts {
			if !strings.Contains(problems[i].String(), part) {
				t.Errorf("%s | %s | %s: %q does not say %q", env, file, args, problems[i], part)
			}
		}
	}
	f("", "", "--nmae x", "there is no flag --nmae; did you mean --name?")
	f("", "", "--qqq x", "there is no flag --qqq; oven --help lists them")
	f("", "", "toast", `"toast" is no flag: oven [check-config] [flags]; oven --help lists them`)
	f("", "nmae = 1", "", `there is no key "nmae"; did you mean name? (from /etc/oven.toml:1)`)
	f("", "mode = \"grill\"", "", `there is no key "mode"; did you mean mode.main?`)
	f("", "now = true", "", `there is no key "now"`)
	f("", "trays = = 1", "", "line 1")
	f("", "", "--config /absent", "config: open /absent" /* that is all */)
	f("OVEN_CONFIG=/absent", "", "", "(from env OVEN_CONFIG)")
	f("OVEN_TRAYS=many", "every = 5", "--mode gril --fan=maybe --door x --doors y --timer egg",
		"every: \"5\" is not a duration", "trays: \"many\" is not a whole number (from env OVEN_TRAYS)",
		"did you mean grill?", "neither true nor false", "door: \"x\" is not an address", "doors: \"y\" is not an address", "timers: \"egg\" is no assignment")
	f("", "name = [\"a\", \"b\"]", "", "one value, not 2")
	f("", "", "--trays 10", "trays: 10 is too many", "it is hot")
	f("", "", "--name x --trays 10 --fan=maybe", "fan", "trays: 10", "it is hot")
	f("", "trays = \"x\"", "--trays 10", "trays: \"x\" is not") // the key is not complained about twice
}

func TestCommand(t *testing.T) {
	f := func(args string, serve bool, exit int, wantOut, wantErr string) {
		t.Helper()
		var out, errs bytes.Buffer
		p := program()
		p.Also = func(c *oven) (more Problems) {
			for name := range c.Timers {
				more = append(more, Problem{Key: "timers", Text: name + " is no timer"})
			}
			return more
		}
		_, s, x := p.Command(strings.Fields(args), World{Getenv: func(string) string { return "" },
			ReadFile: func(string) ([]byte, error) { return nil, fs.ErrNotExist }, Stdout: &out, Stderr: &errs, Version: "1.2"})
		if s != serve || x != exit || !strings.Contains(out.String(), wantOut) || !strings.Contains(errs.String(), wantErr) {
			t.Errorf("oven %s: serve %t, exit %d\n%s\n%s", args, s, x, out.String(), errs.String())
		}
	}
	f("", true, ExitFine, "", "")
	f("version", false, ExitFine, "oven 1.2\n", "")
	f("help", false, ExitFine, "oven: bakes\n\nOven\n  --name X              what name is [o]\n", "")
	f("--help", false, ExitFine, "  -n X                  what now is\n\ntail\n", "")
	f("check-config --trays 3", false, ExitFine, fmt.Sprintf("%-33s %-32s %s\n", "trays", "3", "flag --trays"), "")
	f("check-config", false, ExitFine, "fine\n", "")
	f("check-config --trays 10", false, ExitUsage, "", "oven: 2 problems, nothing was started\n")
	f("--timer egg=1m", false, ExitUsage, "", "oven: timers: egg is no timer\n")
}

func TestPrefixes(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		p, err := parsePrefix(s)
		if err != nil && want != "" || err == nil && p.String() != want {
			t.Errorf("parsePrefix(%s) = %s, %v; want %s", s, p, err, want)
		}
	}
	f("10.1.2.3", "10.1.2.3/32")
	f("10.1.2.3/8", "10.0.0.0/8")
	f("fd00::1/16", "fd00::/16")
	f("10.0.0.0/99", "")
	f("shop.example", "")
}

func TestChecks(t *testing.T) {
	f := func(check func(Adder), parts ...string) {
		t.Helper()
		got := Sources{}.Collect(check)
		if len(got) != len(parts) {
			t.Errorf("%v, want %q", got, parts)
			return
		}
		for i := range parts {
			if !strings.Contains(got[i].String(), parts[i]) {
				t.Errorf("%q does not say %q", got[i], parts[i])
			}
		}
	}
	f(func(a Adder) { CheckSocket(a, "s", "/run/a.sock") })
	f(func(a Adder) { CheckSocket(a, "s", "a.sock") }, "absolute")
	f(func(a Adder) { CheckSocket(a, "s", "/"+strings.Repeat("x", 107)) }, "the kernel allows 107")
	f(func(a Adder) { CheckName(a, "n", "gw-1.eu_x") })
	f(func(a Adder) {
		CheckName(a, "n", "a/b")
		CheckName(a, "n", "")
		CheckName(a, "n", strings.Repeat("x", 64))
	}, "n:", "n:", "n:")
	f(func(a Adder) {
		p := NewPorts(a)
		p.Take("one", ":1")
		p.Take("two", "[::]:1")
		p.Take("three", "127.0.0.1:0")
		p.Take("four", "127.0.0.1:0")
		p.Take("five", "gw.example:1")
	}, "two: [::]:1 is already used by one", "five: \"gw.example:1\" is not an address")
}

func TestPlacesFollowSystemdThenTheUser(t *testing.T) {
	f := func(env map[string]string, uid int, run, state string) {
		t.Helper()
		get := func(name string) string { return env[name] }
		if r, s := RuntimeDir(get, uid, "pushd"), StateDir(get, uid, "pushd"); r != run || s != state {
			t.Errorf("uid %d, %v: %s and %s, want %s and %s", uid, env, r, s, run, state)
		}
	}
	f(map[string]string{"RUNTIME_DIRECTORY": "/run/pushd-2", "STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, 64026, "/run/pushd-2", "/var/lib/a")
	f(nil, 0, "/run/pushd", "/var/lib/pushd")
	f(map[string]string{"XDG_RUNTIME_DIR": "/run/user/7", "XDG_STATE_HOME": "/s"}, 7, "/run/user/7/pushd", "/s/pushd")
	f(map[string]string{"HOME": "/home/u", "XDG_RUNTIME_DIR": "/r"}, 7, "/r/pushd", "/home/u/.local/state/pushd")
}

func TestLineOf(t *testing.T) {
	const file = "# c\nlisten = []\n\n[auth]\n  mode = \"jwt\"\n[ auth.jwt ]\nissuer=\"x\"\n[knobs]\n\"queue.bytes_max\" = 1\nqueue.policy = 2\n"
	f := func(name string, want int) {
		t.Helper()
		if got := lineOf([]byte(file), name); got != want {
			t.Errorf("lineOf(%s) = %d, want %d", name, got, want)
		}
	}
	f("listen", 2)
	f("auth.mode", 5)
	f("auth.jwt.issuer", 7)
	f("knobs.queue.bytes_max", 9)
	f("knobs.queue.policy", 10)
	f("mode", 0)
}

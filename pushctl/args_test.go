package main

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
	"pushfleet/pushctl/table"
)

// testEnv is an environment that touches nothing.
func testEnv() *env {
	return &env{in: strings.NewReader(""), out: io.Discard, err: io.Discard, now: time.Now,
		getenv: func(string) string { return "" }, size: func() (int, int) { return 80, 24 }}
}

func TestArrange(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		l, err := arrange(newApp(testEnv()), strings.Fields(in))
		got := strings.Join(l.sorted("pushctl"), " ")
		if err != nil || got != "pushctl "+want {
			t.Errorf("arrange(%q) = %q, %v; want %q", in, got, err, "pushctl "+want)
		}
	}
	f("stats", "stats")
	f("stats -o json", "-o=json stats")
	f("stats --json --node a --node=b", "--json --node=a --node=b stats")
	f("-o json stats", "-o=json stats")
	f("top -n 4 --by wait", "top -n=4 --by=wait")
	f("--timeout 3s top --by wait --color never", "--timeout=3s --color=never top --by=wait")
	f("knob set a.b 5 --why x", "knob set --why=x -- a.b 5")
	f("knob set --why x a.b 5 --dry-run", "knob set --why=x --dry-run -- a.b 5")
	f("knob --json set a.b 5", "--json knob set -- a.b 5")
	f("send u -5", "send -- u -5")
	f("send u -", "send -- u -")
	f("send u -- --ttl", "send -- u --ttl")
	f("send u x --ttl 5s", "send --ttl=5s -- u x")
	// -w may stand without its value.
	f("stats -w", "stats -w=1")
	f("stats -w 2", "stats -w=2")
	f("stats -w 500ms", "stats -w=500ms")
	f("top -w --by wait", "top -w=1 --by=wait")
	f("conn -w 1.2.3", "conn -w=1 -- 1.2.3")
	f("top --watch=3", "top --watch=3")
	// A value is taken as it is, even one that looks like a flag.
	f("knob set a.b 5 --why -x", "knob set --why=-x -- a.b 5")
}

func TestArrangeHelp(t *testing.T) {
	f := func(in, name string) {
		t.Helper()
		l, err := arrange(newApp(testEnv()), strings.Fields(in))
		if err != nil || !l.help || l.name() != name {
			t.Errorf("arrange(%q): help %v of %q, %v; want help of %q", in, l.help, l.name(), err, name)
		}
	}
	f("--help", "pushctl")
	f("-h top", "pushctl top")
	f("top -h --by wait", "pushctl top")
	f("help knob set", "pushctl knob set")
	f("knob set --help", "pushctl knob set")
}

func TestInnerFlagsWinOverGlobalOnes(t *testing.T) {
	app := newApp(testEnv())
	app.Commands = append(app.Commands, &cli.Command{Name: "own", Action: func(*cli.Context) error { return nil },
		Flags: []cli.Flag{&cli.StringFlag{Name: "node"}}})
	l, err := arrange(app, []string{"--node", "a", "own", "--node", "b"})
	if got := strings.Join(l.sorted("pushctl"), " "); err != nil || got != "pushctl --node=a own --node=b" {
		t.Errorf("arrange = %q, %v", got, err)
	}
}

func TestClosest(t *testing.T) {
	names := []string{"stats", "top", "conn", "closed", "knob", "kick", "listen", "broadcast", "n"}
	f := func(word, want string) {
		t.Helper()
		if got := closest(word, names); got != want {
			t.Errorf("closest(%q) = %q, want %q", word, got, want)
		}
	}
	f("tpo", "top")
	f("stast", "stats")
	f("broad", "broadcast")
	f("lsiten", "listen")
	f("kcik", "kick")
	f("frobnicate", "")
	f("x", "")
}

func TestEdits(t *testing.T) {
	f := func(a, b string, want int) {
		t.Helper()
		if got := edits(a, b); got != want {
			t.Errorf("edits(%q, %q) = %d, want %d", a, b, got, want)
		}
	}
	f("", "abc", 3)
	f("abc", "abc", 0)
	f("tpo", "top", 1)
	f("kitten", "sitting", 3)
}

// Every command that acts says what it does, how it is called, and shows an
// example that the arranger accepts.
func TestEveryCommandHasHelp(t *testing.T) {
	app := newApp(testEnv())
	bench := app.Command("bench")
	each(app.Commands, func(c *cli.Command) {
		if c.Hidden {
			return
		}
		if c.Usage == "" || c.UsageText == "" {
			t.Errorf("%s: no usage", c.Name)
		}
		if len(c.Usage)+14 > table.Columns {
			t.Errorf("%s: usage of %d characters", c.Name, len(c.Usage))
		}
		examples := 0
		for l := range strings.SplitSeq(c.Description, "\n") {
			if rest, ok := strings.CutPrefix(l, "  pushctl "); ok {
				examples++
				// Loads are long to describe.
				if len(l) > table.Columns && !slices.Contains(bench.Subcommands, c) {
					t.Errorf("%s: example of %d columns", c.Name, len(l))
				}
				rest, _, _ = strings.Cut(rest, " |") // jq has flags of its own
				if _, err := arrange(newApp(testEnv()), strings.Fields(rest)); err != nil {
					t.Errorf("%s: example %q: %v", c.Name, l, err)
				}
			}
		}
		if examples == 0 && c.Name != "completion" {
			t.Errorf("%s: no example", c.Name)
		}
	})
}

func TestHelpFits(t *testing.T) {
	app := newApp(testEnv())
	f := func(l *line) {
		t.Helper()
		var b strings.Builder
		printHelp(&b, app, l)
		for s := range strings.SplitSeq(b.String(), "\n") {
			if table.Width(s) > table.Columns {
				t.Errorf("%s: %d columns: %s", l.name(), table.Width(s), s)
			}
		}
	}
	f(&line{})
	for _, c := range app.Commands {
		if c.Name == "bench" { // wraps its own texts
			continue
		}
		f(&line{path: []*cli.Command{c}})
		for _, s := range c.Subcommands {
			f(&line{path: []*cli.Command{c, s}})
		}
	}
}

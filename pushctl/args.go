package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// line is a command line in the order that the parser wants: each command
// followed by its own flags, words last.
type line struct {
	path  []*cli.Command // the commands named, outermost first
	flags [][]string     // flags[0] are global, flags[i+1] belong to path[i]
	words []string       // what is neither command nor flag
	help  bool           // -h, --help or the word help was seen
}

// optional is a flag value that may be left out.
type optional interface {
	// Missing returns the value to take when next (the following word, "" at
	// the end) is not one, and whether that is so.
	Missing(next string) (string, bool)
}

// arrange sorts a command line, program name left out. The parser stops at the
// first word that is no flag; people do not. A flag belongs to the innermost
// command that has it, whatever its place, so global flags work behind the
// command and a command's flags behind its arguments.
func arrange(app *cli.App, args []string) (*line, error) {
	l := &line{flags: make([][]string, 1)}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			l.words = append(l.words, args[i+1:]...)
			return l, nil
		case isFlag(arg):
			used, err := l.flag(app, arg, args[i+1:])
			if err != nil {
				return l, err
			}
			i += used
		default:
			if err := l.word(app, arg); err != nil {
				return l, err
			}
		}
	}
	return l, nil
}

// isFlag tells flags from words; a lone dash is standard input, -5 a number and
// -5m a time ago.
func isFlag(arg string) bool {
	if len(arg) < 2 || arg[0] != '-' {
		return false
	}
	if arg[1] >= '0' && arg[1] <= '9' {
		return false
	}
	_, err := strconv.ParseFloat(arg, 64)
	return err != nil
}

// flag files one flag and returns how many of the following words it used.
func (l *line) flag(app *cli.App, arg string, rest []string) (int, error) {
	name, _, has := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	level, f := l.find(app, name)
	if f == nil {
		if name == "h" || name == "help" {
			l.help = true
			return 0, nil
		}
		return 0, unknownFlag(l, app, arg)
	}
	if has || !takesValue(f) {
		l.flags[level] = append(l.flags[level], arg)
		return 0, nil
	}
	next := ""
	if len(rest) > 0 {
		next = rest[0]
	}
	if g, ok := f.(*cli.GenericFlag); ok {
		if o, ok := g.Value.(optional); ok {
			if v, missing := o.Missing(next); missing {
				l.flags[level] = append(l.flags[level], arg+"="+v)
				return 0, nil
			}
		}
	}
	if len(rest) == 0 {
		return 0, usagef("%s needs a value", arg)
	}
	l.flags[level] = append(l.flags[level], arg+"="+next)
	return 1, nil
}

// find looks a flag up from the innermost command outwards.
func (l *line) find(app *cli.App, name string) (level int, f cli.Flag) {
	for i := len(l.path); i >= 0; i-- {
		flags := app.Flags
		if i > 0 {
			flags = l.path[i-1].Flags
		}
		for _, f := range flags {
			if slices.Contains(f.Names(), name) {
				return i, f
			}
		}
	}
	return 0, nil
}

// word files a command's name or an argument.
func (l *line) word(app *cli.App, arg string) error {
	subs := app.Commands
	if n := len(l.path); n > 0 {
		subs = l.path[n-1].Subcommands
	}
	if len(subs) == 0 || len(l.words) > 0 {
		l.words = append(l.words, arg)
		return nil
	}
	for _, c := range subs {
		if c.HasName(arg) {
			l.path = append(l.path, c)
			l.flags = append(l.flags, nil)
			return nil
		}
	}
	if len(l.path) == 0 && arg == "help" {
		l.help = true
		return nil
	}
	if n := len(l.path); n > 0 && l.path[n-1].Action != nil {
		l.words = append(l.words, arg)
		return nil
	}
	return unknownCommand(l, subs, arg)
}

// sorted is the command line for the parser.
func (l *line) sorted(program string) []string {
	out := append([]string{program}, l.flags[0]...)
	for i, c := range l.path {
		out = append(append(out, c.Name), l.flags[i+1]...)
	}
	if len(l.words) > 0 && len(l.path) > 0 {
		out = append(out, "--")
	}
	return append(out, l.words...)
}

// leaf is the innermost command, nil for none.
func (l *line) leaf() *cli.Command {
	if len(l.path) == 0 {
		return nil
	}
	return l.path[len(l.path)-1]
}

// name is how the innermost command is called: "pushctl knob set".
func (l *line) name() string {
	s := "pushctl"
	for _, c := range l.path {
		s += " " + c.Name
	}
	return s
}

// prefix names the innermost command in front of an error.
func (l *line) prefix() string {
	if len(l.path) == 0 {
		return ""
	}
	return strings.TrimPrefix(l.name(), "pushctl ") + ": "
}

func takesValue(f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return ok && d.TakesValue()
}

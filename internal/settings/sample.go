package settings

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Sample writes a file with every key at its default, commented out, so that
// what is said in the file is what differs.
func (p *Program[C]) Sample(w io.Writer, getenv func(string) string) {
	fmt.Fprintf(w, "# %s\n#\n# Every key is shown with its default. Take the # away before one that should\n"+
		"# differ, and look at the whole with: %s check-config\n"+
		"# Flags and variables (%s_…) win over this file.\n", p.about(), p.Name, strings.ToUpper(p.Name))
	p.eachDefault(getenv, func(k *Key[C], def string) {
		comment(w, k.Help)
		fmt.Fprintf(w, "#%s = %s\n", k.Name, k.Value.toml(def))
	}, w)
	if p.Pairs != nil {
		fmt.Fprintf(w, "\n# --- Start values of %s ---\n\n#%s.NAME = \"VALUE\"\n", p.Pairs.Table, p.Pairs.Table)
	}
}

// SampleEnv is Sample for the file of a unit's environment.
func (p *Program[C]) SampleEnv(w io.Writer, getenv func(string) string) {
	fmt.Fprintf(w, "# %s\n#\n# Environment of its units. Variables win over %s; lists have\n"+
		"# commas. Every variable is shown with its default.\n", p.about(), p.File)
	p.eachDefault(getenv, func(k *Key[C], def string) {
		comment(w, k.Help)
		fmt.Fprintf(w, "#%s=%s\n", p.Env(k), strings.Join(k.Value.split(def), ","))
	}, w)
}

// about is the first line of the help: what the program is.
func (p *Program[C]) about() string {
	line, _, _ := strings.Cut(p.Head, "\n")
	return line
}

// eachDefault visits what a file can set, with headings between.
func (p *Program[C]) eachDefault(getenv func(string) string, f func(k *Key[C], def string), w io.Writer) {
	def := p.Default(getenv)
	group := ""
	for i := range p.Keys {
		k := &p.Keys[i]
		if k.FlagOnly {
			continue
		}
		if k.Group != group {
			group = k.Group
			fmt.Fprintf(w, "\n# --- %s ---\n", group)
		}
		text := k.Value.get(&def)
		if k.Sample != "" {
			text = k.Sample
		}
		fmt.Fprintln(w)
		f(k, text)
	}
}

func comment(w io.Writer, text string) {
	for _, line := range wrap(text, helpWidth-2) {
		fmt.Fprintf(w, "# %s\n", line)
	}
}

// toml writes a text as the file has it.
func (v *Value[C]) toml(text string) string {
	if v.list {
		items := v.split(text)
		for i := range items {
			items[i] = strconv.Quote(items[i])
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	if _, err := strconv.Atoi(text); err == nil || v.toggle {
		return text
	}
	return strconv.Quote(text)
}

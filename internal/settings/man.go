package settings

import (
	"fmt"
	"io"
	"strings"

	"pushfleet/internal/man"
)

// manSection is that of daemons.
const manSection = 8

// Man writes the manual page of the program, from its help and its keys.
func (p *Program[C]) Man(w io.Writer, getenv func(string) string, version string) {
	_, what, _ := strings.Cut(p.about(), ": ")
	page := man.NewPage(w, p.Name, manSection, version, what)
	page.Section("Synopsis")
	_, usage, _ := strings.Cut(p.Head, "\n\n")
	page.Verbatim(strings.Split(strings.TrimRight(strings.Replace(usage, "usage: ", "       ", 1), "\n"), "\n"))
	page.Section("Options")
	def := p.Default(getenv)
	group := ""
	for i := range p.Keys {
		k := &p.Keys[i]
		if k.Group != group {
			group = k.Group
			page.Sub(group)
		}
		page.Item(dashes(k.Flag), k.Arg, p.manItem(k, k.Value.get(&def)))
	}
	page.Section("Notes")
	page.Text(p.Tail)
	page.Section("Exit status")
	page.Item("0", "", "an orderly end")
	page.Item("1", "", "it failed; the log says why")
	page.Item("2", "", "the configuration or the command line is wrong, and nothing was started")
	page.Section("Files")
	page.Item(p.File, "", "configuration")
	page.Section("See also")
	page.Text("pushd(8), keeper(8), pushctl(1)")
}

// manItem explains a key with its names elsewhere and its default.
func (p *Program[C]) manItem(k *Key[C], def string) string {
	text := k.Help + "."
	if !k.FlagOnly {
		text += fmt.Sprintf("\nKey %s, variable %s", k.Name, p.Env(k))
		switch {
		case k.Sample != "":
			text += "; the default depends on the machine"
		case def != "" && def != "false":
			text += "; default " + def
		}
		text += "."
	}
	return text
}

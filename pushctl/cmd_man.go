package main

import (
	"strings"

	"github.com/urfave/cli/v2"
	"pushfleet/internal/man"
)

// manCommand prints the manual page, for packages.
func manCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "man", Category: "more", Usage: "print the manual page", UsageText: "pushctl man", Hidden: true,
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, 0); err != nil {
				return err
			}
			writeManual(man.NewPage(e.out, c.App.Name, 1, version, c.App.Usage), c.App)
			return nil
		},
	}
}

func writeManual(p *man.Page, app *cli.App) {
	p.Section("Synopsis")
	p.Text(app.UsageText)
	p.Section("Description")
	p.Text(app.Description)
	p.Section("Global flags")
	p.Text("They work before and after the command.")
	manFlags(p, app.Flags)
	p.Section("Commands")
	manCommands(p, app.Commands, "")
	p.Section("Files")
	p.Item("~/.config/pushctl/config.toml", "", "contexts: nodes and keepers by name")
	p.Section("See also")
	p.Text("pushd(8), keeper(8)")
}

// manCommands explains commands and what is below them; parent is how the
// command above is called.
func manCommands(p *man.Page, cs []*cli.Command, parent string) {
	for _, c := range cs {
		if c.Hidden {
			continue
		}
		name := strings.TrimSpace(parent + " " + c.Name)
		p.Sub("pushctl " + name)
		p.Text(sentence(c.Usage))
		if c.UsageText != "" {
			p.Verbatim(strings.Split(c.UsageText, "\n"))
		}
		p.Text(strings.Trim(c.Description, "\n"))
		manFlags(p, c.Flags)
		manCommands(p, c.Subcommands, name)
	}
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

func manFlags(p *man.Page, flags []cli.Flag) {
	for _, f := range visible(flags) {
		names, text := flagText(f)
		p.Item(names, "", text)
	}
}

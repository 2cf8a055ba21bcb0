package settings

import (
	"fmt"
	"io"
	"strings"
)

const (
	helpColumn = 24 // where the descriptions begin
	helpWidth  = 80
)

// Help prints the usage with the defaults as they are on this machine.
func (p *Program[C]) Help(w io.Writer, getenv func(string) string) {
	fmt.Fprint(w, p.Head)
	def := p.Default(getenv)
	group := ""
	for _, k := range p.Keys {
		if p.Shown != nil && !p.Shown(&k) {
			continue
		}
		if k.Group != group {
			group = k.Group
			fmt.Fprintf(w, "\n%s\n", group)
		}
		help := k.Help
		if d := k.Value.get(&def); d != "" && d != "false" && d != "0" {
			help += " [" + d + "]"
		}
		helpLine(w, strings.TrimRight("  "+dashes(k.Flag)+" "+k.Arg, " "), help)
	}
	fmt.Fprint(w, p.Tail)
}

// dashes writes a flag the way people do; both forms are read.
func dashes(flag string) string {
	if len(flag) == 1 {
		return "-" + flag
	}
	return "--" + flag
}

func helpLine(w io.Writer, left, help string) {
	if len(left) > helpColumn-2 {
		fmt.Fprintln(w, left)
		left = ""
	}
	for _, line := range wrap(help, helpWidth-helpColumn) {
		fmt.Fprintf(w, "%-*s%s\n", helpColumn, left, line)
		left = ""
	}
}

// wrap breaks a text at blanks; a word longer than width stays whole.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

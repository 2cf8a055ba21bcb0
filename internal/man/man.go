// Package man writes manual pages from what a program says in its help, so
// that the two cannot differ.
package man

import (
	"fmt"
	"io"
	"strings"
)

// Page writes one manual page in roff, part by part, in the order of the calls.
type Page struct{ w io.Writer }

// NewPage begins a page: its name, such as pushd, the section of the manual,
// the version of the program, and what it is in one line.
func NewPage(w io.Writer, name string, section int, version, what string) *Page {
	p := &Page{w}
	p.line(".TH %s %d \"\" \"pushfleet %s\" pushfleet", Escape(strings.ToUpper(name)), section, Escape(version))
	p.Section("Name")
	p.line("%s \\- %s", Escape(name), Escape(what))
	return p
}

// Section begins a section.
func (p *Page) Section(title string) { p.line(".SH %s", Escape(strings.ToUpper(title))) }

// Sub begins a part of a section.
func (p *Page) Sub(title string) { p.line(".SS %s", Escape(title)) }

// Item explains a tag, the placeholder in which is arg; it may be empty.
func (p *Page) Item(tag, arg, text string) {
	p.line(".TP")
	if arg != "" {
		p.line("\\fB%s\\fR \\fI%s\\fR", Escape(tag), Escape(arg))
	} else {
		p.line("\\fB%s\\fR", Escape(tag))
	}
	p.line("%s", Escape(text))
}

// Verbatim writes lines as they are, without their common indentation.
func (p *Page) Verbatim(lines []string) {
	p.line(".PP\n.in +4n\n.nf")
	for _, l := range lines {
		p.line("%s", Escape(strings.TrimPrefix(l, "  ")))
	}
	p.line(".fi\n.in")
}

// Text writes a help text: paragraphs, and examples, which are indented.
func (p *Page) Text(text string) {
	var block []string
	indented := false
	flush := func() {
		switch {
		case len(block) == 0:
		case indented:
			p.Verbatim(block)
		default:
			p.line(".PP\n%s", Escape(strings.Join(block, "\n")))
		}
		block = nil
	}
	for l := range strings.SplitSeq(text, "\n") {
		if blank := strings.TrimSpace(l) == ""; blank || strings.HasPrefix(l, "  ") != indented {
			flush()
			indented = strings.HasPrefix(l, "  ")
			if blank {
				continue
			}
		}
		block = append(block, l)
	}
	flush()
}

func (p *Page) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\n", args...) }

// Escape makes roff print a text as it is.
func Escape(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, `\(aq`) {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

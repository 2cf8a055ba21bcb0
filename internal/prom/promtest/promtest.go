// Package promtest reads pages of /metrics as strictly as Prometheus and its
// linter do.
package promtest

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Sample is one line of a page.
type Sample struct {
	Name, Series string   // without and with labels
	Keys         []string // of the labels
	Value        float64
}

// Page is a page of /metrics. Problems is empty if there is nothing to mind.
type Page struct {
	Samples  []Sample
	Problems []string
	labels   []string // allowed beside le
}

var (
	sampleForm = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	labelForm  = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)`)
)

// Read parses a page and collects what Prometheus or its linter would mind:
// samples without help or type, families in pieces, doubled series, counters
// not named so, labels other than le and the given ones, vmrange.
func Read(text string, labels ...string) *Page {
	p := &Page{labels: append([]string{"le"}, labels...)}
	f := family{seen: map[string]bool{}, series: map[string]bool{}}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if help, ok := strings.CutPrefix(line, "# HELP "); ok {
			f.begin(p, help)
		} else if typ, ok := strings.CutPrefix(line, "# TYPE "); ok {
			f.typed(p, typ)
		} else {
			f.sample(p, line)
		}
	}
	return p
}

// family is where Read is.
type family struct {
	name, kind   string
	seen, series map[string]bool
}

func (f *family) begin(p *Page, help string) {
	name, words, _ := strings.Cut(help, " ")
	if f.seen[name] {
		p.complain("%s comes in pieces", name)
	}
	f.name, f.kind = name, ""
	f.seen[name] = true
	if len(words) < 5 || strings.ContainsAny(words, "\\") {
		p.complain("%s: help %q", name, words)
	}
}

func (f *family) typed(p *Page, typ string) {
	name, word, _ := strings.Cut(typ, " ")
	if f.kind = word; name != f.name {
		p.complain("the type of %s stands after the help of %s", name, f.name)
	}
	if (f.kind == "counter") != strings.HasSuffix(name, "_total") {
		p.complain("%s is a %s", name, f.kind)
	}
}

func (f *family) sample(p *Page, line string) {
	s := p.sample(line)
	base := s.Name
	if f.kind == "histogram" {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			base = strings.TrimSuffix(base, suffix)
		}
	}
	if f.kind == "" || base != f.name {
		p.complain("%q stands without help and type", line)
	}
	if f.series[s.Series] {
		p.complain("%s is there twice", s.Series)
	}
	f.series[s.Series] = true
}

func (p *Page) complain(format string, args ...any) {
	p.Problems = append(p.Problems, fmt.Sprintf(format, args...))
}

func (p *Page) sample(line string) Sample {
	m := sampleForm.FindStringSubmatch(line)
	if m == nil {
		p.complain("not a sample: %q", line)
		return Sample{}
	}
	s := Sample{Name: m[1], Series: line[:strings.LastIndexByte(line, ' ')]}
	for rest := m[2]; rest != ""; {
		l := labelForm.FindStringSubmatch(rest)
		if l == nil {
			p.complain("labels of %q", line)
			break
		}
		if !slices.Contains(p.labels, l[1]) {
			p.complain("label %s of %s is not one of %v", l[1], s.Name, p.labels)
		}
		s.Keys = append(s.Keys, l[1])
		rest = rest[len(l[0]):]
	}
	var err error
	if s.Value, err = strconv.ParseFloat(m[3], 64); err != nil {
		p.complain("value of %q", line)
	}
	p.Samples = append(p.Samples, s)
	return s
}

// Names lists the names with their label keys, sorted, once each.
func (p *Page) Names() []string {
	var out []string
	for _, s := range p.Samples {
		name := s.Name
		if len(s.Keys) > 0 {
			name += "{" + strings.Join(s.Keys, ",") + "}"
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Value returns the value of a series and whether it is there.
func (p *Page) Value(series string) (float64, bool) {
	for _, s := range p.Samples {
		if s.Series == series {
			return s.Value, true
		}
	}
	return 0, false
}

// Lint has promtool check a page; ok is false where it is not installed.
func Lint(page string) (problems string, ok bool) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		return "", false
	}
	cmd := exec.Command(tool, "check", "metrics")
	cmd.Stdin = strings.NewReader(page)
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		return err.Error(), true
	}
	return string(out), true
}

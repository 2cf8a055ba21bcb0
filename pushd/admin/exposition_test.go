package admin

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// sampleOf is one line of a /metrics page.
type sampleOf struct {
	name, series string
	keys         []string
	value        float64
}

// exposition is a /metrics page, read strictly.
type exposition struct {
	samples  []sampleOf
	problems []string
}

var (
	sampleForm = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	labelForm  = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)`)
)

// read parses a page and collects what Prometheus or its linter would mind:
// samples without help or type, families in pieces, doubled series, counters
// not named so, labels that are not of the few allowed, vmrange.
func read(text string) *exposition {
	x := &exposition{}
	family, kind, seen, series := "", "", map[string]bool{}, map[string]bool{}
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if help, ok := strings.CutPrefix(line, "# HELP "); ok {
			name, words, _ := strings.Cut(help, " ")
			if family, kind = name, ""; seen[name] {
				x.complain("%s comes in pieces", name)
			}
			seen[name] = true
			if len(words) < 5 || strings.ContainsAny(words, "\\") {
				x.complain("%s: help %q", name, words)
			}
			continue
		}
		if typ, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, word, _ := strings.Cut(typ, " ")
			if kind = word; name != family {
				x.complain("the type of %s stands after the help of %s", name, family)
			}
			if (kind == "counter") != strings.HasSuffix(name, "_total") {
				x.complain("%s is a %s", name, kind)
			}
			continue
		}
		s := x.sample(line)
		base := s.name
		if kind == "histogram" {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				base = strings.TrimSuffix(base, suffix)
			}
		}
		if kind == "" || base != family {
			x.complain("%q stands without help and type", line)
		}
		if series[s.series] {
			x.complain("%s is there twice", s.series)
		}
		series[s.series] = true
	}
	return x
}

func (x *exposition) complain(format string, args ...any) {
	x.problems = append(x.problems, fmt.Sprintf(format, args...))
}

func (x *exposition) sample(line string) sampleOf {
	m := sampleForm.FindStringSubmatch(line)
	if m == nil {
		x.complain("not a sample: %q", line)
		return sampleOf{}
	}
	s := sampleOf{name: m[1], series: line[:strings.LastIndexByte(line, ' ')]}
	for rest := m[2]; rest != ""; {
		l := labelForm.FindStringSubmatch(rest)
		if l == nil {
			x.complain("labels of %q", line)
			break
		}
		if allowed := []string{"proto", "reason", "loop", "window", "le", "result", "version", "go", "ring"}; !slices.Contains(allowed, l[1]) {
			x.complain("label %s of %s is not one of %v", l[1], s.name, allowed)
		}
		s.keys = append(s.keys, l[1])
		rest = rest[len(l[0]):]
	}
	var err error
	if s.value, err = strconv.ParseFloat(m[3], 64); err != nil {
		x.complain("value of %q", line)
	}
	x.samples = append(x.samples, s)
	return s
}

// names lists the names with their label keys, sorted, once each.
func (x *exposition) names() []string {
	var out []string
	for _, s := range x.samples {
		name := s.name
		if len(s.keys) > 0 {
			name += "{" + strings.Join(s.keys, ",") + "}"
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// value returns the value of a series and whether it is there.
func (x *exposition) value(series string) (float64, bool) {
	for _, s := range x.samples {
		if s.series == series {
			return s.value, true
		}
	}
	return 0, false
}

package settings

import (
	"fmt"
	"strings"
)

// Problem is one thing wrong with the configuration, in a sentence that ends
// with what to do.
type Problem struct {
	Key    string // as in the file, for example auth.jwt.leeway; empty for the command line as such
	Text   string
	Source string
}

func (p Problem) String() string {
	s := p.Text
	if p.Key != "" {
		s = p.Key + ": " + s
	}
	if p.Source != "" && p.Source != "default" {
		s += " (from " + p.Source + ")"
	}
	return s
}

// Problems is the error of Load: everything that is wrong, not the first.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// Adder notes a problem of a key, with the key's source.
type Adder func(key, format string, args ...any)

// Collect runs a check and returns what it noted.
func (s Sources) Collect(check func(Adder)) (p Problems) {
	check(func(key, format string, args ...any) {
		p = append(p, Problem{key, fmt.Sprintf(format, args...), s.Source(key)})
	})
	return p
}

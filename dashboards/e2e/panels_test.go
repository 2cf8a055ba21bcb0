//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// question is one target of one panel.
type question struct{ where, expr string }

// questions reads all dashboards and puts values in for their variables.
func questions(t *testing.T) (out []question) {
	t.Helper()
	files, err := filepath.Glob("../*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d struct{ Panels []panel }
		if err := json.Unmarshal(b, &d); err != nil {
			t.Fatal(err)
		}
		for _, p := range d.Panels {
			out = append(out, p.questions(filepath.Base(file))...)
		}
	}
	if len(out) < 80 {
		t.Fatalf("only %d targets found; has the form of the dashboards changed?", len(out))
	}
	return out
}

// panel is what matters of one here; rows have panels inside.
type panel struct {
	Title   string
	Targets []struct{ Expr string }
	Panels  []panel
}

func (p *panel) questions(file string) (out []question) {
	for _, target := range p.Targets {
		out = append(out, question{file + ": " + p.Title, filled(target.Expr)})
	}
	for _, inner := range p.Panels {
		out = append(out, inner.questions(file)...)
	}
	return out
}

func filled(expr string) string {
	expr = strings.NewReplacer("$__rate_interval", "10s", "$__interval", "2s").Replace(expr)
	return regexp.MustCompile(`\$\w+`).ReplaceAllString(expr, ".*")
}

// checkPanels wants at least one number for every target of every panel. Some
// come seldom: a node with little to do collects garbage every minute.
func checkPanels(t *testing.T, s server) {
	missing := questions(t)
	within(2*patience, func() bool {
		missing = slices.DeleteFunc(missing, func(q question) bool {
			n, _ := s.samples(t, q.expr, time.Minute)
			return n > 0
		})
		return len(missing) == 0 || t.Failed()
	})
	for _, q := range missing {
		t.Errorf("%s: %s: no data for %s", s.name, q.where, q.expr)
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The files in the repository are what the program makes.
func TestCommitted(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	for _, b := range boards() {
		want, err := os.ReadFile(filepath.Join(dir, b.File()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", b.File()))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("dashboards/%s is not what the program makes (%v); run make gen", b.File(), err)
		}
		if !json.Valid(want) {
			t.Errorf("%s is not JSON", b.File())
		}
	}
}

func TestPanelsHaveTheirPlace(t *testing.T) {
	for _, b := range boards() {
		taken := map[[2]int]string{}
		for _, p := range b.dashboard.Panels {
			g := p.GridPos
			if g.X < 0 || g.X+g.W > gridWidth || g.W <= 0 || g.H <= 0 {
				t.Errorf("%s: %q lies at %+v", b.name, p.Title, g)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" {
						t.Fatalf("%s: %q lies over %q", b.name, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
			refs := map[string]bool{}
			for _, target := range p.Targets {
				if refs[target.RefID] || target.Datasource != prometheus() || target.Expr == "" {
					t.Errorf("%s: %q: target %+v", b.name, p.Title, target)
				}
				refs[target.RefID] = true
			}
			if len(refs) == 0 && p.Type != "row" {
				t.Errorf("%s: %q asks nothing", b.name, p.Title)
			}
		}
	}
}

// Every metric that a panel asks for is one that pushd or the keeper shows.
func TestMetricsExist(t *testing.T) {
	known := golden(t)
	for _, b := range boards() {
		var all []string
		for _, p := range b.dashboard.Panels {
			for _, target := range p.Targets {
				all = append(all, target.Expr)
			}
		}
		for _, a := range b.dashboard.Annotations.List {
			all = append(all, a.Expr)
		}
		for _, v := range b.dashboard.Templating.List {
			all = append(all, v.Definition)
		}
		for _, expr := range all {
			if strings.Contains(expr, "$S") || strings.Contains(expr, "$s,") || strings.Contains(expr, "$G") {
				t.Errorf("%s: %s has a selector that was not put in", b.name, expr)
			}
			for _, name := range metricNames(expr) {
				if !slices.Contains(known, name) {
					t.Errorf("%s: no program shows %s (in %s)", b.name, name, expr)
				}
			}
		}
	}
}

func metricNames(expr string) []string {
	return regexp.MustCompile(`\b(?:pushd|keeper|go|process)_[a-z0-9_]+`).FindAllString(expr, -1)
}

// golden are the names of the golden lists, without labels.
func golden(t *testing.T) (names []string) {
	t.Helper()
	for _, file := range []string{"../../pushd/admin/testdata/metrics.txt", "../../keeper/api/testdata/metrics.txt"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			name, _, _ := strings.Cut(strings.TrimSpace(line), "{")
			names = append(names, name)
		}
	}
	return names
}

package house

import (
	"fmt"
	"strings"
)

// pkg is what go list knows of a package.
type pkg struct {
	ImportPath   string
	Dir          string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// name returns the path within the module, "" for its root.
func (p *pkg) name() string { return inModule(p.ImportPath) }

func inModule(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
}

// judgeImports returns a complaint for each import that the table does not
// allow and for each row that has no package or package that has no row.
func judgeImports(rooms []room, pkgs []pkg) []string {
	var out []string
	lived := map[string]bool{}
	for i := range pkgs {
		p := &pkgs[i]
		r := roomOf(rooms, p.name())
		if r == nil {
			out = append(out, fmt.Sprintf("%s has no row in ARCHITECTURE.md: add one that says what lives there and what it may import", p.name()))
			continue
		}
		lived[r.pattern] = true
		if r.later {
			out = append(out, fmt.Sprintf("ARCHITECTURE.md:%d: %s exists now: take the mark %s off", r.line, p.name(), laterMark))
		}
		for _, path := range p.Imports {
			out = append(out, judgeImport(r, p, path, false)...)
		}
		for _, path := range append(p.TestImports, p.XTestImports...) {
			out = append(out, judgeImport(r, p, path, true)...)
		}
	}
	for _, r := range rooms {
		if !lived[r.pattern] && !r.later {
			out = append(out, fmt.Sprintf("ARCHITECTURE.md:%d: there is no package %s: remove the row or mark it %s", r.line, r.pattern, laterMark))
		}
	}
	return out
}

func judgeImport(r *room, p *pkg, path string, test bool) []string {
	from := p.name()
	if owner := keptTo(path); owner != "" && from != owner && !strings.HasPrefix(from, owner+"/") {
		return []string{fmt.Sprintf("%s imports %s, which only %s may", from, path, owner)}
	}
	if path != module && !strings.HasPrefix(path, module+"/") {
		return nil
	}
	to := inModule(path)
	if to == from || mayImport(r, to, test) {
		return nil
	}
	if !test && forTests(to) {
		return []string{fmt.Sprintf("%s imports %s, which is for tests only", from, to)}
	}
	what := "imports"
	if test {
		what = "imports in a test"
	}
	return []string{fmt.Sprintf("%s %s %s, which its row does not allow (ARCHITECTURE.md:%d): turn the dependency round, or change the row and say why",
		from, what, to, r.line)}
}

func mayImport(r *room, to string, test bool) bool {
	if forTests(to) {
		return test || forTests(r.pattern)
	}
	if test && strings.HasPrefix(to, "internal/") {
		return true
	}
	for _, pattern := range r.imports {
		if matches(pattern, to) {
			return true
		}
	}
	return false
}

// forTests tells whether a package exists for tests only.
func forTests(name string) bool {
	switch name {
	case "internal/testnode", "internal/testkeeper", "internal/house", "internal/tlsfile/tlstest", "internal/prom/promtest":
		return true
	}
	return strings.HasSuffix(name, "test") && strings.HasPrefix(name, "pushd/wire/")
}

// keptTo returns the room that has a library for itself.
func keptTo(path string) string {
	switch {
	case strings.HasPrefix(path, "github.com/urfave/cli"):
		return "pushctl"
	case strings.HasPrefix(path, "github.com/hashicorp/raft"):
		return "keeper/store"
	}
	return ""
}

package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// judgeSource returns what a file does against the habits of the house. name
// is its path within the module.
func judgeSource(name string, src []byte) ([]string, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	if ast.IsGenerated(file) {
		return nil, nil
	}
	j := &judge{name: name, fset: fset}
	for _, d := range file.Decls {
		j.declaration(d)
	}
	ast.Walk(j, file)
	return j.complaints, nil
}

type judge struct {
	name       string
	fset       *token.FileSet
	polls      bool // in a loop that looks at a condition until a deadline
	complaints []string
}

func (j *judge) complain(at ast.Node, format string, args ...any) {
	j.complaints = append(j.complaints, fmt.Sprintf("%s:%d: ", j.name, j.fset.Position(at.Pos()).Line)+fmt.Sprintf(format, args...))
}

func (j *judge) test() bool { return strings.HasSuffix(j.name, "_test.go") }

func (j *judge) declaration(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.Name == "init" {
			j.complain(d, "func init: two nodes live in one process, build it in New")
		}
	case *ast.GenDecl:
		if d.Tok != token.VAR {
			return
		}
		for _, s := range d.Specs {
			if v := s.(*ast.ValueSpec); stateful(v) {
				j.complain(v, "package variable %s holds state: make it a field", v.Names[0].Name)
			}
		}
	}
}

// stateful tells whether a package variable can only be meant to change:
// a lock, an atomic, or something made.
func stateful(v *ast.ValueSpec) bool {
	if pkg, _ := selector(v.Type); pkg == "sync" || pkg == "atomic" {
		return true
	}
	for _, x := range v.Values {
		switch x := x.(type) {
		case *ast.CallExpr:
			if f, ok := x.Fun.(*ast.Ident); ok && (f.Name == "make" || f.Name == "new") {
				return true
			}
		case *ast.CompositeLit:
			if pkg, _ := selector(x.Type); pkg == "sync" || pkg == "atomic" {
				return true
			}
		}
	}
	return false
}

// Visit implements ast.Visitor. A call of synctest.Test is not entered: time is
// virtual there.
func (j *judge) Visit(n ast.Node) ast.Visitor {
	if loop, ok := n.(*ast.ForStmt); ok && !j.polls && asksTime(loop) {
		inside := *j
		inside.polls = true
		ast.Walk(&inside, loop.Body)
		if loop.Post != nil {
			ast.Walk(&inside, loop.Post)
		}
		j.complaints = inside.complaints
		return nil
	}
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return j
	}
	pkg, f := selector(call.Fun)
	switch {
	case pkg == "synctest" && f == "Test":
		return nil
	case pkg == "time" && f == "Sleep" && j.test() && !j.polls:
		j.complain(call, "a sleep in a test: wait for a condition with a deadline, or use synctest; "+
			"what must be is listed with its reason in internal/house/testdata/sleeps.txt")
	case (pkg == "unix" || pkg == "syscall") && strings.HasPrefix(f, "RawSyscall") && !strings.HasPrefix(j.name, "internal/rawsys/"):
		j.complain(call, "%s.%s: raw system calls live in internal/rawsys", pkg, f)
	}
	return j
}

// asksTime tells whether a loop looks at the clock or a context, as one that
// polls with a deadline does.
func asksTime(loop *ast.ForStmt) bool {
	asks := false
	ast.Inspect(loop, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			switch s.Sel.Name {
			case "Now", "Since", "Until", "Before", "Deadline", "Err":
				asks = true
			}
		}
		return !asks
	})
	return asks
}

// selector splits X.Y; both are empty for anything else.
func selector(x ast.Expr) (pkg, name string) {
	if i, ok := x.(*ast.IndexExpr); ok { // atomic.Pointer[T]
		x = i.X
	}
	if s, ok := x.(*ast.SelectorExpr); ok {
		if id, ok := s.X.(*ast.Ident); ok {
			return id.Name, s.Sel.Name
		}
	}
	return "", ""
}

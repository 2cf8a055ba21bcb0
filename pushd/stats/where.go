package stats

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"pushfleet/internal/pushdapi"
)

// WhereLenMax bounds a filter in bytes. What it may do is bounded too: compare,
// calculate and match, no loops, no functions, no ranges.
const WhereLenMax = 512

// WhereFields names what a filter may use: times in seconds, sizes in bytes,
// rates per second in the window of the query. drain is infinite for a queue
// that grows; a time that is unsure compares as false with everything.
const WhereFields = "conn, user, proto, age, queued, bytes, in, out, wait, drain, drops, rtt, peak"

// Where is a compiled filter. Safe for concurrent use.
type Where struct {
	text    string
	program *vm.Program
	fields  map[string]bool // that it looks at
	mu      sync.Mutex
	vm      vm.VM
	env     whereEnv
}

// whereEnv holds the fields. "in" is an operator of the language, so the
// rewriting of numbers also renames the field.
type whereEnv struct {
	Conn   string  `expr:"conn"`
	User   string  `expr:"user"`
	Proto  string  `expr:"proto"`
	Age    float64 `expr:"age"`
	Queued float64 `expr:"queued"`
	Bytes  float64 `expr:"bytes"`
	In     float64 `expr:"in_rate"`
	Out    float64 `expr:"out"`
	Wait   float64 `expr:"wait"`
	Drain  float64 `expr:"drain"`
	Drops  float64 `expr:"drops"`
	RTT    float64 `expr:"rtt"`
	Peak   float64 `expr:"peak"`
}

// ParseWhere compiles a filter such as
//
//	queued > 100 and (wait > 5s or drops > 0) and user startsWith "u-"
//
// Numbers may carry a unit of time (ms s m h d, as in 1m30s) or size (B KB MB
// GB, KiB MiB GiB). An error says what is wrong and which fields there are.
func ParseWhere(text string) (*Where, error) {
	refuse := func(err error) (*Where, error) {
		return nil, fmt.Errorf("where %q: %w; fields are %s, for example: queued > 100 and wait > 5s", shorten(text), err, WhereFields)
	}
	if len(text) > WhereLenMax {
		return refuse(fmt.Errorf("longer than %d bytes", WhereLenMax))
	}
	plain, err := plainNumbers(text)
	if err != nil {
		return refuse(err)
	}
	tree, err := parser.Parse(plain)
	if err != nil {
		return refuse(firstLine(err))
	}
	check := checker{fields: map[string]bool{}}
	ast.Walk(&tree.Node, &check)
	if check.err != nil {
		return refuse(check.err)
	}
	program, err := expr.Compile(plain, expr.Env(&whereEnv{}), expr.AsBool(), expr.DisableAllBuiltins())
	if err != nil {
		return refuse(firstLine(err))
	}
	return &Where{text: text, program: program, fields: check.fields}, nil
}

// String returns the filter as it was written.
func (w *Where) String() string { return w.text }

// uses tells whether the filter looks at a field; no filter looks at all.
func (w *Where) uses(field string) bool { return w == nil || w.fields[field] }

// Match tells whether a row passes. A filter that cannot be computed for a row,
// for example for a remainder by zero, does not pass it.
func (w *Where) Match(row *pushdapi.ConnRow) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.env = whereEnv{
		Conn: row.Conn, User: row.User, Proto: row.Proto, Age: row.AgeSeconds,
		Queued: float64(row.Queued), Bytes: float64(row.Bytes), In: row.In, Out: row.Out,
		Wait: seconds(row.Wait), Drain: seconds(row.Drain),
		Drops: float64(row.Drops), RTT: row.RTTSeconds, Peak: row.Peak,
	}
	got, err := w.vm.Run(w.program, &w.env)
	pass, ok := got.(bool)
	return err == nil && ok && pass
}

// seconds is an estimate as one number to compare with.
func seconds(e pushdapi.Estimate) float64 {
	switch e.State {
	case "growing":
		return math.Inf(1)
	case "unsure":
		return math.NaN()
	}
	return e.Seconds
}

// checker walks an expression, refuses what could take long or much memory, and
// notes the fields.
type checker struct {
	err    error
	fields map[string]bool
}

// Visit implements ast.Visitor.
func (c *checker) Visit(n *ast.Node) {
	if c.err != nil {
		return
	}
	switch n := (*n).(type) {
	case *ast.IdentifierNode:
		c.fields[n.Value] = true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode,
		*ast.UnaryNode, *ast.ConditionalNode, *ast.ArrayNode, *ast.ConstantNode:
	case *ast.BinaryNode:
		if n.Operator == ".." {
			c.err = errors.New("ranges are not allowed")
		}
	case *ast.CallNode, *ast.BuiltinNode:
		c.err = errors.New("functions are not allowed")
	default:
		c.err = errors.New("only comparisons, arithmetic, and, or, not, in, matches, contains, startsWith, endsWith are allowed")
	}
}

// firstLine leaves out the drawing below an error of the language, which shows
// the rewritten text.
func firstLine(err error) error {
	line, _, _ := strings.Cut(err.Error(), "\n")
	line = strings.ReplaceAll(line, "in_rate", "in")
	return errors.New(line)
}

func shorten(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

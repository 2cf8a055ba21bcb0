package state

import (
	"strings"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/knob"
)

// TestNodesForms: whatever a node prints, as declaration or as value, is read
// here. This is what lets the two grammars be separate.
func TestNodesForms(t *testing.T) {
	r := knob.NewRegistry()
	r.Int(knob.Spec{Name: "a.int", Unit: "messages"}, 512, -10, 1<<40)
	r.Int(knob.Spec{Name: "a.percent", Unit: "percent"}, 100, 10, 1000)
	r.Bytes(knob.Spec{Name: "a.bytes"}, 64<<10, 0, 1<<50)
	r.Duration(knob.Spec{Name: "a.duration"}, 25*time.Second, 0, 2400*time.Hour)
	r.Float(knob.Spec{Name: "a.share", Unit: "percent"}, 0, 0, 100)
	r.Float(knob.Spec{Name: "a.float", Unit: "x"}, 1, -1e300, 1e300)
	r.Bool(knob.Spec{Name: "a.bool"}, false)
	r.Enum(knob.Spec{Name: "a.enum"}, 0, []string{"drop-oldest", "coalesce"})
	sc := schemaOf(r)
	read, no := readSchema(sc)
	if no != nil {
		t.Fatal(no)
	}
	for name, texts := range map[string]string{
		"a.int":      "1024 1,024 10k -3 1.5M 256messages",
		"a.percent":  "400% 10% 400",
		"a.bytes":    "65536 64KiB 64KB 1.5MiB 0 1500 1TiB",
		"a.duration": "0 1m30s 250ms 2d 100us 1h",
		"a.share":    "5% 0.5% 99.999% 0",
		"a.float":    "1e300 -2.5 0.001 1e-7",
		"a.bool":     "true off YES",
		"a.enum":     "Coalesce drop-oldest",
	} {
		for _, text := range strings.Fields(texts) {
			c, err := r.Check(name, text)
			if err != nil {
				t.Fatal(err)
			}
			if code, reason := read.knobs[name].judge(c.New); code != "" {
				t.Errorf("%s: %q, which a node prints for %q, %s", name, c.New, text, reason)
			}
		}
	}
}

func schemaOf(r *knob.Registry) (out keeperapi.Schema) {
	for _, s := range r.List() {
		out = append(out, keeperapi.Decl{Name: s.Name, Type: s.Type, Unit: s.Unit, Help: s.Help, Default: s.Default,
			Min: s.Min, Max: s.Max, Values: s.Values, Risk: s.Risk.String(), Acts: s.Acts.String()})
	}
	return out
}

func TestTextRefused(t *testing.T) {
	f := func(d keeperapi.Decl, text string, want keeperapi.Code) {
		t.Helper()
		read, err := readDecl(&d)
		if err != nil {
			t.Fatal(err)
		}
		if code, _ := read.judge(text); code != want {
			t.Errorf("%s %q: %q, want %q", d.Type, text, code, want)
		}
	}
	whole := keeperapi.Decl{Type: "int", Default: "5", Min: "1", Max: "9"}
	f(whole, "9", "")
	f(whole, "10", keeperapi.CodeRange)
	f(whole, "0", keeperapi.CodeRange)
	f(whole, "", keeperapi.CodeSyntax)
	f(whole, "+5", keeperapi.CodeSyntax)
	f(whole, "5.0", keeperapi.CodeSyntax)
	f(whole, "99999999999999999999", keeperapi.CodeSyntax)
	size := keeperapi.Decl{Type: "bytes", Default: "1KiB", Min: "0", Max: "1MiB"}
	f(size, "1MiB", "")
	f(size, "1048577", keeperapi.CodeRange)
	f(size, "9223372036854775807KiB", keeperapi.CodeSyntax)
	f(size, "-9223372036854775808KiB", keeperapi.CodeSyntax)
	f(size, "KiB", keeperapi.CodeSyntax)
	span := keeperapi.Decl{Type: "duration", Default: "1s", Min: "1s", Max: "1m"}
	f(span, "1m", "")
	f(span, "61s", keeperapi.CodeRange)
	f(span, "5", keeperapi.CodeSyntax)
	real := keeperapi.Decl{Type: "float", Unit: "x", Default: "0", Min: "0", Max: "1"}
	f(real, "0.5 x", "")
	f(real, "1.5", keeperapi.CodeRange)
	f(real, "NaN", keeperapi.CodeSyntax)
	f(real, "0x1p-2", keeperapi.CodeSyntax)
	f(real, "1_0", keeperapi.CodeSyntax)
}

func TestBadSchemaIsRefused(t *testing.T) {
	f := func(d ...keeperapi.Decl) {
		t.Helper()
		s := New()
		r := apply(t, s, Command{Op: OpJoin, At: start, Body: joinOf("gw-1", nil, d, 1000)})
		if r.Error == nil || r.Error.Node != "gw-1" || len(s.Nodes()) != 0 {
			t.Errorf("%+v was taken: %+v", d, r)
		}
	}
	good := fleetSchema()[0]
	f(good, good)
	f(keeperapi.Decl{Name: "a.b", Type: "int", Default: "x", Min: "0", Max: "1"})
	f(keeperapi.Decl{Name: "a.b", Type: "colour", Default: "red"})
	f(keeperapi.Decl{Name: "a.b", Type: "enum", Default: "red"})
	f(keeperapi.Decl{Name: "", Type: "bool", Values: []string{"on"}})
}

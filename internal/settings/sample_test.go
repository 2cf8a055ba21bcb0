package settings

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"
	"time"
)

// uncommented takes the # away from assignments and leaves prose alone.
func uncommented(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		if rest, ok := strings.CutPrefix(line, "#"); ok && rest != "" && rest[0] != ' ' && !strings.Contains(line, ".NAME = ") {
			line = rest
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

func noFile(string) ([]byte, error) { return nil, fs.ErrNotExist }

func TestSampleSaysTheDefaults(t *testing.T) {
	p := program()
	noEnv := func(string) string { return "" }
	p.Default = func(func(string) string) oven {
		return oven{Name: `a "b"`, Mode: "grill", Trays: 3, Every: 90 * time.Second, Door: "127.0.0.1:1", Racks: []string{"x", "y"},
			Doors: []string{}, Timers: map[string]string{}, Sources: Sources{}}
	}
	var file, env, want, got bytes.Buffer
	p.Sample(&file, noEnv)
	p.SampleEnv(&env, noEnv)
	c, err := p.Load(nil, noEnv, func(string) ([]byte, error) { return []byte(uncommented(file.String())), nil })
	if err != nil {
		t.Fatalf("the sample is refused: %v\n%s", err, file.String())
	}
	def := p.Default(noEnv)
	values(p, &want, &def)
	values(p, &got, &c)
	if got.String() != want.String() {
		t.Errorf("the file says\n%s\nthe defaults are\n%s", got.String(), want.String())
	}
	vars := map[string]string{}
	for line := range strings.SplitSeq(uncommented(env.String()), "\n") {
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			vars[name] = value
		}
	}
	if c, err = p.Load(nil, func(k string) string { return vars[k] }, noFile); err != nil {
		t.Fatalf("the environment is refused: %v\n%s", err, env.String())
	}
	got.Reset()
	values(p, &got, &c)
	if got.String() != want.String() {
		t.Errorf("the environment says\n%s\nthe defaults are\n%s", got.String(), want.String())
	}
}

func values[C any](p *Program[C], b *bytes.Buffer, c *C) {
	for _, k := range p.Keys {
		b.WriteString(k.Name + "=" + k.Value.get(c) + "\n")
	}
}

func TestCommandPrintsSamplesAndTheManual(t *testing.T) {
	f := func(args, want string, exit int) {
		t.Helper()
		var out, errs bytes.Buffer
		_, serve, got := program().Command(strings.Fields(args), World{Getenv: func(string) string { return "" }, ReadFile: noFile,
			Stdout: &out, Stderr: &errs, Version: "1.2"})
		if serve || got != exit || !strings.Contains(out.String()+errs.String(), want) {
			t.Errorf("%s: serve %v, exit %d, %s%s; want %q", args, serve, got, out.String(), errs.String(), want)
		}
	}
	f("sample-config", "\n# what trays is\n#trays = 0\n", ExitFine)
	f("sample-config", "#timers.NAME = \"VALUE\"\n", ExitFine)
	f("sample-config env", "\n#OVEN_TRAYS=0\n", ExitFine)
	f("sample-config toml", "sample-config takes nothing, or env", ExitUsage)
	f("man", ".TH OVEN 8 \"\" \"pushfleet 1.2\" pushfleet\n", ExitFine)
	f("man", "\\fB\\-\\-mode\\fR \\fIX\\fR\nwhat mode.main is.\nKey mode.main, variable OVEN_MODE; default bake.\n", ExitFine)
}

package probe

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"pushfleet/pushctl/probe/gobin"
)

// someStacks are two ways to one lock and a lost one.
func someStacks() []Weighted {
	st := func(names ...string) Stack {
		var s Stack
		for _, n := range names {
			s = append(s, gobin.Frame{Func: n, File: "a/" + n + ".go", Line: len(n)})
		}
		return s
	}
	return []Weighted{
		{st("lock", "take[...]", "main"), "mutex", 3, 3e6},
		{st("lock", "bind", "main"), "rlock", 1, 1e6},
		{nil, "mutex", 7, 7},
	}
}

func TestProfileIsReadByPprof(t *testing.T) {
	var b bytes.Buffer
	if err := WriteProfile(&b, someStacks(), "contentions", time.Unix(100, 0), 10*time.Second); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "lock.pb.gz")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := profile.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckValid(); err != nil || len(p.Sample) != 2 || p.Sample[0].Value[0] != 3 || p.Sample[0].Value[1] != 3e6 || p.Sample[1].Label["kind"][0] != "rlock" {
		t.Errorf("%v, %v", p, err)
	}
	if len(p.Function) != 4 {
		t.Errorf("%d functions, want 4", len(p.Function))
	}
	out, err := exec.Command("go", "tool", "pprof", "-top", file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Type: delay") || !strings.Contains(string(out), "take[...]") {
		t.Errorf("go tool pprof: %v\n%s", err, out)
	}
}

func TestFlameIsWellFormed(t *testing.T) {
	var b bytes.Buffer
	ws := someStacks()
	ws[0].Stack[1].Func = `a<b>&"c"`
	if err := WriteFlame(&b, ws, "locks <of> x"); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	boxes := map[string]string{}
	d := xml.NewDecoder(&b)
	for title := false; ; {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			title = tok.Name.Local == "title"
		case xml.CharData:
			if name, figures, ok := strings.Cut(string(tok), ": "); ok && title {
				boxes[name] = figures
			}
			title = false
		}
	}
	f := func(name, want string) {
		t.Helper()
		if boxes[name] != want {
			t.Errorf("%s: %q, want %q", name, boxes[name], want)
		}
	}
	f("main", "4.000 ms, 100.0 %")
	f(`a<b>&"c"`, "3.000 ms, 75.0 %")
	f("bind", "1.000 ms, 25.0 %")
	var again bytes.Buffer
	if WriteFlame(&again, ws, "locks <of> x"); again.String() != text {
		t.Error("the same stacks make another picture")
	}
	if err := WriteFlame(io.Discard, nil, "nothing"); err != nil {
		t.Error(err)
	}
}

func TestClip(t *testing.T) {
	f := func(s string, most int, want string) {
		t.Helper()
		if got := clip(s, most); got != want {
			t.Errorf("%q in %d: %q, want %q", s, most, got, want)
		}
	}
	f("router.bind", 11, "router.bind")
	f("router.bind", 6, "..bind")
	f("µµµµ", 3, "..µ")
}

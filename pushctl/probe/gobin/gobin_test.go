package gobin

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const program = `package main

import "sync"

type store struct {
	mu sync.Mutex
	n  int
}

func (s *store) add() {
	s.mu.Lock()
	s.n++
	s.mu.Unlock()
}

//go:noinline
func busy(s *store) { s.add() }

var rw sync.RWMutex

func main() {
	busy(new(store))
	rw.RLock()
	rw.RUnlock()
}
`

// build makes the program above; it skips where the linker lacks something.
func build(t *testing.T, env string, strip bool, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	src, out := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if strings.Contains(env, "CGO_ENABLED=1") {
		if _, err := exec.LookPath("gcc"); err != nil {
			t.Skip("external linking needs gcc, which is not installed")
		}
	}
	if err := os.WriteFile(src, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("go", append(append([]string{"build", "-o", out}, args...), src)...)
	c.Env = append(os.Environ(), env)
	if msg, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build %q: %v\n%s", args, err, msg)
	}
	if strip {
		if _, err := exec.LookPath("strip"); err != nil {
			t.Skip("strip is not installed")
		}
		if msg, err := exec.Command("strip", out).CombinedOutput(); err != nil {
			t.Fatalf("strip: %v\n%s", err, msg)
		}
	}
	return out
}

func open(t *testing.T, path string) *Binary {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := Open(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSitesInEveryBuild finds functions in each form that a program is
// delivered in and compares with the symbol table where there is one.
func TestSitesInEveryBuild(t *testing.T) {
	f := func(name, env string, strip bool, args ...string) {
		t.Run(name, func(t *testing.T) {
			path := build(t, env, strip, args...)
			b := open(t, path)
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			compareSymbols(t, b, path)
			for _, fn := range []string{"internal/sync.(*Mutex).lockSlow", "internal/sync.(*Mutex).unlockSlow", "sync.runtime_SemacquireRWMutexR",
				"runtime.startTheWorldWithSema", "runtime.(*gcControllerState).startCycle", "runtime.(*gcControllerState).endCycle", "runtime.gcAssistAlloc"} {
				checkSite(t, b, raw, fn)
			}
			checkInlined(t, b)
		})
	}
	f("normal", "CGO_ENABLED=0", false)
	f("-s -w", "CGO_ENABLED=0", false, "-ldflags=-s -w")
	f("stripped", "CGO_ENABLED=0", true)
	f("pie", "CGO_ENABLED=0", false, "-buildmode=pie")
	f("external", "CGO_ENABLED=1", false, "-ldflags=-linkmode=external")
	f("external pie", "CGO_ENABLED=1", false, "-buildmode=pie", "-ldflags=-linkmode=external")
	f("external stripped", "CGO_ENABLED=1", true, "-ldflags=-linkmode=external")
}

func compareSymbols(t *testing.T, b *Binary, path string) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	syms, err := f.Symbols()
	if err != nil {
		return // stripped
	}
	compared := 0
	for _, s := range syms {
		i, ok := b.byName[s.Name]
		if !ok || elf.ST_TYPE(s.Info) != elf.STT_FUNC || strings.Contains(s.Name, "go:") || !strings.HasPrefix(s.Name, "runtime.(*") {
			continue
		}
		compared++
		if got := b.text + uint64(b.tab.start(i)); got != s.Value {
			t.Errorf("%s at %#x, the symbol table says %#x", s.Name, got, s.Value)
		}
	}
	if compared < 50 {
		t.Errorf("only %d functions compared", compared)
	}
}

func checkSite(t *testing.T, b *Binary, raw []byte, fn string) {
	t.Helper()
	s, err := b.Site(fn)
	if err != nil {
		t.Error(err)
		return
	}
	at := func(addr uint64) byte { off, _ := b.FileOffset(addr); return raw[off] }
	if at(s.Entry) != pushRBP {
		t.Errorf("%s: byte %#x at its entry", fn, at(s.Entry))
	}
	for _, r := range s.Returns {
		if at(r) != ret {
			t.Errorf("%s: byte %#x at a return", fn, at(r))
		}
	}
	if f := b.Frames(s.Entry); len(f) == 0 || f[len(f)-1].Func != fn {
		t.Errorf("%s: its entry belongs to %v", fn, f)
	}
}

// checkInlined wants a place in main.(*store).add with the whole chain of
// inlined calls and the line of the program.
func checkInlined(t *testing.T, b *Binary) {
	t.Helper()
	i := b.byName["main.(*store).add"]
	for off := b.tab.start(i); off < b.tab.start(i+1); off++ {
		fs := b.Frames(b.text + uint64(off))
		var names []string
		for _, f := range fs {
			names = append(names, f.Func)
		}
		if strings.Join(names, " ") == "internal/sync.(*Mutex).Lock sync.(*Mutex).Lock main.(*store).add" {
			if f := fs[2]; f.Line != 11 || filepath.Base(f.File) != "main.go" {
				t.Errorf("Lock is called at %+v, want main.go:11", f)
			}
			return
		}
	}
	t.Error("no inlined Lock found in main.(*store).add")
}

func TestOpenRefuses(t *testing.T) {
	f := func(what, path, want string) {
		t.Helper()
		file, err := os.Open(path)
		if err != nil {
			t.Skipf("%s: %v", what, err)
		}
		defer file.Close()
		if _, err := Open(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	f("C program", "/bin/sh", "no Go program")
	f("text", "gobin_test.go", "no Go program")
}

func TestKnownVersions(t *testing.T) {
	f := func(version string, want bool) {
		t.Helper()
		if got := known(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
	f("go1.26", true)
	f("go1.26.8", true)
	f("go1.26.8 X:nodwarf5", true)
	f("go1.25.1", false)
	f("go1.260", false)
	f("devel go1.27-abc", false)
}

func TestScanRefuses(t *testing.T) {
	f := func(code []byte, want string) {
		t.Helper()
		if s, err := scan(0x1000, code); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("% x: %+v, %v, want %q", code, s, err, want)
		}
	}
	f([]byte{0x90, 0xc3}, "does not begin with push")
	f([]byte{0xc3, 0x55, 0xc3}, "does not begin with push")                            // a push behind a return
	f([]byte{0xe8, 0, 0, 0, 0, 0x55, 0xc3}, "does not begin with push")                // behind a call
	f([]byte{0x48, 0xb8, 0x55, 0, 0, 0, 0, 0, 0, 0, 0xc3}, "does not begin with push") // inside an instruction
	f([]byte{0x55, 0x90}, "never returns")
	f([]byte{0x55, 0x06}, "unknown instruction")
	if s, err := scan(0x1000, []byte{0x90, 0x55, 0xc3, 0x90, 0xc3}); err != nil || s.Entry != 0x1001 || len(s.Returns) != 2 || s.Returns[1] != 0x1004 {
		t.Errorf("%+v, %v", s, err)
	}
}

// FuzzLineTable wants no panic whatever a file holds.
func FuzzLineTable(f *testing.F) {
	f.Add([]byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8}, uint32(0))
	f.Fuzz(func(t *testing.T, raw []byte, off uint32) {
		tab, err := newLineTable(raw, raw)
		if err != nil {
			return
		}
		for _, fr := range tab.frames(off) {
			if len(fr.Func) > len(raw) {
				t.Errorf("a name longer than the file: %q", fr.Func)
			}
		}
	})
}

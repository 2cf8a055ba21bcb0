package house

import (
	"reflect"
	"strings"
	"testing"
)

const page = `
text | with a bar
| other | table |
|---|---|
| ` + "`x`" + ` | y |

| room | lives here | may import |
|---|---|---|
| ` + "`internal/a`, `internal/b`" + ` | names | – |
| ` + "`pushd/wire`" + ` | codecs | ` + "`internal/a`" + ` |
| ` + "`pushd/wire/*`" + ` | one each | ` + "`internal/*` `pushd/wire`" + ` |
| ` + "`keeper`" + ` (later) | members | ` + "`internal/*`" + ` |
`

func TestReadRooms(t *testing.T) {
	rooms, err := readRooms(page)
	want := []room{
		{"internal/a", nil, false, 9}, {"internal/b", nil, false, 9},
		{"pushd/wire", []string{"internal/a"}, false, 10},
		{"pushd/wire/*", []string{"internal/*", "pushd/wire"}, false, 11},
		{"keeper", []string{"internal/*"}, true, 12},
	}
	if err != nil || !reflect.DeepEqual(rooms, want) {
		t.Errorf("rooms\n%+v, %v; want\n%+v", rooms, err, want)
	}
	for _, bad := range []string{"", "| room | x |\n|---|---|\n| `a` | `b` |", "| room | lives here | may import |\n|---|---|---|\n| `a` |"} {
		if rooms, err := readRooms(bad); err == nil {
			t.Errorf("readRooms(%q) = %+v, want an error", bad, rooms)
		}
	}
}

func TestJudgeImports(t *testing.T) {
	rooms, err := readRooms(page)
	if err != nil {
		t.Fatal(err)
	}
	full := func(names []string) []string {
		out := make([]string, len(names))
		for i, n := range names {
			out[i] = module + "/" + n
			if strings.Contains(n, ".") || n == "fmt" {
				out[i] = n
			}
		}
		return out
	}
	f := func(name, imports, tests string, want ...string) {
		t.Helper()
		p := pkg{ImportPath: module + "/" + name, Imports: full(strings.Fields(imports)), TestImports: full(strings.Fields(tests))}
		var got []string
		for _, c := range judgeImports(rooms, []pkg{p}) {
			if !strings.Contains(c, "there is no package") {
				got = append(got, c)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s imports %s, in tests %s: %q, want %q", name, imports, tests, got, want)
			return
		}
		for i := range got {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("%q does not say %q", got[i], want[i])
			}
		}
	}
	f("internal/a", "fmt golang.org/x/sys/unix", "")
	f("internal/a", "internal/b", "", "internal/a imports internal/b, which its row does not allow (ARCHITECTURE.md:9)")
	f("internal/a", "", "internal/b internal/testnode pushd/wire/wiretest")
	f("internal/a", "", "pushd/wire", "imports in a test pushd/wire")
	f("pushd/wire", "internal/a", "")
	f("pushd/wire", "pushd/wire/ws", "", "pushd/wire/ws")
	f("pushd/wire/ws", "internal/a internal/b pushd/wire", "pushd/wire/wiretest")
	f("pushd/wire/ws", "pushd/wire/sse", "", "pushd/wire/sse")
	f("pushd/wire/ws", "internal/testnode", "", "for tests only")
	f("pushd/wire/ws", "pushd/wire/wiretest", "", "for tests only")
	f("pushd/wire/wiretest", "pushd/wire internal/a", "")
	f("pushd/other", "", "", "pushd/other has no row")
	f("keeper", "", "", "keeper exists now")
	f("internal/a", "github.com/urfave/cli/v2", "", "only pushctl may")
	f("internal/a", "", "github.com/hashicorp/raft", "only keeper/store may")

	missing := strings.Join(judgeImports(rooms, nil), "\n")
	if !strings.Contains(missing, "there is no package pushd/wire:") || strings.Contains(missing, "keeper") {
		t.Errorf("of an empty tree: %s", missing)
	}
}

func TestJudgeSource(t *testing.T) {
	f := func(name, body string, want ...string) {
		t.Helper()
		got, err := judgeSource(name, []byte("package x\n"+body))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Errorf("%s %q: %q, want %q", name, body, got, want)
			return
		}
		for i := range got {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("%q does not say %q", got[i], want[i])
			}
		}
	}
	f("pushd/a.go", "func init() {}", "pushd/a.go:2: func init")
	f("pushd/a.go", "func (t T) init() {}")
	f("pushd/a.go", "var mu sync.Mutex", "variable mu holds state")
	f("pushd/a.go", "var p atomic.Pointer[T]", "variable p")
	f("pushd/a.go", "var m = make(map[string]int)", "variable m")
	f("pushd/a.go", "var once = sync.Once{}", "variable once")
	f("pushd/a.go", "var err = errors.New(\"x\")\nvar names = []string{\"a\"}\nvar _ I = (*T)(nil)")
	f("pushd/a.go", "func f() { unix.RawSyscall6(1) }", "internal/rawsys")
	f("pushd/a.go", "func f() { syscall.RawSyscall(1) }", "internal/rawsys")
	f("internal/rawsys/a.go", "func f() { unix.RawSyscall6(1) }")
	f("pushd/a.go", "func f() { time.Sleep(1) }")
	f("pushd/a_test.go", "func f() { time.Sleep(1) }", "pushd/a_test.go:2: a sleep in a test")
	f("pushd/a_test.go", "func f() { synctest.Test(t, func(t *testing.T) { time.Sleep(1) }) }")
	f("pushd/a_test.go", "func f() { synctest.Test(t, g); time.Sleep(1) }", "a sleep")
	f("pushd/a_test.go", "func f() { for time.Now().Before(end) { time.Sleep(1) } }")
	f("pushd/a_test.go", "func f() { for end := time.Now(); ; time.Sleep(1) { if time.Since(end) > 9 { t.Fatal() } } }")
	f("pushd/a_test.go", "func f() { for range 10 { time.Sleep(1) } }", "a sleep")
	f("pushd/a_test.go", "func f() { for i := 0; i < 10; i++ { g(); time.Sleep(1) } }", "a sleep")
	f("pushd/a_test.go", "func f() { for time.Now().Before(end) { unix.RawSyscall() } }", "raw system calls")
	f("pushd/a.go", "func f() { x.y.z(); g(func() { unix.RawSyscall() }) }", "raw system calls")
	if got, err := judgeSource("a.go", []byte("// Code generated by bpf2go; DO NOT EDIT.\npackage x\nfunc init() {}")); err != nil || got != nil {
		t.Errorf("generated code: %q, %v", got, err)
	}
}

package house

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestImports holds the tree to the table in ARCHITECTURE.md.
func TestImports(t *testing.T) {
	root := findRoot(t)
	page, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	rooms, err := readRooms(string(page))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range judgeImports(rooms, goList(t, root)) {
		t.Error(c)
	}
}

// TestSource looks at every Go file of the tree.
func TestSource(t *testing.T) {
	root := findRoot(t)
	allowed := allowedSleeps(t)
	used := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "node_modules" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		complaints, err := judgeSource(name, src)
		for _, c := range complaints {
			if allowed[name] != "" && strings.Contains(c, "a sleep in a test") {
				used[name] = true
				continue
			}
			t.Error(c)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range allowed {
		if !used[name] {
			t.Errorf("testdata/sleeps.txt allows %s, which does not sleep: remove the line", name)
		}
	}
}

func allowedSleeps(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile("testdata/sleeps.txt")
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, reason, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" || name == "#" {
			continue
		}
		if reason == "" {
			t.Errorf("testdata/sleeps.txt: %s has no reason", name)
		}
		allowed[name] = reason
	}
	return allowed
}

func findRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

func goList(t *testing.T, root string) []pkg {
	t.Helper()
	var errs bytes.Buffer
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Imports,TestImports,XTestImports", "./...")
	cmd.Dir, cmd.Stderr = root, &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, errs.Bytes())
	}
	var pkgs []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

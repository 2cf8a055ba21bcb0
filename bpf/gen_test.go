package bpf

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestGeneratedIsCurrent makes objects and bindings anew and wants the
// committed bytes.
func TestGeneratedIsCurrent(t *testing.T) {
	if _, err := exec.LookPath("clang-14"); err != nil {
		t.Skip("clang-14 is not installed: apt-get install clang-14 llvm-14 libbpf-dev")
	}
	dir := t.TempDir()
	if out, err := exec.Command("../scripts/gen-bpf.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("scripts/gen-bpf.sh: %v\n%s", err, out)
	}
	made, err := filepath.Glob(filepath.Join(dir, "*_bpfel.*"))
	if err != nil || len(made) == 0 {
		t.Fatalf("nothing was made: %v", err)
	}
	have, err := filepath.Glob("*_bpfel.*")
	if err != nil || len(have) != len(made) {
		t.Errorf("%d generated files are committed, %d were made: %v", len(have), len(made), err)
	}
	for _, path := range made {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Base(path))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what its source makes: run scripts/gen-bpf.sh (%v)", filepath.Base(path), err)
		}
	}
}

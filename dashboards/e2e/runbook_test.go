//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each pushctl command that an alert or a panel names exists.
func TestRunbooks(t *testing.T) {
	files, err := filepath.Glob("../*.json")
	if err != nil {
		t.Fatal(err)
	}
	commands := map[string]bool{}
	for _, file := range append(files, "../alerts/pushfleet.yml", "../README.md") {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`pushctl ((?:knob rollout|knob|keeper|rec|tee) [a-z]+|nodes forget|[a-z]+)`).FindAllStringSubmatch(string(b), -1) {
			commands[m[1]] = true
		}
	}
	if len(commands) < 15 {
		t.Errorf("only %d commands found; has the form of the files changed?", len(commands))
	}
	bin := programs(t)
	for command := range commands {
		words := strings.Fields(command)
		out, err := exec.Command(filepath.Join(bin, "pushctl"), append(slices.Clone(words), "--help")...).CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), "pushctl "+command+": ") {
			t.Errorf("pushctl %s --help: %v\n%.200s", command, err, out)
		}
	}
}

// vmalert reads the rules as Prometheus does.
func TestVmalertReadsTheRules(t *testing.T) {
	out, err := exec.Command(tool(t, "vmalert"), "-rule=../alerts/pushfleet.yml", "-dryRun").CombinedOutput()
	if err != nil || strings.Contains(string(out), "error") || strings.Contains(string(out), "fatal") {
		t.Errorf("vmalert -dryRun: %v\n%s", err, out)
	}
}

// Package alerts holds the rules for Prometheus and vmalert, and their tests.
package alerts

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// read returns a file of this folder.
func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// rules are the alerts by name, each with its text.
func rules(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, text := range strings.Split(read(t, "pushfleet.yml"), "- alert: ")[1:] {
		name, rest, _ := strings.Cut(text, "\n")
		out[name] = rest
	}
	if len(out) < 20 {
		t.Fatalf("only %d alerts found; has the file's form changed?", len(out))
	}
	return out
}

func TestEveryAlertSaysWhatToDo(t *testing.T) {
	for name, text := range rules(t) {
		if !regexp.MustCompile(`(?m)^ +runbook: "pushctl \w+`).MatchString(text) {
			t.Errorf("%s names no pushctl command to begin with", name)
		}
		if !regexp.MustCompile(`severity: (page|ticket)\b`).MatchString(text) || !strings.Contains(text, "summary: ") {
			t.Errorf("%s lacks severity or summary", name)
		}
	}
}

// Each alert is tested twice: it fires when it should, and is silent when the
// figures come near to it.
func TestEveryAlertIsTested(t *testing.T) {
	files, err := filepath.Glob("*_test.yml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var all strings.Builder
	for _, f := range files {
		all.WriteString(read(t, f))
	}
	for name := range rules(t) {
		for _, want := range []string{" fires", " is silent"} {
			if !strings.Contains(all.String(), "- name: "+name+want+"\n") {
				t.Errorf("no test says that %s%s", name, want)
			}
		}
	}
}

// Every metric is one that pushd, the keeper or the scrape itself shows.
func TestMetricsExist(t *testing.T) {
	known := map[string]bool{}
	for _, file := range []string{"../../pushd/admin/testdata/metrics.txt", "../../keeper/api/testdata/metrics.txt"} {
		for line := range strings.Lines(read(t, file)) {
			name, _, _ := strings.Cut(strings.TrimSpace(line), "{")
			known[name] = true
		}
	}
	names := regexp.MustCompile(`\b(?:pushd|keeper|go|process)_[a-z0-9_]+`)
	for alert, text := range rules(t) {
		expr, _, _ := strings.Cut(text, "annotations:")
		for _, name := range names.FindAllString(expr, -1) {
			if !known[name] {
				t.Errorf("%s: no program shows %s", alert, name)
			}
		}
	}
}

func TestPromtool(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: apt install prometheus)")
	}
	files, _ := filepath.Glob("*_test.yml")
	for _, args := range [][]string{{"check", "rules", "pushfleet.yml"}, {"check", "config", "--syntax-only", "../provisioning/prometheus.yml"}, append([]string{"test", "rules"}, files...)} {
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

package config

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"pushfleet/internal/settings"
)

// The file that comes with the package says what is in force without it.
func TestSampleFileSaysTheDefaults(t *testing.T) {
	noEnv := func(string) string { return "" }
	var file bytes.Buffer
	program().Sample(&file, noEnv)
	var text strings.Builder
	for line := range strings.SplitSeq(file.String(), "\n") {
		if rest, ok := strings.CutPrefix(line, "#"); ok && !strings.HasPrefix(line, "# ") && !strings.Contains(line, ".NAME = ") {
			line = rest
		}
		text.WriteString(line + "\n")
	}
	got, err := program().Load(nil, noEnv, func(string) ([]byte, error) { return []byte(text.String()), nil })
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	want := Default(noEnv)
	got.NodeName, got.Sources = want.NodeName, settings.Sources{} // the machine's name, and the lines
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the file says\n%+v\nthe defaults are\n%+v", got, want)
	}
	for _, k := range keys() {
		if !strings.Contains(file.String(), "\n#"+k.Name+" = ") {
			t.Errorf("%s is not in the file", k.Name)
		}
	}
}

package config

import (
	"errors"
	"testing"

	"pushfleet/internal/settings"
)

// FuzzFile holds Load to answer any file with a good configuration or with
// problems that say where they are.
func FuzzFile(f *testing.F) {
	f.Add("listen = [\"127.0.0.1:1\"]\n[auth]\nmode = \"none\"\n[knobs]\n\"a.b\" = 1\n")
	f.Add("[auth.jwt]\nleeway = \"1m\"\nx = { y = [1, {z = 2}] }\n")
	f.Add("loops = 0x10\nproxy_trusted = [\"::/0\"]\n")
	f.Fuzz(func(t *testing.T, file string) {
		p := place{env: map[string]string{"HOME": "/h"}, files: map[string]string{FileDefault: file}}
		c, err := p.load("")
		var problems settings.Problems
		if err != nil && (!errors.As(err, &problems) || len(problems) == 0) {
			t.Fatalf("an error that is no list of problems: %v", err)
		}
		if err == nil && len(c.Check(p.readFile)) > 0 {
			t.Errorf("taken, but Check says %v", c.Check(p.readFile))
		}
	})
}

package config

import (
	"errors"
	"testing"
)

func TestLineOf(t *testing.T) {
	const file = "# c\nlisten = []\n\n[auth]\n  mode = \"jwt\"\n[ auth.jwt ]\nissuer=\"x\"\n[knobs]\n\"queue.bytes_max\" = 1\nqueue.policy = 2\n"
	f := func(name string, want int) {
		t.Helper()
		if got := lineOf([]byte(file), name); got != want {
			t.Errorf("lineOf(%s) = %d, want %d", name, got, want)
		}
	}
	f("listen", 2)
	f("auth.mode", 5)
	f("auth.jwt.issuer", 7)
	f("knobs.queue.bytes_max", 9)
	f("knobs.queue.policy", 10)
	f("mode", 0)
}

// FuzzFile holds Load to answer any file with a good configuration or with
// problems that say where they are.
func FuzzFile(f *testing.F) {
	f.Add("listen = [\"127.0.0.1:1\"]\n[auth]\nmode = \"none\"\n[knobs]\n\"a.b\" = 1\n")
	f.Add("[auth.jwt]\nleeway = \"1m\"\nx = { y = [1, {z = 2}] }\n")
	f.Add("loops = 0x10\nproxy_trusted = [\"::/0\"]\n")
	f.Fuzz(func(t *testing.T, file string) {
		p := place{env: map[string]string{"HOME": "/h"}, files: map[string]string{FileDefault: file}}
		c, err := p.load("")
		var problems Problems
		if err != nil && (!errors.As(err, &problems) || len(problems) == 0) {
			t.Fatalf("an error that is no list of problems: %v", err)
		}
		if err == nil && len(c.Check(p.readFile)) > 0 {
			t.Errorf("taken, but Check says %v", c.Check(p.readFile))
		}
	})
}

package config

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"pushfleet/internal/knob"
	"pushfleet/internal/settings"
)

func registry() *knob.Registry {
	r := knob.NewRegistry()
	r.Int(knob.Spec{Name: "queue.messages_max", Unit: "messages"}, 512, 16, 65536)
	return r
}

func run(p place, args string) (out, errs string, serve bool, exit int) {
	var o, e bytes.Buffer
	_, serve, exit = Command(strings.Fields(args), settings.World{Getenv: p.getenv, ReadFile: p.readFile,
		Stdout: &o, Stderr: &e, Version: "0.1.0"}, registry())
	return o.String(), e.String(), serve, exit
}

func TestCommand(t *testing.T) {
	p := place{env: map[string]string{"HOME": "/h"}}
	f := func(args string, serve bool, exit int, wantOut, wantErr string) {
		t.Helper()
		out, errs, s, x := run(p, args)
		if s != serve || x != exit || !strings.Contains(out, wantOut) || !strings.Contains(errs, wantErr) {
			t.Errorf("pushd %s: serve %v, exit %d\nout %s\nerr %s", args, s, x, out, errs)
		}
		if !serve && out == "" && errs == "" {
			t.Errorf("pushd %s: ends without a word", args)
		}
	}
	f("", true, settings.ExitFine, "", "")
	f("--knob queue.messages_max=64", true, settings.ExitFine, "", "")
	f("version", false, settings.ExitFine, "pushd 0.1.0\n", "")
	f("--help", false, settings.ExitFine, "usage: pushd", "")
	f("help", false, settings.ExitFine, "usage: pushd", "")
	f("check-config --loops 2", false, settings.ExitFine, "flag --loops\n", "")
	f("check-config --knob queue.mesages_max=1", false, settings.ExitUsage, "", "did you mean queue.messages_max? (from flag --knob)")
	f("--knob queue.messages_max=1", false, settings.ExitUsage, "", "16 to 65536 messages")
	f("--loops x --listen :1", false, settings.ExitUsage, "", "2 problems")
}

func TestPrintShowsEveryKeyOnce(t *testing.T) {
	out, _, _, _ := run(place{env: map[string]string{"HOME": "/h"}}, "check-config --knob queue.messages_max=64")
	for _, k := range keys() {
		if n := len(regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(k.Name)+` `).FindAllString(out, -1)); n != 1 {
			t.Errorf("%s is printed %d times in\n%s", k.Name, n, out)
		}
	}
	if !strings.Contains(out, "knobs.queue.messages_max") {
		t.Errorf("the knob is missing in\n%s", out)
	}
}

func TestHelpFitsTheScreenAndNamesEveryFlag(t *testing.T) {
	var b bytes.Buffer
	program().Help(&b, place{env: map[string]string{"HOME": "/h"}}.getenv)
	for line := range strings.Lines(b.String()) {
		if len([]rune(line)) > 81 {
			t.Errorf("line of %d: %s", len(line), line)
		}
	}
	for _, k := range keys() {
		if !strings.Contains(b.String(), "--"+k.Flag+" ") && !strings.Contains(b.String(), "--"+k.Flag+"\n") {
			t.Errorf("the help does not name --%s", k.Flag)
		}
	}
}

func TestKeysAreDistinct(t *testing.T) {
	p, seen := program(), map[string]bool{}
	for _, k := range keys() {
		for _, s := range []string{k.Name, "--" + k.Flag, p.Env(&k)} {
			if seen[s] {
				t.Errorf("%s is used twice", s)
			}
			seen[s] = true
		}
	}
}

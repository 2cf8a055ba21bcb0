package main

import (
	"strings"
	"testing"
)

// keysIn names all keys in what a terminal sent; what is left is in brackets.
func keysIn(in string) string {
	var names []string
	buf := []byte(in)
	for len(buf) > 0 {
		k, n := nextKey(buf)
		if n == 0 {
			return strings.Join(append(names, "["+string(buf)+"]"), " ")
		}
		buf = buf[n:]
		if k.name == "" {
			k.name = "-"
		}
		names = append(names, k.name)
	}
	return strings.Join(names, " ")
}

func TestNextKey(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := keysIn(in); got != want {
			t.Errorf("keys in %q: %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("qS", "q S")
	f("\r\x7f\b\x03\x15\t", "enter backspace backspace ctrl+c ctrl+u tab")
	f("\x1b[A\x1b[B\x1bOA\x1b[5~\x1b[6~\x1b[H\x1b[F\x1b[1~\x1b[4~", "up down up pgup pgdown home end home end")
	f("\x1b[1;5A\x1b[5;2~", "up pgup")               // with ctrl, with shift
	f("\x1b[200~x", "- x")                           // not ours
	f("\x1b]11;rgb\x07", "esc ] 1 1 ; r g b ctrl+g") // an answer to a question we do not ask
	f("\x1bq", "esc q")
	f("\x1b", "[\x1b]")
	f("\x1b[", "[\x1b[]")
	f("\x1b[1;", "[\x1b[1;]")
	f("é🎉", "é 🎉")
	f("é"[:1], "["+"é"[:1]+"]")
	f("\xff\x00", "- -")
	f("\x1b["+strings.Repeat("1", 40), "- "+strings.TrimSuffix(strings.Repeat("1 ", 9), " "))
}

func FuzzNextKey(f *testing.F) {
	f.Add([]byte("\x1b[1;5Aq"))
	f.Add([]byte("\x1b[é\x1b\x1b"))
	f.Fuzz(func(t *testing.T, in []byte) {
		for len(in) > 0 {
			k, n := nextKey(in)
			if n < 0 || n > len(in) {
				t.Fatalf("%d bytes of %d", n, len(in))
			}
			if n == 0 {
				if len(in) > sequenceMax+2 {
					t.Fatalf("waits for more behind %q", in)
				}
				return
			}
			if k.text != "" && k.text != k.name {
				t.Fatalf("%q types %q", k.name, k.text)
			}
			in = in[n:]
		}
	})
}

package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// key is one key of a terminal.
type key struct {
	name string // up, enter, ctrl+c, …; of a letter the letter itself
	text string // what it types, "" for none
}

// Sequences that keys send behind ESC [ or ESC O.
func keyNames() map[string]string {
	return map[string]string{"A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end",
		"1~": "home", "7~": "home", "4~": "end", "8~": "end", "5~": "pgup", "6~": "pgdown", "3~": "delete"}
}

// sequenceMax bounds a sequence of which no end comes.
const sequenceMax = 32

// nextKey takes the first key from what a terminal sent. n is how many bytes
// it was, 0 if more must come: a lone ESC may be a key or the begin of one. A
// sequence that is none of ours has an empty name.
func nextKey(in []byte) (k key, n int) {
	if len(in) == 0 {
		return key{}, 0
	}
	switch c := in[0]; {
	case c == 0x1b:
		return escaped(in)
	case c == '\r' || c == '\n':
		return key{name: "enter"}, 1
	case c == 0x7f || c == '\b':
		return key{name: "backspace"}, 1
	case c == '\t':
		return key{name: "tab"}, 1
	case c > 0 && c <= 26:
		return key{name: "ctrl+" + string(rune('a'+c-1))}, 1
	case c < ' ':
		return key{}, 1
	}
	if !utf8.FullRune(in) {
		return key{}, 0
	}
	r, n := utf8.DecodeRune(in)
	if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
		return key{}, n
	}
	return key{name: string(r), text: string(r)}, n
}

// escaped takes what begins with ESC.
func escaped(in []byte) (key, int) {
	if len(in) == 1 {
		return key{}, 0
	}
	if in[1] != '[' && in[1] != 'O' {
		return key{name: "esc"}, 1 // a key was hit right behind it
	}
	for i := 2; i < len(in); i++ {
		if c := in[i]; c >= 0x40 && c <= 0x7e {
			return key{name: keyNames()[plainSequence(string(in[2:i+1]))]}, i + 1
		}
		if i > sequenceMax {
			return key{}, i
		}
	}
	return key{}, 0
}

// plainSequence drops the modifiers: 1;5A is up with ctrl held.
func plainSequence(s string) string {
	args, last := s[:len(s)-1], s[len(s)-1:]
	first, _, _ := strings.Cut(args, ";")
	if last == "~" {
		return first + last
	}
	return last
}

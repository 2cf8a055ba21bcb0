package ws

import "unicode/utf8"

// utf8State says what may follow the bytes seen so far. It is the automaton of
// table 3-7, "Well-Formed UTF-8 Byte Sequences", of the Unicode Standard (the
// same as the grammar of RFC 3629 section 4).
type utf8State uint8

const (
	utf8Start utf8State = iota // a character is complete
	utf8One                    // one more continuation byte
	utf8Two                    // two more
	utf8Three                  // three more
	utf8E0                     // after E0: no overlong form
	utf8ED                     // after ED: no surrogate
	utf8F0                     // after F0: no overlong form
	utf8F4                     // after F4: not above U+10FFFF
)

// utf8Follow gives, per state, the range of the next byte and the state after.
var utf8Follow = [...]struct {
	lo, hi byte
	next   utf8State
}{
	utf8One:   {0x80, 0xBF, utf8Start},
	utf8Two:   {0x80, 0xBF, utf8One},
	utf8Three: {0x80, 0xBF, utf8Two},
	utf8E0:    {0xA0, 0xBF, utf8One},
	utf8ED:    {0x80, 0x9F, utf8One},
	utf8F0:    {0x90, 0xBF, utf8Two},
	utf8F4:    {0x80, 0x8F, utf8Two},
}

// take advances over b: byte by byte within a character that a former piece
// began, then by the standard library's fast path over whole characters. ok is
// false as soon as nothing valid can begin so.
func (s utf8State) take(b []byte) (next utf8State, ok bool) {
	for len(b) > 0 && s != utf8Start {
		f := utf8Follow[s]
		if b[0] < f.lo || b[0] > f.hi {
			return s, false
		}
		s, b = f.next, b[1:]
	}
	cut := len(b) - unfinished(b)
	if !utf8.Valid(b[:cut]) {
		return s, false
	}
	return s.open(b[cut:]), true
}

// open enters a character that a later piece will end. utf8.FullRune has
// already said that its bytes are good as far as they go.
func (s utf8State) open(b []byte) utf8State {
	for i, c := range b {
		if i == 0 {
			s = utf8Lead(c)
		} else {
			s = utf8Follow[s].next
		}
	}
	return s
}

// utf8Lead is the state after the good first byte of a longer character.
func utf8Lead(c byte) utf8State {
	switch {
	case c == 0xE0:
		return utf8E0
	case c == 0xED:
		return utf8ED
	case c == 0xF0:
		return utf8F0
	case c == 0xF4:
		return utf8F4
	case c < 0xE0:
		return utf8One
	case c < 0xF0:
		return utf8Two
	}
	return utf8Three
}

// unfinished is the number of bytes at the end of b that begin a character
// without ending it, 0 to 3.
func unfinished(b []byte) int {
	for n := 1; n <= 3 && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

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

// step takes one byte; ok is false as soon as nothing valid can begin so.
func (s utf8State) step(c byte) (next utf8State, ok bool) {
	if s != utf8Start {
		f := utf8Follow[s]
		return f.next, f.lo <= c && c <= f.hi
	}
	switch {
	case c < 0x80:
		return utf8Start, true
	case c == 0xE0:
		return utf8E0, true
	case c == 0xED:
		return utf8ED, true
	case c == 0xF0:
		return utf8F0, true
	case c == 0xF4:
		return utf8F4, true
	case 0xC2 <= c && c <= 0xDF:
		return utf8One, true
	case 0xE1 <= c && c <= 0xEF:
		return utf8Two, true
	case 0xF1 <= c && c <= 0xF3:
		return utf8Three, true
	}
	return utf8Start, false
}

// take advances over b: byte by byte within a character that a former piece
// began, then by the standard library's fast path over whole characters, then
// byte by byte into one that a later piece will end.
func (s utf8State) take(b []byte) (next utf8State, ok bool) {
	for len(b) > 0 && s != utf8Start {
		if s, ok = s.step(b[0]); !ok {
			return s, false
		}
		b = b[1:]
	}
	cut := len(b) - unfinished(b)
	if !utf8.Valid(b[:cut]) {
		return s, false
	}
	for _, c := range b[cut:] {
		if s, ok = s.step(c); !ok {
			return s, false
		}
	}
	return s, true
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

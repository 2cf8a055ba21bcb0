package publish

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// Text is a JSON string: as written between its quotes, and what it means. The
// two are one slice unless it holds escapes.
type Text struct{ Raw, Val []byte }

func (t *Text) given() bool { return len(t.Raw) > 0 }

// text decodes a scanned string. Escapes are rare in names and ids; what they
// mean is put into s.scratch.
func (s *Send) text(raw []byte) Text {
	if bytes.IndexByte(raw, '\\') < 0 {
		return Text{raw, raw}
	}
	start := len(s.scratch)
	s.scratch = unescape(s.scratch, raw)
	return Text{raw, s.scratch[start:len(s.scratch):len(s.scratch)]}
}

var escaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'} // constant

// unescape appends what a scanned string means. Half a surrogate pair becomes
// U+FFFD, as everywhere in Go.
func unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			dst = append(dst, raw[i])
			i++
			continue
		}
		if raw[i+1] != 'u' {
			dst = append(dst, escaped[raw[i+1]])
			i += 2
			continue
		}
		r, _ := hex4(raw[i+2:])
		i += 6
		if utf16.IsSurrogate(r) {
			low := rune(0)
			if i+6 <= len(raw) && raw[i] == '\\' && raw[i+1] == 'u' {
				low, _ = hex4(raw[i+2:])
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				i += 6
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

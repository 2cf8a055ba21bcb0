package publish

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// depthMax bounds how deep arrays and objects may nest. Clients parse what we
// pass on; few of them stand more.
const depthMax = 256

// scanner walks over JSON text (RFC 8259) once and allocates only for errors.
// That the text is UTF-8 is checked before.
type scanner struct {
	b []byte
	i int
	// breaks: white space that is a line break was seen since it was cleared.
	breaks bool
}

func (s *scanner) errorf(format string, args ...any) error {
	return badJSON("byte %d: %s", s.i+1, fmt.Sprintf(format, args...))
}

// unexpected says what was found instead of what was wanted.
func (s *scanner) unexpected(want string) error {
	if s.i >= len(s.b) {
		return s.errorf("the JSON ends where %s should be", want)
	}
	return s.errorf("found %q where %s should be", s.b[s.i], want)
}

// space moves to the next byte that is no white space and returns it; 0 at the
// end. (A real NUL is never legal there, so it needs no telling apart.)
func (s *scanner) space() byte {
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; c {
		case ' ', '\t':
		case '\n', '\r':
			s.breaks = true
		default:
			return c
		}
	}
	return 0
}

// nesting is a stack of bits: 1 an object, 0 an array.
type nesting struct {
	kind  [depthMax / 64]uint64
	depth int
}

func (n *nesting) push(object bool) {
	w, b := n.depth>>6, uint64(1)<<(n.depth&63)
	if object {
		n.kind[w] |= b
	} else {
		n.kind[w] &^= b
	}
	n.depth++
}

func (n *nesting) object() bool {
	d := n.depth - 1
	return n.kind[d>>6]&(1<<(d&63)) != 0
}

// value moves past one value of any kind.
func (s *scanner) value() error {
	var n nesting
	for {
		opened, err := s.begin(&n)
		if err != nil {
			return err
		}
		if opened {
			continue
		}
		if done, err := s.after(&n); done || err != nil {
			return err
		}
	}
}

// begin moves past a scalar or an empty array or object, or into one that is
// not empty: then opened is true and a value follows.
func (s *scanner) begin(n *nesting) (opened bool, err error) {
	switch c := s.space(); c {
	case '{', '[':
		if n.depth == depthMax {
			return false, &SendError{"too_deep", fmt.Sprintf("byte %d: nested deeper than %d; flatten the data", s.i+1, depthMax)}
		}
		n.push(c == '{')
		s.i++
		if end := s.space(); end == c+2 { // '}' and ']' are two after '{' and '['
			s.i++
			n.depth--
			return false, nil
		}
		if c == '{' {
			return true, s.member()
		}
		return true, nil
	case '"':
		_, err = s.string()
		return false, err
	case 't':
		return false, s.literal("true")
	case 'f':
		return false, s.literal("false")
	case 'n':
		return false, s.literal("null")
	}
	return false, s.number()
}

// after moves past what may follow a value, to the next value or the end of
// the outermost one.
func (s *scanner) after(n *nesting) (done bool, err error) {
	for n.depth > 0 {
		c := s.space()
		object := n.object()
		switch {
		case c == ',':
			s.i++
			if object {
				return false, s.member()
			}
			return false, nil
		case object && c == '}', !object && c == ']':
			s.i++
			n.depth--
		case object:
			return false, s.unexpected(`"," or "}"`)
		default:
			return false, s.unexpected(`"," or "]"`)
		}
	}
	return true, nil
}

// member moves past the name of an object's member and its colon.
func (s *scanner) member() error {
	_, err := s.name()
	return err
}

func (s *scanner) name() (raw []byte, err error) {
	if s.space() != '"' {
		return nil, s.unexpected("a field name")
	}
	if raw, err = s.string(); err != nil {
		return nil, err
	}
	if s.space() != ':' {
		return nil, s.unexpected(`":"`)
	}
	s.i++
	return raw, nil
}

func (s *scanner) literal(word string) error {
	if len(s.b)-s.i < len(word) || string(s.b[s.i:s.i+len(word)]) != word {
		return s.unexpected("a JSON value")
	}
	s.i += len(word)
	return nil
}

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && s.b[s.i]-'0' <= 9 {
		s.i++
	}
	return s.i > start
}

func (s *scanner) number() error {
	if s.i < len(s.b) && s.b[s.i] == '-' {
		s.i++
	}
	if s.i < len(s.b) && s.b[s.i] == '0' {
		s.i++
	} else if !s.digits() {
		return s.unexpected("a JSON value")
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if !s.digits() {
			return s.unexpected("a digit")
		}
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if !s.digits() {
			return s.unexpected("a digit")
		}
	}
	return nil
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks the bytes of v that are a quote, a backslash or a control
// character; the lowest mark is exact (Mycroft's test for a zero byte).
func special(v uint64) uint64 {
	q, b := v^(ones*'"'), v^(ones*'\\')
	return ((q-ones)&^q | (b-ones)&^b | (v-ones*0x20)&^v) & highs
}

// string moves past a string, whose quote is next, and returns what is between
// the quotes, as written.
func (s *scanner) string() (raw []byte, err error) {
	s.i++
	start := s.i
	for {
		for s.i+8 <= len(s.b) {
			if m := special(binary.LittleEndian.Uint64(s.b[s.i:])); m != 0 {
				s.i += bits.TrailingZeros64(m) >> 3
				break
			}
			s.i += 8
		}
		if s.i >= len(s.b) {
			return nil, s.errorf("the JSON ends inside a string")
		}
		switch c := s.b[s.i]; {
		case c == '"':
			raw = s.b[start:s.i]
			s.i++
			return raw, nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return nil, err
			}
		case c < 0x20:
			return nil, s.errorf("control character %#02x in a string; write it as \\u%04x", c, c)
		default:
			s.i++ // within the last seven bytes
		}
	}
}

func (s *scanner) escape() error {
	s.i++
	if s.i >= len(s.b) {
		return s.errorf("the JSON ends inside a string")
	}
	switch s.b[s.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i++
		return nil
	case 'u':
		s.i++
		if _, ok := hex4(s.b[s.i:]); !ok {
			return s.errorf(`\u must be followed by four hexadecimal digits`)
		}
		s.i += 4
		return nil
	}
	return s.errorf(`\%c is no escape that JSON knows`, s.b[s.i])
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		v, ok := hexDigit(c)
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(v)
	}
	return r, true
}

func hexDigit(c byte) (v byte, ok bool) {
	switch {
	case c-'0' <= 9:
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

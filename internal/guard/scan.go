package guard

import (
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEnd      tokenKind = iota
	tokName               // drops.10s
	tokQuantity           // 5/s
	tokOp                 // < <= > >= == !=
	tokAnd
	tokOr
	tokNot
	tokOpen
	tokClose
	tokBad // no token starts like this
)

type token struct {
	kind   tokenKind
	text   string
	column int // from 1
}

// scanner cuts a text into tokens.
type scanner struct {
	text string
	at   int
	tok  token
}

// signs are what stands for itself, the longer ones first.
var signs = []struct {
	text string
	kind tokenKind
}{{"&&", tokAnd}, {"||", tokOr}, {"<=", tokOp}, {">=", tokOp}, {"==", tokOp}, {"!=", tokOp},
	{"<", tokOp}, {">", tokOp}, {"!", tokNot}, {"(", tokOpen}, {")", tokClose}}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	plain   = digits + "."          // a number without sign
	unitful = letters + "%/µμ"      // a unit
	measure = plain + unitful + "," // a quantity: 1m30s, 64KiB/s
)

// next moves on to the following token.
func (s *scanner) next() {
	s.skip(" \t\r\n")
	s.tok = token{column: s.at + 1}
	if s.at == len(s.text) {
		return
	}
	rest := s.text[s.at:]
	for _, sign := range signs {
		if strings.HasPrefix(rest, sign.text) {
			s.take(sign.kind, len(sign.text))
			return
		}
	}
	switch c := rest[0]; {
	case strings.IndexByte(letters, c) >= 0:
		s.take(tokName, span(rest, letters+digits+"."))
	case strings.IndexByte(digits+".-+", c) >= 0:
		s.quantity(rest)
	default:
		_, n := utf8.DecodeRuneInString(rest)
		s.take(tokBad, n)
	}
}

// quantity takes a number with its unit, which may stand apart: 64 KiB. After a
// quantity nothing can follow that looks like a unit, so this is not ambiguous.
func (s *scanner) quantity(rest string) {
	n := 1 + span(rest[1:], measure)
	bare := span(rest[1:n], plain) == n-1
	if e := exponent(rest); e > 0 {
		n = e + span(rest[e:], unitful)
		bare = n == e
	}
	if bare {
		gap := span(rest[n:], " \t")
		if unit := span(rest[n+gap:], unitful); unit > 0 {
			n += gap + unit
		}
	}
	s.take(tokQuantity, n)
}

// exponent returns the length of a number such as 1e5 or 2.5e-3, 0 if the text
// begins with none.
func exponent(text string) int {
	n := span(text, plain+"-+")
	if n == 0 || n == len(text) || text[n]|0x20 != 'e' {
		return 0
	}
	e := n + 1
	if e < len(text) && (text[e] == '-' || text[e] == '+') {
		e++
	}
	if d := span(text[e:], digits); d > 0 {
		return e + d
	}
	return 0
}

func (s *scanner) take(kind tokenKind, n int) {
	s.tok.kind, s.tok.text = kind, s.text[s.at:s.at+n]
	s.at += n
}

func (s *scanner) skip(set string) { s.at += span(s.text[s.at:], set) }

// span counts the leading bytes that belong to characters of the set.
func span(s, set string) int { return len(s) - len(strings.TrimLeft(s, set)) }

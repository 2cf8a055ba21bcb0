package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// fields are the raw values of a command's keys; nil when absent.
type fields struct {
	typ, ref, group, user, token, seq, data []byte
}

// slot returns where a key's value belongs, nil for an unknown key.
func (f *fields) slot(key []byte) *[]byte {
	switch string(key) {
	case "type":
		return &f.typ
	case "ref":
		return &f.ref
	case "group":
		return &f.group
	case "user":
		return &f.user
	case "token":
		return &f.token
	case "seq":
		return &f.seq
	case "data":
		return &f.data
	}
	return nil
}

// scanFields walks the top level of b, which must be valid JSON; ok is false
// if it is not an object. Acks arrive at the rate of messages, so this walk
// makes no garbage where encoding/json would build a map.
func scanFields(b []byte) (f fields, ok bool) {
	b = skipSpace(b)
	if b[0] != '{' {
		return f, false
	}
	b = skipSpace(b[1:])
	for b[0] != '}' {
		n := valueLen(b)
		key := b[:n]
		b = skipSpace(b[n:])
		b = skipSpace(b[1:]) // the colon
		n = valueLen(b)
		if slot := f.slot(keyText(key)); slot != nil {
			*slot = b[:n:n]
		}
		b = skipSpace(b[n:])
		if b[0] == ',' {
			b = skipSpace(b[1:])
		}
	}
	return f, true
}

// keyText is a key's text; a key with escapes is rare and decoded.
func keyText(raw []byte) []byte {
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	s, _ := unescape(raw)
	return []byte(s)
}

// valueLen is the length of the JSON value at the start of b.
func valueLen(b []byte) int {
	switch b[0] {
	case '"':
		return stringLen(b)
	case '{', '[':
		return nestedLen(b)
	}
	if n := bytes.IndexAny(b, ",]} \t\r\n"); n >= 0 {
		return n
	}
	return len(b)
}

func stringLen(b []byte) int {
	for i := 1; ; i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

func nestedLen(b []byte) int {
	depth := 0
	for i := 0; ; i++ {
		switch b[i] {
		case '"':
			i += stringLen(b[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

func skipSpace(b []byte) []byte {
	for len(b) > 0 && strings.IndexByte(" \t\r\n", b[0]) >= 0 {
		b = b[1:]
	}
	return b
}

// unquote decodes a JSON string; ok is false for any other value. Bytes that
// are not UTF-8 become U+FFFD, as encoding/json has it.
func unquote(raw []byte) (s string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner), true
	}
	return unescape(raw)
}

func unescape(raw []byte) (string, bool) {
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

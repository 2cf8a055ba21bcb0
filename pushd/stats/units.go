package stats

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

var unitSizes = map[string]float64{
	"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400,
	"B": 1, "KB": 1e3, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}

// operatorsBefore are the words after which a field may stand, not an operator.
var operatorsBefore = map[string]bool{
	"and": true, "or": true, "not": true, "in": true,
	"contains": true, "matches": true, "startsWith": true, "endsWith": true,
}

// plainNumbers rewrites numbers with units as seconds and bytes, and the field
// in, where it stands as an operand, as in_rate. Strings stay as they are.
func plainNumbers(text string) (string, error) {
	var out strings.Builder
	operand := false // what came last was one, so an operator follows
	negated := false // "not" after an operand: "x not in y"
	for i := 0; i < len(text); {
		c := text[i]
		j := i + 1
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			out.WriteByte(c)
			i = j
			continue
		case c == '"' || c == '\'' || c == '`':
			for j < len(text) && text[j] != c {
				if text[j] == '\\' && c != '`' {
					j++
				}
				j++
			}
			j = min(j+1, len(text))
			out.WriteString(text[i:j])
			operand = true
		case isDigit(c):
			for j < len(text) && (isWord(text[j]) || text[j] == '.' && j+1 < len(text) && isDigit(text[j+1])) {
				j++
			}
			number, err := plainNumber(text[i:j])
			if err != nil {
				return "", err
			}
			out.WriteString(number)
			operand = true
		case isWord(c):
			for j < len(text) && isWord(text[j]) {
				j++
			}
			word := text[i:j]
			isField := word == "in" && !operand && !negated
			negated = word == "not" && operand
			operand = isField || !operatorsBefore[word]
			if isField {
				word = "in_rate"
			}
			out.WriteString(word)
		default:
			out.WriteByte(c)
			operand = c == ')' || c == ']'
		}
		i = j
	}
	return out.String(), nil
}

// plainNumber turns 1m30s into 90, 64KiB into 65536 and leaves 5, 1.5, 1e3.
func plainNumber(s string) (string, error) {
	if v, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64); err == nil && !math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	}
	total, rest := 0.0, s
	for rest != "" {
		n := 0
		for n < len(rest) && (isDigit(rest[n]) || rest[n] == '.') {
			n++
		}
		u := n
		for u < len(rest) && !isDigit(rest[u]) {
			u++
		}
		v, err := strconv.ParseFloat(rest[:n], 64)
		size, ok := unitSizes[rest[n:u]]
		if err != nil || !ok {
			return "", fmt.Errorf("cannot read the number %q; write it like 250ms, 1m30s, 64KiB or 5000", s)
		}
		total += v * size
		rest = rest[u:]
	}
	return strconv.FormatFloat(total, 'f', -1, 64), nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool {
	return c == '_' || isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

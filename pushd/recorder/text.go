package recorder

import (
	"bytes"

	"pushfleet/internal/record"
)

// What follows cuts texts of the kernel without making any string.

// cutLine returns the first line and what is behind it.
func cutLine(b []byte) (line, rest []byte) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i], b[i+1:]
	}
	return b, nil
}

// cutWord returns the first word and what is behind it; an empty one at the
// end.
func cutWord(b []byte) (word, rest []byte) {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for i, c := range b {
		if c == ' ' || c == '\t' || c == '\n' {
			return b[:i], b[i:]
		}
	}
	return b, nil
}

// number reads a whole number without sign; Missing if it is none.
func number(b []byte) int64 {
	if len(b) == 0 || len(b) > 20 {
		return record.Missing
	}
	n := uint64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return record.Missing
		}
		n = n*10 + uint64(c-'0')
	}
	return int64(n &^ (1 << 63)) // some counters of the kernel wrap at 64 bits
}

// hex reads a number in hex; Missing if it is none.
func hex(b []byte) int64 {
	if len(b) == 0 || len(b) > 15 {
		return record.Missing
	}
	n := int64(0)
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int64(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | int64(c-'a'+10)
		default:
			return record.Missing
		}
	}
	return n
}

// nextNumber reads the next word as a number.
func nextNumber(b []byte) (n int64, rest []byte) {
	w, rest := cutWord(b)
	return number(w), rest
}

// plus adds n, if there is one, to a number that may be missing.
func plus(v *int64, n int64) {
	switch {
	case n == record.Missing:
	case *v == record.Missing:
		*v = n
	default:
		*v += n
	}
}

// column is a field with the kernel's name for it. Several columns of one
// field are added up.
type column struct {
	kernel string
	field  record.Field
}

// columnsOf gives fields and where each name's number goes.
func columnsOf(table []column) (fields []record.Field, at map[string]int) {
	at = map[string]int{}
	for _, c := range table {
		i := len(fields)
		for k := range fields {
			if fields[k].Name == c.field.Name {
				i = k
			}
		}
		if i == len(fields) {
			fields = append(fields, c.field)
		}
		at[c.kernel] = i
	}
	return fields, at
}

// keyed is a source of lines NAME VALUE, with or without a colon.
func keyed(path string, table []column) *source {
	fields, at := columnsOf(table)
	return &source{path: path, fields: fields, parse: func(b []byte, v []int64) {
		var line []byte
		for len(b) > 0 {
			line, b = cutLine(b)
			name, rest := cutWord(line)
			name = bytes.TrimSuffix(name, []byte{':'})
			if i, ok := at[string(name)]; ok {
				n, _ := nextNumber(rest)
				plus(&v[i], n)
			}
		}
	}}
}

// headed is a source of two lines for each protocol: the names, the values.
// The kernel's name of a column is PROTOCOL.NAME.
func headed(path string, table []column) *source {
	fields, at := columnsOf(table)
	var known []heading
	return &source{path: path, fields: fields, parse: func(b []byte, v []int64) {
		var names, values, value []byte
		for i := 0; len(b) > 0; i++ {
			names, b = cutLine(b)
			values, b = cutLine(b)
			if i == len(known) {
				known = append(known, heading{})
			}
			known[i].learn(names, at)
			_, values = cutWord(values)
			for _, to := range known[i].to {
				value, values = cutWord(values)
				if to >= 0 {
					plus(&v[to], number(value))
				}
			}
		}
	}}
}

// heading is a line of names that was seen before: names are looked up once.
type heading struct {
	line []byte
	to   []int // field of each column up to the last one that has one, else -1
}

func (h *heading) learn(line []byte, at map[string]int) {
	if bytes.Equal(h.line, line) {
		return
	}
	h.line, h.to = bytes.Clone(line), nil
	protocol, names := cutWord(line)
	last := 0
	for len(names) > 0 {
		var name []byte
		name, names = cutWord(names)
		to, ok := at[string(bytes.TrimSuffix(protocol, []byte{':'}))+"."+string(name)]
		if !ok {
			to = -1
		}
		if h.to = append(h.to, to); ok {
			last = len(h.to)
		}
	}
	h.to = h.to[:last]
}

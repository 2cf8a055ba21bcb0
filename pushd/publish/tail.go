package publish

// The tail of a data frame is the part that all its receivers share:
//
//	["id":"…",]["user":"…",|"group":"…",]"data":…}
//
// It never holds a line break, so that every transport can frame by lines.
const (
	tailID    = `"id":"`
	tailUser  = `"user":"`
	tailGroup = `"group":"`
	tailNext  = `",`
	tailData  = `"data":`
	tailEnd   = `}`
)

func fieldLen(name string, t *Text) int {
	if !t.given() {
		return 0
	}
	return len(name) + len(t.Raw) + len(tailNext)
}

// tailLen is the length of the tail for one user, for none if user is nil.
func (s *Send) tailLen(user *Text) int {
	n := fieldLen(tailID, &s.ID) + len(tailData) + len(s.Data) + len(tailEnd)
	if user != nil {
		return n + fieldLen(tailUser, user)
	}
	return n + fieldLen(tailGroup, &s.Group)
}

func appendField(dst []byte, name string, t *Text) []byte {
	if !t.given() {
		return dst
	}
	dst = append(dst, name...)
	dst = append(dst, t.Raw...) // scanned, hence a legal JSON string
	return append(dst, tailNext...)
}

// appendTail writes the tail into dst, which has room for tailLen bytes.
func (s *Send) appendTail(dst []byte, user *Text) []byte {
	dst = appendField(dst, tailID, &s.ID)
	if user != nil {
		dst = appendField(dst, tailUser, user)
	} else {
		dst = appendField(dst, tailGroup, &s.Group)
	}
	dst = append(dst, tailData...)
	start := len(dst)
	dst = append(dst, s.Data...)
	if s.breaks {
		unbreak(dst[start:])
	}
	return append(dst, tailEnd...)
}

// unbreak makes one line of a JSON value. Strings hold no raw control
// characters, so its line breaks are white space.
func unbreak(b []byte) {
	for i, c := range b {
		if c == '\n' || c == '\r' {
			b[i] = ' '
		}
	}
}

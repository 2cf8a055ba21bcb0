package tap

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"

	"pushfleet/internal/teewire"
)

// blank replaces a JSON value by one of the same length: a string of x, or 0.
func blank(value []byte) {
	if len(value) == 1 {
		value[0] = '0'
		return
	}
	cross(value)
	if n := len(value); n > 0 {
		value[0], value[n-1] = '"', '"'
	}
}

// blanks makes blank values without writing each of them out.
type blanks struct {
	b   []byte // a quote, and x but for a quote at end
	end int
}

// of returns a blank value of n bytes, valid until the next call.
func (s *blanks) of(n int) []byte {
	if n < 2 {
		return []byte("0")[:n]
	}
	if len(s.b) < n {
		s.b, s.end = make([]byte, max(512, 2*n)), 0
		cross(s.b)
		s.b[0] = '"'
	}
	if s.end > 0 {
		s.b[s.end] = 'x'
	}
	s.end = n - 1
	s.b[s.end] = '"'
	return s.b[:n]
}

// cross overwrites all, doubling what is written.
func cross(b []byte) {
	if len(b) > 0 {
		b[0] = 'x'
	}
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}

// redactCommand takes out of a client's command, in place, what may not be
// mirrored: tokens always; data and all that the node does not read as payload;
// with names also users, groups and refs. Of what is no command the length is
// left.
func (s *Shard) redactCommand(b []byte, known bool) {
	if !known {
		cross(b)
		return
	}
	members(b, func(key, value []byte) {
		if string(key) == "token" {
			blank(value)
		} else if s.run.o.Redact != teewire.RedactOff {
			s.redactMember(key, value)
		}
	})
}

func (s *Shard) redactMember(key, value []byte) {
	text := value[0] == '"'
	switch string(key) {
	case "type":
	case "user", "group":
		if !text {
			blank(value)
		}
		s.hideString(value)
	case "ref":
		if s.hide != nil && text {
			blank(value)
		}
	case "seq":
		if value[0] < '0' || value[0] > '9' {
			blank(value)
		}
	case "data":
		blank(value)
	default:
		cross(key)
		blank(value)
	}
}

// hideString replaces a name in a JSON string; white space makes up for what
// escapes took.
func (s *Shard) hideString(value []byte) {
	if s.hide == nil || value[0] != '"' {
		return
	}
	name := value[1 : len(value)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		var text string
		if json.Unmarshal(value, &text) != nil {
			blank(value)
			return
		}
		name = []byte(text)
	}
	out := append(s.hide.append(value[:1], name), '"')
	for i := len(out); i < len(value); i++ {
		value[i] = ' '
	}
}

// members calls f with each key, without its quotes, and each value of a JSON
// object, which is known to be valid.
func members(b []byte, f func(key, value []byte)) {
	i := bytes.IndexByte(b, '{') + 1
	for {
		q := bytes.IndexByte(b[i:], '"')
		if q < 0 {
			return
		}
		start := i + q
		end := valueEnd(b, start)
		from := end + bytes.IndexByte(b[end:], ':') + 1
		for from < len(b) && (b[from] == ' ' || b[from] == '\t' || b[from] == '\n' || b[from] == '\r') {
			from++
		}
		if i = valueEnd(b, from); from == i {
			return // not what was promised
		}
		f(b[start+1:end-1], b[from:i])
	}
}

// valueEnd is the end of the JSON value that begins at i.
func valueEnd(b []byte, i int) int {
	for depth := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			if i = stringEnd(b, i); depth == 0 {
				return i
			}
			i--
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
			if depth < 0 {
				return i
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
	}
	return len(b)
}

// stringEnd is the end of the string whose quote is at i.
func stringEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// key is what names of one tee are hidden with; nil: they are not.
type key struct{ mac, out cipher.Block }

func newKey(degree teewire.Redact) *key {
	if degree != teewire.RedactNames {
		return nil
	}
	var k [32]byte
	_, _ = rand.Read(k[:]) // never fails
	mac, err := aes.NewCipher(k[:16])
	out, err2 := aes.NewCipher(k[16:])
	if err != nil || err2 != nil {
		panic("AES refuses a key of 16 bytes")
	}
	return &key{mac, out}
}

func (k *key) hider() *hider {
	if k == nil {
		return nil
	}
	return &hider{key: *k}
}

// hider replaces names by others of their length that tell nothing of them:
// the same by the same as long as the tee lasts. Very short names may fall
// together, for there are few. Owned by a shard.
type hider struct {
	key
	x, y [aes.BlockSize]byte
}

// alphabet of hidden names: nothing that JSON would escape.
const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// append appends what stands for name, which may be in the same memory: CBC-MAC
// of the name behind its length, drawn out to that length in counter mode.
func (h *hider) append(dst, name []byte) []byte {
	if h == nil {
		return append(dst, name...)
	}
	left := len(name)
	h.x = [aes.BlockSize]byte{}
	binary.LittleEndian.PutUint64(h.x[:], uint64(left))
	h.mac.Encrypt(h.x[:], h.x[:])
	for len(name) > 0 {
		n := subtle.XORBytes(h.x[:], h.x[:], name[:min(len(name), aes.BlockSize)])
		h.mac.Encrypt(h.x[:], h.x[:])
		name = name[n:]
	}
	for i := byte(0); left > 0; i++ {
		h.y = h.x
		h.y[0] ^= i
		h.out.Encrypt(h.y[:], h.y[:])
		for _, c := range h.y[:min(left, aes.BlockSize)] {
			dst = append(dst, alphabet[c&63])
		}
		left -= min(left, aes.BlockSize)
	}
	return dst
}

// all replaces names.
func (h *hider) all(names []string) {
	if h == nil {
		return
	}
	for i, n := range names {
		names[i] = string(h.append(nil, []byte(n)))
	}
}

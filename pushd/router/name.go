package router

import "encoding/binary"

// A name lies in 16 bytes of the record: its length, then up to 15 bytes. Of a
// longer one 11 bytes, and the rest in a chain of blocks.
const (
	nameSize   = 16
	nameInline = nameSize - 1
	namePrefix = nameSize - 5
)

// block is a piece of a long name.
type block struct {
	next uint32
	text [28]byte
}

func (u *user) chain() uint32 { return binary.LittleEndian.Uint32(u.name[nameSize-4:]) }

// named tells whether the record has this name.
func (s *shard) named(u *user, name []byte) bool {
	n := int(u.name[0])
	if n != len(name) {
		return false
	}
	if n <= nameInline {
		return string(u.name[1:1+n]) == string(name)
	}
	if string(u.name[1:1+namePrefix]) != string(name[:namePrefix]) {
		return false
	}
	name = name[namePrefix:]
	for b := u.chain(); len(name) > 0; {
		k := &s.blocks[b]
		n := min(len(name), len(k.text))
		if string(k.text[:n]) != string(name[:n]) {
			return false
		}
		b, name = k.next, name[n:]
	}
	return true
}

// setName fills a zeroed record's name; false when there are no blocks left.
func (s *shard) setName(u *user, name []byte) bool {
	u.name[0] = byte(len(name))
	if len(name) <= nameInline {
		copy(u.name[1:], name)
		return true
	}
	copy(u.name[1:1+namePrefix], name)
	name = name[namePrefix:]
	var text block
	end := len(name)
	for end > 0 { // from the end, so that each block knows the next
		start := (end - 1) / len(text.text) * len(text.text)
		b := s.blkFree.take(len(s.blocks), func(i uint32) *uint32 { return &s.blocks[i].next })
		if b == 0 {
			binary.LittleEndian.PutUint32(u.name[nameSize-4:], text.next)
			s.freeName(u)
			return false
		}
		text = block{next: text.next}
		copy(text.text[:], name[start:end])
		s.blocks[b] = text
		text.next = b
		end = start
	}
	binary.LittleEndian.PutUint32(u.name[nameSize-4:], text.next)
	return true
}

func (s *shard) appendName(dst []byte, u *user) []byte {
	n := int(u.name[0])
	if n <= nameInline {
		return append(dst, u.name[1:1+n]...)
	}
	dst = append(dst, u.name[1:1+namePrefix]...)
	n -= namePrefix
	for b := u.chain(); n > 0; b = s.blocks[b].next {
		k := min(n, len(s.blocks[b].text))
		dst = append(dst, s.blocks[b].text[:k]...)
		n -= k
	}
	return dst
}

// freeName gives a name's blocks back.
func (s *shard) freeName(u *user) {
	if int(u.name[0]) <= nameInline {
		return
	}
	for b := u.chain(); b != 0; {
		next := s.blocks[b].next
		s.blkFree.give(b, &s.blocks[b].next)
		b = next
	}
	u.name[0] = 0
}

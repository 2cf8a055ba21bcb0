package record

import "encoding/binary"

// The numbers of a record are stored as what they differ from those before,
// field by field, in these tokens:
//
//	0, n   the next n fields are as they were
//	1      the field is missing
//	2 + z  the field changed by z, zigzag: 0, -1, 1, -2, … are 0, 1, 2, 3, …
const (
	tokenSame    = 0
	tokenMissing = 1
	tokenChange  = 2
)

// state is what a difference is against, kept by writer and reader alike.
type state struct {
	at, mono int64
	base     []int64 // the last number of each field, also of one that is missing now
	now      []int64 // what the last record held
}

// reset makes the next record one by itself, of n fields that are all 0.
func (s *state) reset(n int) {
	if cap(s.base) < n {
		s.base, s.now = make([]int64, n), make([]int64, n)
	}
	s.base, s.now = s.base[:n], s.now[:n]
	clear(s.base)
	clear(s.now)
	s.at, s.mono = 0, 0
}

func clamp(v int64) int64 {
	if v == Missing {
		return v
	}
	return max(-valueMax, min(valueMax, v))
}

// put appends a record and makes it the one before. r has as many numbers as
// the state.
func (s *state) put(b []byte, r *Record) []byte {
	b = binary.AppendVarint(b, r.At-s.at)
	b = binary.AppendVarint(b, r.Mono-s.mono)
	s.at, s.mono = r.At, r.Mono
	same := uint64(0)
	for i, v := range r.V {
		v = clamp(v)
		if v == s.now[i] {
			same++
			continue
		}
		b = appendSame(b, same)
		same = 0
		s.now[i] = v
		if v == Missing {
			b = append(b, tokenMissing)
			continue
		}
		b = binary.AppendUvarint(b, tokenChange+zigzag(v-s.base[i]))
		s.base[i] = v
	}
	return appendSame(b, same)
}

func appendSame(b []byte, n uint64) []byte {
	if n == 0 {
		return b
	}
	return binary.AppendUvarint(append(b, tokenSame), n)
}

// take reads a record and makes it the one before.
func (s *state) take(b []byte) error {
	for _, to := range []*int64{&s.at, &s.mono} {
		d, n := binary.Varint(b)
		if n <= 0 {
			return errFrame
		}
		*to += d
		b = b[n:]
	}
	p := 0
	for i := 0; i < len(s.now); i++ {
		token, n := uvarint(b, p)
		if n <= 0 {
			return errFrame
		}
		p += n
		switch token {
		case tokenSame:
			same, n := uvarint(b, p)
			if n <= 0 || same == 0 || same > uint64(len(s.now)-i) {
				return errFrame
			}
			p += n
			i += int(same) - 1
		case tokenMissing:
			s.now[i] = Missing
		default:
			s.base[i] += unzigzag(token - tokenChange)
			s.now[i] = s.base[i]
		}
	}
	if p != len(b) {
		return errFrame
	}
	return nil
}

// uvarint is binary.Uvarint of b[p:], quicker for the short ones that most are.
func uvarint(b []byte, p int) (uint64, int) {
	if p < len(b) && b[p] < 0x80 {
		return uint64(b[p]), 1
	}
	if p+1 < len(b) && b[p+1] < 0x80 {
		return uint64(b[p]&0x7f) | uint64(b[p+1])<<7, 2
	}
	return binary.Uvarint(b[min(p, len(b)):])
}

func zigzag(v int64) uint64   { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

package wire

import (
	"strconv"
	"strings"
)

// EpochMax bounds the epoch of a position, in bytes.
const EpochMax = 16

// AppendPos appends the position "EPOCH-N".
func AppendPos(dst []byte, epoch string, n uint32) []byte {
	dst = append(dst, epoch...)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, uint64(n), 10)
}

// PosLen is the number of bytes that AppendPos appends.
func PosLen(epoch string, n uint32) int { return len(epoch) + 1 + digits(n) }

// ParsePos reads what AppendPos writes: an epoch of 1 to EpochMax characters
// of [0-9a-z], a dash, and a decimal number without leading zeros. The number
// 0 is good: it stands before the first message of its epoch.
func ParsePos(s string) (epoch string, n uint32, ok bool) {
	epoch, num, found := strings.Cut(s, "-")
	if !found || epoch == "" || len(epoch) > EpochMax {
		return "", 0, false
	}
	for i := range len(epoch) {
		if c := epoch[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return "", 0, false
		}
	}
	if num == "" || num[0] == '+' || num[0] == '0' && len(num) > 1 {
		return "", 0, false
	}
	v, err := strconv.ParseUint(num, 10, 32)
	if err != nil {
		return "", 0, false
	}
	return epoch, uint32(v), true
}

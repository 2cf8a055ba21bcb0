package doctor

import "strconv"

// Count writes a number with commas: 1,000,512.
func Count(n int64) string {
	if n >= 1<<60 {
		return "no limit"
	}
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Bytes writes a size in powers of 1000, three digits at most.
func Bytes(n int64) string {
	v, units := float64(n), []string{"B", "KB", "MB", "GB", "TB"}
	i := 0
	for ; v >= 999.5 && i < len(units)-1; i++ {
		v /= 1000
	}
	digits := 0
	if i > 0 && v < 9.95 {
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64) + " " + units[i]
}

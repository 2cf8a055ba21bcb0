package knob

import (
	"errors"
	"math/big"
	"strconv"
	"strings"
)

// scale is a suffix and what it multiplies by.
type scale struct {
	suffix string // lower case
	times  int64
}

// countScales are of plain numbers: 10k is 10,000 and 1.5M is 1,500,000.
var countScales = []scale{{"k", 1e3}, {"m", 1e6}, {"g", 1e9}}

// byteScales are of sizes. The first that fits is taken, so longer ones come
// first. A bare k or M is refused, because half of us mean 1,024 by it.
var byteScales = []scale{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"b", 1},
}

// parseInt reads 1024, 1,024, 1_024, 10k, 1.5M and -3.
func parseInt(s string) (int64, error) {
	number, times := cutScale(s, countScales)
	return scaled(number, times)
}

// parseBytes reads 65536, 64KiB, 64KB, 1.5MiB and 100 B, in any case.
func parseBytes(s string) (int64, error) {
	number, times := cutScale(s, byteScales)
	if times == 1 && number != "" {
		switch last := number[len(number)-1]; last {
		case 'k', 'K', 'm', 'M', 'g', 'G', 't', 'T':
			n, unit := strings.TrimSpace(number[:len(number)-1]), strings.ToUpper(string(last))
			return 0, errors.New("could be two sizes: write " + n + unit + "iB (powers of 1024) or " + n + unit + "B (of 1000)")
		}
	}
	return scaled(number, times)
}

// formatBytes prints the largest unit that divides n, binary ones first, so
// that nothing is rounded: 64KiB, 64KB, 1500B.
func formatBytes(n int64) string {
	best, label := int64(1), "B"
	for _, u := range []struct {
		times int64
		label string
	}{{1e3, "KB"}, {1e6, "MB"}, {1e9, "GB"}, {1e12, "TB"},
		{1 << 10, "KiB"}, {1 << 20, "MiB"}, {1 << 30, "GiB"}, {1 << 40, "TiB"}} {
		if n != 0 && n%u.times == 0 {
			best, label = u.times, u.label
		}
	}
	return strconv.FormatInt(n/best, 10) + label
}

// cutScale splits a known suffix off a number.
func cutScale(s string, scales []scale) (number string, times int64) {
	for _, sc := range scales {
		at := len(s) - len(sc.suffix)
		if at >= 0 && strings.EqualFold(s[at:], sc.suffix) {
			return strings.TrimSpace(s[:at]), sc.times
		}
	}
	return s, 1
}

var errNotWhole = errors.New("is not a whole number")

// scaled multiplies exactly: a fraction must come out whole, an overflow is an
// error and not a wrap.
func scaled(number string, times int64) (int64, error) {
	number, err := ungroup(number)
	if err != nil {
		return 0, err
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil && times == 1 {
		return n, nil
	}
	digits := strings.TrimPrefix(number, "-")
	if len(digits) == 0 || len(digits) > 40 || strings.Trim(digits, "0123456789.") != "" {
		return 0, errNotWhole
	}
	v, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, errNotWhole
	}
	v.Mul(v, new(big.Rat).SetInt64(times))
	if !v.IsInt() {
		return 0, errNotWhole
	}
	if !v.Num().IsInt64() {
		return 0, errors.New("is too large")
	}
	return v.Num().Int64(), nil
}

// ungroup removes _ and , where they group three digits as in 1,048,576, and
// refuses them elsewhere: 1,5 is not one and a half.
func ungroup(s string) (string, error) {
	if !strings.ContainsAny(s, "_,") {
		return s, nil
	}
	whole, fraction, _ := strings.Cut(s, ".")
	groups := strings.FieldsFunc(strings.TrimPrefix(whole, "-"), func(r rune) bool { return r == ',' || r == '_' })
	separators := strings.Count(whole, ",") + strings.Count(whole, "_")
	good := separators == len(groups)-1 && !strings.ContainsAny(fraction, "_,") && len(groups[0]) <= 3
	for i, g := range groups {
		good = good && (i == 0 || len(g) == 3)
	}
	if !good {
		return "", errors.New("has a separator that does not group three digits, as in 1,048,576")
	}
	return strings.NewReplacer("_", "", ",", "").Replace(s), nil
}

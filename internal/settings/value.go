package settings

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"pushfleet/internal/knob"
)

// Value moves texts into a C and out.
type Value[C any] struct {
	set    func(c *C, texts []string) error
	get    func(c *C) string
	list   bool // any number of texts; commas separate them
	toggle bool // as a flag it needs no argument
}

// single is a value of one text.
func single[C any](set func(c *C, s string) error, get func(*C) string) Value[C] {
	return Value[C]{get: get, set: func(c *C, texts []string) error {
		if len(texts) != 1 {
			return fmt.Errorf("one value, not %d", len(texts))
		}
		return set(c, texts[0])
	}}
}

// Text is taken as it is.
func Text[C any](field func(*C) *string) Value[C] {
	return single(func(c *C, s string) error { *field(c) = s; return nil }, func(c *C) string { return *field(c) })
}

// Choice is one of some words.
func Choice[C any, S ~string](field func(*C) *S, words ...S) Value[C] {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return single(func(c *C, s string) error {
		if slices.Contains(texts, s) {
			*field(c) = S(s)
			return nil
		}
		msg := fmt.Sprintf("%q is not one of %s", s, strings.Join(texts, ", "))
		if near := knob.Closest(s, texts); near != "" {
			msg += "; did you mean " + near + "?"
		}
		return errors.New(msg)
	}, func(c *C) string { return string(*field(c)) })
}

// Int is a whole number; Check holds it to its range.
func Int[C any](field func(*C) *int) Value[C] {
	return single(func(c *C, s string) error {
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", s)
		}
		*field(c) = n
		return nil
	}, func(c *C) string { return strconv.Itoa(*field(c)) })
}

// Toggle is true or false; as a flag alone it is true.
func Toggle[C any](field func(*C) *bool) Value[C] {
	v := single(func(c *C, s string) error {
		b, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", s)
		}
		*field(c) = b
		return nil
	}, func(c *C) string { return strconv.FormatBool(*field(c)) })
	v.toggle = true
	return v
}

// Duration is a time with its unit, such as 10s.
func Duration[C any](field func(*C) *time.Duration) Value[C] {
	return single(func(c *C, s string) error {
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 10s", s)
		}
		*field(c) = d
		return nil
	}, func(c *C) string { return field(c).String() })
}

// Addr is an address to listen on, see ParseAddr.
func Addr[C any](field func(*C) *string) Value[C] {
	return single(func(c *C, s string) error {
		a, err := ParseAddr(s)
		if err == nil {
			*field(c) = a.String()
		}
		return err
	}, func(c *C) string { return *field(c) })
}

// List is any number of texts.
func List[C any](field func(*C) *[]string) Value[C] {
	return many(field, func(s string) (string, error) { return s, nil }, func(s string) string { return s })
}

// Addrs is any number of addresses to listen on.
func Addrs[C any](field func(*C) *[]string) Value[C] {
	return many(field, func(s string) (string, error) {
		a, err := ParseAddr(s)
		return a.String(), err
	}, func(s string) string { return s })
}

// Prefixes is any number of networks; a bare address is one of its own.
func Prefixes[C any](field func(*C) *[]netip.Prefix) Value[C] {
	return many(field, parsePrefix, netip.Prefix.String)
}

func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("%q is not a network: write 10.0.0.0/8 or one address", s)
	}
	return p.Masked(), nil
}

func many[C, T any](field func(*C) *[]T, read func(string) (T, error), show func(T) string) Value[C] {
	return Value[C]{list: true, set: func(c *C, texts []string) error {
		out := []T{}
		var errs []error
		for _, t := range texts {
			v, err := read(t)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			out = append(out, v)
		}
		*field(c) = out
		return errors.Join(errs...)
	}, get: func(c *C) string {
		texts := []string{}
		for _, v := range *field(c) {
			texts = append(texts, show(v))
		}
		return strings.Join(texts, ", ")
	}}
}

// split cuts a text at commas if the value is a list; an empty text is an
// empty list.
func (v *Value[C]) split(s string) []string {
	if !v.list {
		return []string{s}
	}
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// Within makes the keys of a C those of a D that holds one.
func Within[D, C any](keys []Key[C], of func(*D) *C) []Key[D] {
	out := make([]Key[D], len(keys))
	for i, k := range keys {
		v := k.Value
		out[i] = Key[D]{Name: k.Name, Flag: k.Flag, Group: k.Group, Arg: k.Arg, Help: k.Help, FlagOnly: k.FlagOnly, Sample: k.Sample,
			Value: Value[D]{list: v.list, toggle: v.toggle,
				set: func(d *D, texts []string) error { return v.set(of(d), texts) },
				get: func(d *D) string { return v.get(of(d)) }}}
	}
	return out
}

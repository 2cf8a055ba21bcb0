package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"pushfleet/internal/knob"
)

// value moves texts into a Config and out. A value that is no list gets one
// text.
type value interface {
	set(c *Config, texts []string) error
	get(c *Config) string
}

// single is a value of one text.
type single struct {
	setOne func(c *Config, s string) error
	show   func(c *Config) string
}

func (v single) set(c *Config, texts []string) error {
	if len(texts) != 1 {
		return fmt.Errorf("one value, not %d", len(texts))
	}
	return v.setOne(c, texts[0])
}

func (v single) get(c *Config) string { return v.show(c) }

func text(field func(*Config) *string) value {
	return single{
		func(c *Config, s string) error { *field(c) = s; return nil },
		func(c *Config) string { return *field(c) },
	}
}

func choice(field func(*Config) *string, words ...string) value {
	return single{
		func(c *Config, s string) error {
			for _, w := range words {
				if s == w {
					*field(c) = s
					return nil
				}
			}
			msg := fmt.Sprintf("%q is not one of %s", s, strings.Join(words, ", "))
			if near := knob.Closest(s, words); near != "" {
				msg += "; did you mean " + near + "?"
			}
			return errors.New(msg)
		},
		func(c *Config) string { return *field(c) },
	}
}

func number(field func(*Config) *int) value {
	return single{
		func(c *Config, s string) error {
			n, err := strconv.Atoi(s)
			if err != nil {
				return fmt.Errorf("%q is not a whole number", s)
			}
			*field(c) = n
			return nil
		},
		func(c *Config) string { return strconv.Itoa(*field(c)) },
	}
}

// switchValue is a boolean; as a flag it needs no argument.
type switchValue struct{ single }

func toggle(field func(*Config) *bool) value {
	return switchValue{single{
		func(c *Config, s string) error {
			b, err := strconv.ParseBool(s)
			if err != nil {
				return fmt.Errorf("%q is neither true nor false", s)
			}
			*field(c) = b
			return nil
		},
		func(c *Config) string { return strconv.FormatBool(*field(c)) },
	}}
}

func addr(field func(*Config) *string) value {
	return single{
		func(c *Config, s string) error {
			a, err := parseAddr(s)
			if err == nil {
				*field(c) = a.String()
			}
			return err
		},
		func(c *Config) string { return *field(c) },
	}
}

// many is a value of any number of texts.
type many struct {
	field func(*Config) *[]string
	clean func(string) (string, error)
}

func (v many) set(c *Config, texts []string) error {
	out := []string{}
	var errs []error
	for _, t := range texts {
		s, err := v.clean(t)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, s)
	}
	*v.field(c) = out
	return errors.Join(errs...)
}

func (v many) get(c *Config) string { return strings.Join(*v.field(c), ", ") }

func list(field func(*Config) *[]string) value {
	return many{field, func(s string) (string, error) { return s, nil }}
}

func addrs(field func(*Config) *[]string) value {
	return many{field, func(s string) (string, error) {
		a, err := parseAddr(s)
		return a.String(), err
	}}
}

// prefixes is proxy_trusted; a bare address is a prefix of one.
type prefixes struct{}

func (prefixes) set(c *Config, texts []string) error {
	c.ProxyTrusted = nil
	var errs []error
	for _, t := range texts {
		p, err := netip.ParsePrefix(t)
		if a, bare := netip.ParseAddr(t); bare == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%q is not a network: write 10.0.0.0/8 or one address", t))
			continue
		}
		c.ProxyTrusted = append(c.ProxyTrusted, p.Masked())
	}
	return errors.Join(errs...)
}

func (prefixes) get(c *Config) string {
	texts := make([]string, len(c.ProxyTrusted))
	for i, p := range c.ProxyTrusted {
		texts[i] = p.String()
	}
	return strings.Join(texts, ", ")
}

// leeway is auth.jwt.leeway.
type leeway struct{}

func (leeway) set(c *Config, texts []string) error {
	d, err := time.ParseDuration(strings.Join(texts, ","))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 10s", strings.Join(texts, ","))
	}
	c.JWT.Leeway = d
	return nil
}

func (leeway) get(c *Config) string { return c.JWT.Leeway.String() }

// parseAddr reads IP:PORT, localhost:PORT and :PORT for all interfaces. Names
// are refused: what they resolve to tomorrow could be a public address.
func parseAddr(s string) (netip.AddrPort, error) {
	full := s
	if strings.HasPrefix(s, ":") {
		full = "[::]" + s
	} else if port, ok := strings.CutPrefix(s, "localhost:"); ok {
		full = "127.0.0.1:" + port
	}
	a, err := netip.ParseAddrPort(full)
	if err != nil {
		return a, fmt.Errorf("%q is not an address: write IP:PORT such as 127.0.0.1:7400, or :7400 for all interfaces", s)
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
}

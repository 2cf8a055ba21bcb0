// Package config is what does not change while pushd runs: addresses, places,
// keys. It is put together from defaults, a file, the environment and flags,
// in this order, and checked as a whole. What may change is a knob.
package config

import (
	"net/netip"
	"strings"
	"time"
)

// FileDefault is read when --config is not given; it may be absent.
const FileDefault = "/etc/pushd/pushd.toml"

// Config is the static configuration of one node. Load fills and checks it;
// one made by hand should start from Default.
type Config struct {
	Listen       []string       // client addresses, IP:PORT
	ListenProxy  []string       // client addresses whose connections begin with a PROXY header
	ProxyTrusted []netip.Prefix // peers that may send a PROXY header
	CORSOrigins  []string       // origins whose pages may read answers; "*" = any

	Private     string // server API, health, /metrics, pprof; IP:PORT
	AdminSocket string // path of the unix socket
	StateDir    string
	NodeName    string

	Loops        int  // 0 = one per core
	UnshareFiles bool // each loop with a file table of its own

	Auth string // AuthNone or AuthJWT
	JWT  JWT

	LogLevel  string // debug, info, warn, error
	LogFormat string // text, json

	Knobs map[string]string // start values of knobs by name

	sources map[string]string // key → where its value came from
}

// The values of Config.Auth.
const (
	AuthNone = "none" // clients name themselves; loopback only
	AuthJWT  = "jwt"
)

// JWT names the keys and the claims of tokens.
type JWT struct {
	HS256SecretFile      string
	Ed25519PublicKeyFile string
	RS256PublicKeyFile   string
	Audience             string
	Issuer               string
	Leeway               time.Duration
}

// Source tells where the value of a key came from: "default", "FILE:LINE",
// "env NAME" or "flag --NAME". Knobs are keys of the form knobs.NAME.
func (c *Config) Source(key string) string {
	if s := c.sources[key]; s != "" {
		return s
	}
	return "default"
}

// Problem is one thing wrong with the configuration, in a sentence that ends
// with what to do.
type Problem struct {
	Key    string // as in the file, for example auth.jwt.leeway; empty for the command line as such
	Text   string
	Source string
}

func (p Problem) String() string {
	s := p.Text
	if p.Key != "" {
		s = p.Key + ": " + s
	}
	if p.Source != "" && p.Source != "default" {
		s += " (from " + p.Source + ")"
	}
	return s
}

// Problems is the error of Load: everything that is wrong, not the first.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// AddrPorts returns the addresses of a checked list.
func AddrPorts(list []string) []netip.AddrPort {
	out := make([]netip.AddrPort, 0, len(list))
	for _, s := range list {
		if a, err := parseAddr(s); err == nil {
			out = append(out, a)
		}
	}
	return out
}

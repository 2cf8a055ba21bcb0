// Package config is what does not change while pushd runs: addresses, places,
// keys. It is put together from defaults, a file, the environment and flags,
// in this order, and checked as a whole. What may change is a knob.
package config

import (
	"net/netip"
	"time"

	"pushfleet/internal/settings"
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

	// SharePort lets other processes of the same user listen on the client
	// addresses, when they say so too. The kernel spreads the connections, so
	// each process holds users of its own.
	SharePort bool

	Private     string // server API, health, /metrics, pprof; IP:PORT
	AdminSocket string // path of the unix socket
	StateDir    string
	NodeName    string

	Loops        int  // 0 = one per core
	UnshareFiles bool // each loop with a file table of its own

	Keeper Keeper

	// Shadow makes the node take the clients of a tee only. It must not follow
	// the keepers of a fleet.
	Shadow bool

	Auth string // AuthNone or AuthJWT
	JWT  JWT

	LogLevel  string // debug, info, warn, error
	LogFormat string // text, json

	Knobs map[string]string // start values of knobs by name

	settings.Sources // of the values, by key; knobs are keys of the form knobs.NAME
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

// AddrPorts returns the addresses of a checked list.
func AddrPorts(list []string) []netip.AddrPort {
	out := make([]netip.AddrPort, 0, len(list))
	for _, s := range list {
		if a, err := settings.ParseAddr(s); err == nil {
			out = append(out, a)
		}
	}
	return out
}

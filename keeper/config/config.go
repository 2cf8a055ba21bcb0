// Package config is what does not change while a keeper runs: its name,
// addresses, places, keys and how it finds the others.
package config

import (
	"os"
	"path/filepath"
	"time"

	"pushfleet/internal/settings"
	"pushfleet/keeper/store"
)

// FileDefault is read when --config is not given; it may be absent.
const FileDefault = "/etc/keeper/keeper.toml"

// Config is the static configuration of one keeper. Load fills and checks it;
// one made by hand should start from Default.
type Config struct {
	ID       string
	StateDir string
	Socket   string // path of the unix socket; "" = none

	API          []string // addresses of the API, IP:PORT
	APIAdvertise string   // HOST:PORT that nodes are told; "" = the first of API
	APITLS       APITLS

	Raft          string // for the other members, IP:PORT
	RaftAdvertise string // HOST:PORT that they dial; "" = Raft
	RaftTLS       store.TLSFiles
	LogKind       store.LogKind
	Heartbeat     time.Duration // see store.Timing
	Election      time.Duration

	// BootstrapExpect members found a cluster, those of Join with this one; 0
	// asks those of Join to be let in, or founds alone when there are none.
	BootstrapExpect int
	Join            []string // HOST:PORT

	LogLevel  string // debug, info, warn, error
	LogFormat string // text, json

	settings.Sources // of the values, by key
}

// APITLS names the API's PEM files; both empty = plain, on loopback only.
type APITLS struct{ Cert, Key string }

// Default returns the configuration without file, environment and flags: a
// keeper that is alone on this machine.
func Default(getenv func(string) string) Config {
	t := store.DefaultTiming()
	return Config{
		ID:        settings.HostName("keeper"),
		StateDir:  settings.StateDir(getenv, os.Geteuid(), "keeper"),
		Socket:    filepath.Join(settings.RuntimeDir(getenv, os.Geteuid(), "keeper"), "keeper.sock"),
		API:       []string{"127.0.0.1:7410"},
		Raft:      "127.0.0.1:7411",
		LogKind:   store.WAL,
		Heartbeat: t.Heartbeat,
		Election:  t.Election,
		Join:      []string{},
		LogLevel:  "info",
		LogFormat: "text",
		Sources:   settings.Sources{},
	}
}

// Expect is how many members found the cluster: one when nobody was said
// anything of others. A member with state founds nothing.
func (c *Config) Expect() int {
	if c.BootstrapExpect == 0 && len(c.Join) == 0 {
		return 1
	}
	return c.BootstrapExpect
}

// Store returns the part of the configuration that is the replicated log's.
func (c *Config) Store() store.Config {
	return store.Config{
		ID: c.ID, Dir: c.StateDir, Listen: c.Raft, Advertise: c.RaftAdvertise, TLS: c.RaftTLS,
		Join: c.Join, Expect: c.Expect(), LogKind: c.LogKind,
		// The lease is in the same proportion to the heartbeat as the default's.
		Timing: store.Timing{Heartbeat: c.Heartbeat, Election: c.Election, Lease: c.Heartbeat * 4 / 5},
	}
}

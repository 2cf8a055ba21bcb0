package config

import (
	"errors"
	"io/fs"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/settings"
)

// place is an outside world made of maps.
type place struct {
	env   map[string]string
	files map[string]string
}

func (p place) getenv(name string) string { return p.env[name] }

func (p place) readFile(path string) ([]byte, error) {
	if s, ok := p.files[path]; ok {
		return []byte(s), nil
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

func (p place) load(args string) (Config, error) {
	return Load(strings.Fields(args), p.getenv, p.readFile)
}

var secret = strings.Repeat("k", 32)

func TestDefaultsAreLoopback(t *testing.T) {
	c, err := place{env: map[string]string{"HOME": "/home/u"}}.load("")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c.Listen, []string{"127.0.0.1:7400"}) || c.Private != "127.0.0.1:7401" || c.Auth != AuthNone || c.Loops != 0 {
		t.Errorf("defaults: %+v", c)
	}
	if c.Source("listen") != "default" {
		t.Errorf("listen comes from %q", c.Source("listen"))
	}
}

func TestLaterSourceWins(t *testing.T) {
	p := place{
		env: map[string]string{"HOME": "/h", "PUSHD_LOOPS": "3", "PUSHD_LOG_LEVEL": "warn",
			"PUSHD_LISTEN": "127.0.0.1:1,127.0.0.1:2", "PUSHD_KNOB": "queue.bytes_max=2KiB; tap.on=on"},
		files: map[string]string{FileDefault: `
loops = 2
node_name = "gw-1"
listen = ["127.0.0.1:9"]
[log]
level = "debug"
[knobs]
"queue.bytes_max" = "1KiB"
[knobs.queue]
messages_max = 64
`}}
	c, err := p.load("--loops 4 --knob tap.on=off")
	if err != nil {
		t.Fatal(err)
	}
	f := func(key string, got, want any, source string) {
		t.Helper()
		if !reflect.DeepEqual(got, want) || c.Source(key) != source {
			t.Errorf("%s = %v from %q, want %v from %q", key, got, c.Source(key), want, source)
		}
	}
	f("node_name", c.NodeName, "gw-1", FileDefault+":3")
	f("log.level", c.LogLevel, "warn", "env PUSHD_LOG_LEVEL")
	f("listen", c.Listen, []string{"127.0.0.1:1", "127.0.0.1:2"}, "env PUSHD_LISTEN")
	f("loops", c.Loops, 4, "flag --loops")
	f("knobs.queue.messages_max", c.Knobs["queue.messages_max"], "64", FileDefault+":10")
	f("knobs.queue.bytes_max", c.Knobs["queue.bytes_max"], "2KiB", "env PUSHD_KNOB")
	f("knobs.tap.on", c.Knobs["tap.on"], "off", "flag --knob")
}

func TestValuesInEveryForm(t *testing.T) {
	f := func(args string, get func(Config) any, want any) {
		t.Helper()
		c, err := place{files: map[string]string{"/s": secret}}.load("--state-dir /s " + args)
		if err != nil || !reflect.DeepEqual(get(c), want) {
			t.Errorf("%s: %v, %v; want %v", args, get(c), err, want)
		}
	}
	listen := func(c Config) any { return c.Listen }
	jwt := "--auth jwt --auth-jwt-hs256-secret-file /s "
	f(jwt+"--listen :7400", listen, []string{"[::]:7400"})
	f("--listen localhost:1 --listen [::1]:2", listen, []string{"127.0.0.1:1", "[::1]:2"})
	f("--listen 127.0.0.1:0 --listen 127.0.0.1:0", listen, []string{"127.0.0.1:0", "127.0.0.1:0"})
	f("--listen= --listen-proxy 127.0.0.1:1", listen, []string{})
	f("--proxy-trusted 10.1.2.3,fd00::1/16", func(c Config) any { return c.ProxyTrusted },
		[]netip.Prefix{netip.MustParsePrefix("10.1.2.3/32"), netip.MustParsePrefix("fd00::/16")})
	f("--unshare-files", func(c Config) any { return c.UnshareFiles }, true)
	f("--unshare-files=false", func(c Config) any { return c.UnshareFiles }, false)
	f("--loops 1 --loops 2", func(c Config) any { return c.Loops }, 2)
	f(jwt+"--auth-jwt-leeway 1m", func(c Config) any { return c.JWT.Leeway }, time.Minute)
	f("--cors-allow-origins https://a.example,https://b.example", func(c Config) any { return c.CORSOrigins },
		[]string{"https://a.example", "https://b.example"})
}

func TestProblemsAreFoundAndSaidWell(t *testing.T) {
	p := place{env: map[string]string{"HOME": "/h"}, files: map[string]string{
		"/typo.toml":   "loops = 1\n\n[auth.jwt]\naudiense = \"x\"\n",
		"/broken.toml": "loops = = 1\n",
		"/types.toml":  "listen = [1]\nnode_name = 2026-11-21\n",
		"/auth.toml":   "auth = \"jwt\"\n",
		"/empty":       "",
		"/short":       "abc",
	}}
	f := func(args string, parts ...string) {
		t.Helper()
		_, err := p.load(args)
		var problems settings.Problems
		if !errors.As(err, &problems) {
			t.Errorf("%s: %v, want problems", args, err)
			return
		}
		for _, part := range parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", args, err, part)
			}
		}
	}
	f("--lisetn 127.0.0.1:1", "there is no flag --lisetn; did you mean --listen?")
	f("--qqq", "pushd --help")
	f("chekc-config", `"chekc-config" is no flag`)
	f("--config /typo.toml", `there is no key "auth.jwt.audiense"; did you mean auth.jwt.audience?`, "/typo.toml:4")
	f("--config /auth.toml", "did you mean auth.mode?", "/auth.toml:1")
	f("--config /broken.toml", "line 1")
	f("--config /types.toml", "listen: a list of strings", "/types.toml:1", "node_name", "/types.toml:2")
	f("--config /absent.toml", "config: open /absent.toml", "flag --config")
	f("--listen :7400", "can be reached from other machines while auth is none", "--auth jwt", "flag --listen")
	f("--listen 10.0.0.1:7400", "anybody could be any user")
	f("--listen-proxy 0.0.0.0:7402", "listen_proxy", "can be reached")
	f("--private 0.0.0.0:7401", "server API asks nobody", "ssh -L")
	f("--private 127.0.0.1:7400", "already used by listen")
	f("--listen gw.example:7400", "is not an address", "IP:PORT")
	f("--listen=", "no client address")
	f("--auth jwt", "no key")
	f("--auth jtw", "did you mean jwt")
	f("--auth jwt --auth-jwt-hs256-secret-file /none", "key file", "/none")
	f("--auth jwt --auth-jwt-hs256-secret-file /empty", "is empty")
	f("--auth jwt --auth-jwt-hs256-secret-file /short", "at least 32", "openssl rand")
	f("--auth-jwt-leeway 1h", "outside 0s to 5m")
	f("--auth-jwt-leeway 5", "not a duration")
	f("--loops 300", "outside 0 to 256")
	f("--loops x", "whole number")
	f("--unshare-files=maybe", "neither true nor false")
	f("--node-name a/b", "node_name")
	f("--admin-socket sock", "absolute")
	f("--admin-socket /"+strings.Repeat("x", 120), "the kernel allows 107")
	f("--state-dir x", "absolute")
	f("--log-level dbug", "did you mean debug")
	f("--proxy-trusted 10.0.0.0/99", "is not a network")
	f("--proxy-trusted= --listen-proxy 127.0.0.1:1", "name the proxy's address")
	f("--cors-allow-origins shop.example", "https://shop.example")
	f("--knob queue.bytes_max", "NAME=VALUE")
	f("--loops x --log-level dbug --listen :1", "loops", "log.level", "anybody") // all at once
}

func TestAddrPorts(t *testing.T) {
	got := AddrPorts([]string{":1", "localhost:2", "[::1]:3", "nonsense"})
	want := []netip.AddrPort{netip.MustParseAddrPort("[::]:1"), netip.MustParseAddrPort("127.0.0.1:2"), netip.MustParseAddrPort("[::1]:3")}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("AddrPorts = %v, want %v", got, want)
	}
}

func TestHelpFlag(t *testing.T) {
	if _, err := (place{}).load("--loops 1 --help"); !errors.Is(err, settings.ErrHelp) {
		t.Errorf("--help: %v", err)
	}
}

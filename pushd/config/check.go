package config

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"pushfleet/internal/knob"
	"pushfleet/internal/settings"
	"pushfleet/pushd/auth"
)

const (
	loopsMax     = 256             // push.LoopMax + 1, the loop part of a handle
	leewayMax    = 5 * time.Minute // more would make exp meaningless
	publicAdvice = "set --auth jwt with a key (pushd --help), or listen on 127.0.0.1 behind a proxy that lets only the right people in"
)

// Check returns everything that is wrong with the configuration. It reads the
// files of keys, so that a bad key is found before the first client. Knob names
// and values are checked by CheckKnobs, which needs the registry.
func (c *Config) Check(readFile func(string) ([]byte, error)) settings.Problems {
	return c.Collect(func(add settings.Adder) {
		ports := settings.NewPorts(add)
		c.checkAddresses(add, ports)
		c.checkKeeper(add, ports, readFile)
		c.checkNode(add)
		if _, err := c.Verifier(readFile); err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				add("auth.jwt", "%s", line)
			}
		}
	})
}

func (c *Config) checkAddresses(add settings.Adder, ports *settings.Ports) {
	if len(c.Listen)+len(c.ListenProxy) == 0 {
		add("listen", "no client address is left: give --listen 127.0.0.1:7400")
	}
	for _, l := range []struct {
		key  string
		list []string
	}{{"listen", c.Listen}, {"listen_proxy", c.ListenProxy}} {
		for _, text := range l.list {
			if a, ok := ports.Take(l.key, text); ok {
				if err := c.CheckClients(a); err != nil {
					add(l.key, "%s", err)
				}
			}
		}
	}
	if a, ok := ports.Take("private", c.Private); ok && !a.Addr().IsLoopback() {
		add("private", "%s can be reached from other machines, and the server API asks nobody who he is: keep it on 127.0.0.1 and reach it by ssh -L or through a proxy that authenticates", c.Private)
	}
	if len(c.ListenProxy) > 0 && len(c.ProxyTrusted) == 0 {
		add("proxy_trusted", "no peer may send a PROXY header, so nobody could connect to listen_proxy: name the proxy's address")
	}
}

// CheckClients refuses a client address that anybody could reach as anybody.
func (c *Config) CheckClients(a netip.AddrPort) error {
	if c.Auth != AuthNone || a.Addr().IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s can be reached from other machines while auth is none, so anybody could be any user: %s", a, publicAdvice)
}

func (c *Config) checkNode(add settings.Adder) {
	if c.Loops < 0 || c.Loops > loopsMax {
		add("loops", "%d is outside 0 to %d; 0 is one per core", c.Loops, loopsMax)
	}
	settings.CheckName(add, "node_name", c.NodeName)
	settings.CheckSocket(add, "admin_socket", c.AdminSocket)
	settings.CheckPath(add, "state_dir", c.StateDir)
	if c.JWT.Leeway < 0 || c.JWT.Leeway > leewayMax {
		add("auth.jwt.leeway", "%s is outside 0s to %s", c.JWT.Leeway, leewayMax)
	}
	for _, o := range c.CORSOrigins {
		if o != "*" && !strings.Contains(o, "://") {
			add("cors.allow_origins", "%q is no origin: write https://shop.example or *", o)
		}
	}
}

// Verifier reads the key files and returns what verifies tokens; nil with auth
// none.
func (c *Config) Verifier(readFile func(string) ([]byte, error)) (auth.Verifier, error) {
	if c.Auth != AuthJWT {
		return nil, nil
	}
	o := auth.JWTOptions{Audience: c.JWT.Audience, Issuer: c.JWT.Issuer, Leeway: c.JWT.Leeway}
	for _, f := range []struct {
		path string
		into *[]byte
	}{{c.JWT.HS256SecretFile, &o.HS256Secret}, {c.JWT.Ed25519PublicKeyFile, &o.Ed25519PEM}, {c.JWT.RS256PublicKeyFile, &o.RS256PEM}} {
		if f.path == "" {
			continue
		}
		data, err := readFile(f.path)
		if err != nil {
			return nil, fmt.Errorf("key file: %w", err)
		}
		if len(data) == 0 {
			return nil, fmt.Errorf("key file %s is empty", f.path)
		}
		*f.into = data
	}
	return auth.NewJWT(o)
}

// CheckKnobs returns what the registry would refuse of the start values.
func (c *Config) CheckKnobs(r *knob.Registry) settings.Problems {
	_, err := r.Apply(knob.Txn{Set: c.Knobs, Source: "config", DryRun: true})
	if err == nil {
		return nil
	}
	errs := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		errs = joined.Unwrap()
	}
	var p settings.Problems
	for _, e := range errs {
		source := "" // a rule over several
		if k, ok := e.(*knob.Error); ok && k.Knob != "" {
			source = c.Source("knobs." + k.Knob)
		}
		p = append(p, settings.Problem{Key: "knobs", Text: e.Error(), Source: source})
	}
	return p
}

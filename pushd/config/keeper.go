package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"pushfleet/internal/keeperapi"
)

// KeeperOff as the only address means that no keeper is followed.
const KeeperOff = "off"

// Keeper says who changes the node's knobs while it runs.
type Keeper struct {
	Addresses []string // of keepers' APIs; none = a member inside this process; KeeperOff alone = nobody
	TokenFile string   // holds the bearer token; "" = none
	CA        string   // PEM file of roots for the keepers' certificates; "" = the system's
	Labels    []string // NAME=VALUE, by which knobs are set for groups of nodes

	// Of the member inside.
	API    string // IP:PORT
	Raft   string // IP:PORT
	Socket string // path; "" = keeper.sock beside the admin socket
}

// Off tells whether no keeper is followed.
func (k *Keeper) Off() bool { return len(k.Addresses) == 1 && k.Addresses[0] == KeeperOff }

// Embedded tells whether the node has a member of its own.
func (k *Keeper) Embedded() bool { return len(k.Addresses) == 0 }

// LabelMap returns the labels of a checked configuration by name.
func (k *Keeper) LabelMap() map[string]string {
	m := make(map[string]string, len(k.Labels))
	for _, l := range k.Labels {
		name, value, _ := strings.Cut(l, "=")
		m[name] = value
	}
	return m
}

// KeeperSocket is the path of the embedded member's socket.
func (c *Config) KeeperSocket() string {
	if c.Keeper.Socket != "" {
		return c.Keeper.Socket
	}
	return filepath.Join(filepath.Dir(c.AdminSocket), "keeper.sock")
}

// KeeperDir is where the embedded member keeps its log.
func (c *Config) KeeperDir() string { return filepath.Join(c.StateDir, "keeper") }

// KeeperClient reads the token and the roots, and returns how keepers are
// asked.
func (c *Config) KeeperClient(readFile func(string) ([]byte, error)) (keeperapi.ClientOptions, error) {
	var o keeperapi.ClientOptions
	if c.Keeper.TokenFile != "" {
		b, err := readFile(c.Keeper.TokenFile)
		if err != nil {
			return o, fmt.Errorf("keeper_token_file: %w", err)
		}
		if o.Token = string(bytes.TrimSpace(b)); o.Token == "" || strings.ContainsAny(o.Token, "\r\n") {
			return o, fmt.Errorf("keeper_token_file: %s does not hold one token: write the line that pushctl keeper tokens add prints", c.Keeper.TokenFile)
		}
	}
	if c.Keeper.CA != "" {
		b, err := readFile(c.Keeper.CA)
		if err != nil {
			return o, fmt.Errorf("keeper_ca: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(b) {
			return o, fmt.Errorf("keeper_ca: no PEM certificate in %s", c.Keeper.CA)
		}
		o.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return o, nil
}

// problemKey splits what KeeperClient says into the key and the sentence.
func problemKey(err error) (key, text string) {
	key, text, _ = strings.Cut(err.Error(), ": ")
	return key, text
}

// checkKeeperAddress returns what is wrong with the address of a keeper.
func checkKeeperAddress(addr string) error {
	network, target, base := keeperapi.Target(addr)
	if network == "unix" {
		if !filepath.IsAbs(target) && !strings.HasPrefix(target, "@") {
			return fmt.Errorf("%q: give an absolute path of a keeper's socket", addr)
		}
		return nil
	}
	return checkKeeperHost(addr, target, base)
}

func checkKeeperHost(addr, target, base string) error {
	scheme, _, _ := strings.Cut(base, "://")
	host, port, ok := cutPort(target)
	switch {
	case !ok || strings.ContainsAny(host, " /?#@"):
		return fmt.Errorf("%q is no address of a keeper: write HOST:PORT such as 10.0.0.1:%s", addr, keeperapi.Port)
	case port == "0":
		return fmt.Errorf("%q: port 0 is nobody's; a keeper's API usually has %s", addr, keeperapi.Port)
	case scheme != "http" && scheme != "https":
		return fmt.Errorf("%q: keepers speak http and https, not %s", addr, scheme)
	case scheme == "http" && !loopback(host):
		return errors.New(addr + " would be asked without TLS, so anybody on the way could change knobs: write https:// and give the keeper a certificate")
	}
	return nil
}

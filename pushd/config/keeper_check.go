package config

import (
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pushfleet/internal/settings"
)

// labelsMax bounds the labels of a node, as keepers do.
const labelsMax = 32

func (c *Config) checkKeeper(add settings.Adder, ports *settings.Ports, readFile func(string) ([]byte, error)) {
	k := &c.Keeper
	checkLabels(add, k.Labels)
	if k.Embedded() {
		c.checkEmbedded(add, ports)
	} else if !k.Off() {
		checkFollowed(add, k.Addresses)
		if c.Shadow {
			add("shadow", "a shadow obeys no fleet, or its knobs would change in the middle of an experiment: leave --keeper out, then one runs inside pushd, or write --keeper off")
		}
	}
	if k.Embedded() || k.Off() {
		for _, f := range []struct{ key, path string }{{"keeper_token_file", k.TokenFile}, {"keeper_ca", k.CA}} {
			if f.path != "" {
				add(f.key, "it is only used with keepers that are named: add --keeper HOST:PORT, or leave it out")
			}
		}
		return
	}
	if _, err := c.KeeperClient(readFile); err != nil {
		key, text := problemKey(err)
		add(key, "%s", text)
	}
}

func checkFollowed(add settings.Adder, addresses []string) {
	for i, a := range addresses {
		switch {
		case a == KeeperOff:
			add("keeper", "off stands alone: name keepers, or write off and nothing else")
		case slices.Contains(addresses[:i], a):
			add("keeper", "%s is named twice: name each keeper once", a)
		default:
			if err := checkKeeperAddress(a); err != nil {
				add("keeper", "%s", err)
			}
		}
	}
}

// checkEmbedded looks at the member inside. It has no certificates, so it
// stays on this machine.
func (c *Config) checkEmbedded(add settings.Adder, ports *settings.Ports) {
	for _, l := range []struct{ key, text string }{{"keeper_api", c.Keeper.API}, {"keeper_raft", c.Keeper.Raft}} {
		if a, ok := ports.Take(l.key, l.text); ok && !a.Addr().IsLoopback() {
			add(l.key, "%s can be reached from other machines, and the keeper inside pushd has no TLS: keep it on 127.0.0.1, and for several machines run the program keeper and name it with --keeper", l.text)
		}
	}
	path := c.KeeperSocket()
	settings.CheckSocket(add, "keeper_socket", path)
	if path == c.AdminSocket {
		add("keeper_socket", "%s is already used by admin_socket: give each its own path", path)
	}
}

// Forms that keepers take, see keeper/state.
var (
	labelName  = regexp.MustCompile(`^[A-Za-z0-9_.:/@-]{1,64}$`)
	labelValue = regexp.MustCompile(`^[A-Za-z0-9_.:/@-]{1,128}$`)
)

func checkLabels(add settings.Adder, labels []string) {
	if len(labels) > labelsMax {
		add("labels", "%d labels, allowed are %d: remove some", len(labels), labelsMax)
	}
	seen := map[string]bool{}
	for _, l := range labels {
		name, value, ok := strings.Cut(l, "=")
		switch {
		case !ok:
			add("labels", "%q is no label: write NAME=VALUE such as app=shop", l)
		case name == "node" || name == "canary":
			add("labels", "%q: node and canary are not labels but scopes of their own: take another name", l)
		case !labelName.MatchString(name) || !labelValue.MatchString(value):
			add("labels", "%q: use letters, digits and _.:/@- only, at most 64 for the name and 128 for the value", l)
		case seen[name]:
			add("labels", "%s is given twice: a node has one value per label", name)
		}
		seen[name] = true
	}
}

// cutPort splits HOST:PORT with a number as port.
func cutPort(target string) (host, port string, ok bool) {
	host, port, err := net.SplitHostPort(target)
	if err != nil || host == "" {
		return "", "", false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return host, port, err == nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

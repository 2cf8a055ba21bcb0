package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"pushfleet/internal/settings"
)

const (
	membersMax   = 32 // store's bound on founding members and addresses to join
	heartbeatMin = 5 * time.Millisecond
	waitMax      = time.Minute // more would leave a fleet without a leader for minutes
)

// Check returns everything that is wrong with the configuration. It reads the
// TLS files, so that a bad one is found before the start.
func (c *Config) Check(readFile func(string) ([]byte, error)) settings.Problems {
	return c.Collect(func(add settings.Adder) {
		c.checkSelf(add)
		ports := settings.NewPorts(add)
		c.checkAPI(add, ports)
		c.checkRaft(add, ports)
		c.checkTLS(add, readFile)
		c.checkCluster(add)
	})
}

func (c *Config) checkSelf(add settings.Adder) {
	settings.CheckName(add, "id", c.ID)
	settings.CheckPath(add, "state_dir", c.StateDir)
	if c.Socket != "" {
		settings.CheckSocket(add, "socket", c.Socket)
	}
}

func (c *Config) checkAPI(add settings.Adder, ports *settings.Ports) {
	if len(c.API) == 0 && c.Socket == "" {
		add("api.listen", "no address is left and no socket either, so nobody could ask this keeper: give --api 127.0.0.1:7410")
	}
	for i, text := range c.API {
		a, ok := ports.Take("api.listen", text)
		if !ok {
			continue
		}
		if !a.Addr().IsLoopback() && c.APITLS == (APITLS{}) {
			add("api.listen", "%s can be reached from other machines, where tokens would travel for all to read: give --api-tls-cert and --api-tls-key, or listen on 127.0.0.1", text)
		}
		if i == 0 && c.APIAdvertise == "" {
			checkReachable(add, "api.listen", a, "nodes", "--api-advertise")
		}
	}
	checkHostPort(add, "api.advertise", c.APIAdvertise)
}

func (c *Config) checkRaft(add settings.Adder, ports *settings.Ports) {
	a, ok := ports.Take("raft.listen", c.Raft)
	if ok && !a.Addr().IsLoopback() && !c.raftTLS() {
		add("raft.listen", "%s can be reached from other machines, of which each could take part in the cluster: give --raft-tls-ca, --raft-tls-cert and --raft-tls-key, or listen on 127.0.0.1 when all keepers are on this machine", c.Raft)
	}
	if ok && c.RaftAdvertise == "" {
		checkReachable(add, "raft.listen", a, "the other keepers", "--raft-advertise")
	}
	checkHostPort(add, "raft.advertise", c.RaftAdvertise)
	if c.Heartbeat < heartbeatMin || c.Heartbeat > waitMax {
		add("raft.heartbeat", "%s is outside %s to %s", c.Heartbeat, heartbeatMin, waitMax)
	}
	if c.Election < c.Heartbeat || c.Election > waitMax {
		add("raft.election", "%s is outside the heartbeat's %s to %s", c.Election, c.Heartbeat, waitMax)
	}
}

// checkReachable complains of an address that says only on which interfaces to
// listen.
func checkReachable(add settings.Adder, key string, a netip.AddrPort, who, flag string) {
	if a.Addr().IsUnspecified() {
		add(key, "%s is every interface and does not tell %s where to dial: add %s HOST:PORT", a, who, flag)
	}
}

func checkHostPort(add settings.Adder, key, text string) {
	if text == "" {
		return
	}
	host, port, err := net.SplitHostPort(text)
	n, bad := strconv.ParseUint(port, 10, 16)
	if err != nil || bad != nil || host == "" || n == 0 {
		add(key, "%q is not HOST:PORT, such as keeper-1.example:7411", text)
	}
}

func (c *Config) raftTLS() bool {
	return c.RaftTLS.CA != "" || c.RaftTLS.Cert != "" || c.RaftTLS.Key != ""
}

func (c *Config) checkTLS(add settings.Adder, readFile func(string) ([]byte, error)) {
	if c.APITLS != (APITLS{}) {
		if err := checkPair(c.APITLS.Cert, c.APITLS.Key, readFile); err != nil {
			add("api.tls_cert", "%s", err)
		}
	}
	switch {
	case !c.raftTLS():
		if c.RaftTLS.Name != "" {
			add("raft.tls_name", "there are no certificates to hold %q: give --raft-tls-ca, --raft-tls-cert and --raft-tls-key too", c.RaftTLS.Name)
		}
		return
	case c.RaftTLS.CA == "":
		add("raft.tls_ca", "whom to trust is not said: give --raft-tls-ca too")
	default:
		if err := checkCA(c.RaftTLS.CA, readFile); err != nil {
			add("raft.tls_ca", "%s", err)
		}
	}
	if err := checkPair(c.RaftTLS.Cert, c.RaftTLS.Key, readFile); err != nil {
		add("raft.tls_cert", "%s", err)
	}
}

func checkPair(cert, key string, readFile func(string) ([]byte, error)) error {
	if cert == "" || key == "" {
		return errors.New("a certificate and its key belong together: give both files")
	}
	c, err := readFile(cert)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	k, err := readFile(key)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	if _, err := tls.X509KeyPair(c, k); err != nil {
		return fmt.Errorf("%s and %s: %w; give a PEM certificate and its own key", cert, key, err)
	}
	return nil
}

func checkCA(file string, readFile func(string) ([]byte, error)) error {
	pem, err := readFile(file)
	if err != nil {
		return err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate: give a PEM file", file)
	}
	return nil
}

func (c *Config) checkCluster(add settings.Adder) {
	if c.BootstrapExpect < 0 || c.BootstrapExpect > membersMax {
		add("bootstrap_expect", "%d is outside 0 to %d; three or five are usual", c.BootstrapExpect, membersMax)
	}
	if len(c.Join) > membersMax {
		add("join", "%d addresses are more than %d: a few of the cluster's keepers are enough", len(c.Join), membersMax)
	}
	for _, a := range c.Join {
		checkHostPort(add, "join", a)
	}
	self := c.RaftAdvertise
	if self == "" {
		self = c.Raft
	}
	founders := append(slices.Clone(c.Join), self)
	slices.Sort(founders)
	if n := len(slices.Compact(founders)); c.BootstrapExpect > 1 && n != c.BootstrapExpect {
		add("bootstrap_expect", "%d keepers are to found the cluster, but --join with this one's own address (%s) names %d: give all of them the same list of exactly %d, or leave --bootstrap-expect out to join a cluster that exists",
			c.BootstrapExpect, self, n, c.BootstrapExpect)
	}
}

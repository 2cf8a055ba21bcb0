package store

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
)

// TLSFiles name PEM files. They are read again when they change, at the next
// connection; connections that exist stay. While new files do not fit together
// the old ones stay in use.
type TLSFiles struct {
	CA   string // whoever it has signed is a member
	Cert string // of this member, with the usages server and client
	Key  string
	// Name must be in every member's certificate as DNS name, so that other
	// certificates of the same CA do not open this door. Empty: dialled members
	// must be named by their host, and dialling ones need the CA's signature.
	Name string
}

func (f TLSFiles) used() bool { return f.CA != "" || f.Cert != "" || f.Key != "" }

// credentials holds what was last read.
type credentials struct {
	files TLSFiles
	log   *slog.Logger

	mu    sync.Mutex
	stamp string // sizes, times and inodes of the files when they were last tried
	cert  tls.Certificate
	roots *x509.CertPool
}

func newCredentials(f TLSFiles, log *slog.Logger) (*credentials, error) {
	if f.CA == "" || f.Cert == "" || f.Key == "" {
		return nil, errors.New("TLS between members needs CA, certificate and key")
	}
	c := &credentials{files: f, log: log}
	c.stamp = c.look()
	if err := c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

// look describes the files as they are now; three stats per handshake.
func (c *credentials) look() string {
	var s string
	for _, name := range []string{c.files.CA, c.files.Cert, c.files.Key} {
		if i, err := os.Stat(name); err == nil {
			s += fmt.Sprint(i.Size(), i.ModTime().UnixNano(), inode(i), ";")
		}
	}
	return s
}

// inode tells a file from one that was renamed over it.
func inode(i os.FileInfo) uint64 {
	if st, ok := i.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}

func (c *credentials) read() error {
	ca, err := os.ReadFile(c.files.CA)
	if err != nil {
		return fmt.Errorf("CA of members: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return fmt.Errorf("CA of members: %s holds no certificate", c.files.CA)
	}
	cert, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		return fmt.Errorf("certificate of this member: %w", err)
	}
	c.cert, c.roots = cert, roots
	return nil
}

func (c *credentials) current() (tls.Certificate, *x509.CertPool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.look(); now != c.stamp {
		c.stamp = now
		if err := c.read(); err != nil {
			c.log.Error("new TLS files refused, the old ones stay in use", "err", err)
		} else {
			c.log.Info("TLS files read again")
		}
	}
	return c.cert, c.roots
}

// server is for those who dial us. Tickets are off: a resumed session would
// outlive a change of the CA.
func (c *credentials) server() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		cert, roots := c.current()
		return &tls.Config{
			MinVersion:             tls.VersionTLS13,
			Certificates:           []tls.Certificate{cert},
			ClientCAs:              roots,
			ClientAuth:             tls.RequireAndVerifyClientCert,
			SessionTicketsDisabled: true,
			VerifyConnection:       c.named,
		}, nil
	}}
}

func (c *credentials) named(s tls.ConnectionState) error {
	if c.files.Name == "" {
		return nil
	}
	return s.PeerCertificates[0].VerifyHostname(c.files.Name)
}

// client is for one dial to the address.
func (c *credentials) client(address string) *tls.Config {
	cert, roots := c.current()
	name := c.files.Name
	if name == "" {
		name, _, _ = net.SplitHostPort(address)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		RootCAs:      roots,
		ServerName:   name,
	}
}

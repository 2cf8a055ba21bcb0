package store

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"pushfleet/internal/tlsfile"
)

// TLSFiles name PEM files, which are read again when they change.
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

// credentials are both sides of mutual TLS.
type credentials struct {
	files *tlsfile.Source
	name  string
}

func newCredentials(f TLSFiles, log *slog.Logger) (*credentials, error) {
	if f.CA == "" || f.Cert == "" || f.Key == "" {
		return nil, errors.New("TLS between members needs CA, certificate and key")
	}
	s, err := tlsfile.Open(tlsfile.Files{CA: f.CA, Cert: f.Cert, Key: f.Key}, log)
	if err != nil {
		return nil, fmt.Errorf("TLS between members: %w", err)
	}
	return &credentials{s, f.Name}, nil
}

// server is for those who dial us.
func (c *credentials) server() *tls.Config { return c.files.Server(c.named) }

func (c *credentials) named(s tls.ConnectionState) error {
	if c.name == "" {
		return nil
	}
	return s.PeerCertificates[0].VerifyHostname(c.name)
}

// client is for one dial to the address.
func (c *credentials) client(address string) *tls.Config {
	cert, roots := c.files.Current()
	name := c.name
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

// Package tlsfile makes TLS configurations from PEM files. Those of servers are
// read again when they change, at the next handshake; connections that exist
// stay. While new files do not fit together the old ones stay in use.
package tlsfile

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
)

// Files name PEM files; an empty CA means that nobody's certificate is asked
// for.
type Files struct{ CA, Cert, Key string }

// Source holds what was last read.
type Source struct {
	files Files
	log   *slog.Logger

	mu    sync.Mutex
	stamp string // sizes, times and inodes of the files when they were last tried
	cert  tls.Certificate
	roots *x509.CertPool
}

// Open reads the files for the first time; then they must be good.
func Open(f Files, log *slog.Logger) (*Source, error) {
	if f.Cert == "" || f.Key == "" {
		return nil, errors.New("TLS needs a certificate and its key: give both files")
	}
	s := &Source{files: f, log: log}
	s.stamp = s.look()
	if err := s.read(); err != nil {
		return nil, err
	}
	return s, nil
}

// look describes the files as they are now; at most three stats per handshake.
func (s *Source) look() string {
	var all string
	for _, name := range []string{s.files.CA, s.files.Cert, s.files.Key} {
		if i, err := os.Stat(name); name != "" && err == nil {
			all += fmt.Sprint(i.Size(), i.ModTime().UnixNano(), inode(i), ";")
		}
	}
	return all
}

// inode tells a file from one that was renamed over it.
func inode(i os.FileInfo) uint64 {
	if st, ok := i.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}

func (s *Source) read() error {
	var roots *x509.CertPool
	if s.files.CA != "" {
		var err error
		if roots, err = pool(s.files.CA); err != nil {
			return err
		}
	}
	cert, err := tls.LoadX509KeyPair(s.files.Cert, s.files.Key)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	s.cert, s.roots = cert, roots
	return nil
}

func pool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("CA: %s holds no certificate: give a PEM file", file)
	}
	return roots, nil
}

// Current returns the certificate and the CA, nil without a file of it.
func (s *Source) Current() (tls.Certificate, *x509.CertPool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.look(); now != s.stamp {
		s.stamp = now
		if err := s.read(); err != nil {
			s.log.Error("new TLS files refused, the old ones stay in use", "err", err)
		} else {
			s.log.Info("TLS files read again", "cert", s.files.Cert)
		}
	}
	return s.cert, s.roots
}

// Server is for those who dial us. With a CA they must have a certificate that
// it signed, and verify, which may be nil, looks at it. Tickets are off: a
// resumed session would outlive a change of the CA.
func (s *Source) Server(verify func(tls.ConnectionState) error) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		cert, roots := s.Current()
		c := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, SessionTicketsDisabled: true}
		if s.files.CA != "" {
			c.ClientCAs, c.ClientAuth, c.VerifyConnection = roots, tls.RequireAndVerifyClientCert, verify
		}
		return c, nil
	}}
}

// Server returns the configuration of a server that asks nobody for a
// certificate.
func Server(cert, key string, log *slog.Logger) (*tls.Config, error) {
	s, err := Open(Files{Cert: cert, Key: key}, log)
	if err != nil {
		return nil, err
	}
	return s.Server(nil), nil
}

// Client returns the configuration of a client that trusts the CA of the file
// only; "" = those of the system. The file is read once.
func Client(caFile string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS13}
	if caFile == "" {
		return c, nil
	}
	var err error
	c.RootCAs, err = pool(caFile)
	return c, err
}

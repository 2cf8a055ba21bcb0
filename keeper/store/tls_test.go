package store

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const tlsName = "keeper.test"

// authority is a CA of a test.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
	next int64
}

func newAuthority(t testing.TB) *authority {
	a := &authority{t: t, next: 2}
	a.key = newKey(t)
	self := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, self, self, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// issue writes a certificate for the name into the directory, and trusts the
// given authorities, or only this one.
func (a *authority) issue(dir, name string, trust ...*authority) TLSFiles {
	a.t.Helper()
	k := newKey(a.t)
	a.next++
	c := &x509.Certificate{
		SerialNumber: big.NewInt(a.next), DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, k.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	if len(trust) == 0 {
		trust = []*authority{a}
	}
	var roots []byte
	for _, o := range trust {
		roots = append(roots, o.pem...)
	}
	f := TLSFiles{CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), Name: tlsName}
	for path, content := range map[string][]byte{
		f.CA:   roots,
		f.Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		f.Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	} {
		if err := writeFile(path, content); err != nil {
			a.t.Fatal(err)
		}
	}
	return f
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	dirs := map[string]string{}
	c := newCluster3(t, nil, func(cfg *Config) {
		if dirs[cfg.ID] == "" {
			dirs[cfg.ID] = t.TempDir()
		}
		cfg.TLS = ca.issue(dirs[cfg.ID], tlsName)
	})
	c.write("a")

	// Everybody trusts a second CA, then has a certificate of it, then trusts
	// only that one; nobody is started again.
	other := newAuthority(t)
	for _, id := range []string{"k1", "k2", "k3"} {
		ca.issue(dirs[id], tlsName, ca, other)
	}
	for _, id := range []string{"k1", "k2", "k3"} {
		other.issue(dirs[id], tlsName, ca, other)
	}
	for _, id := range []string{"k1", "k2", "k3"} {
		other.issue(dirs[id], tlsName)
	}
	for _, m := range c.members { // new connections everywhere
		m.link.mu.Lock()
		for t := range m.link.conns {
			t.raw.Close()
		}
		m.link.mu.Unlock()
	}
	c.write("b")
	c.agree("a", "b")

	leader := c.leader()
	f := func(files TLSFiles, ok bool) {
		t.Helper()
		creds, err := newCredentials(files, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		l := &link{network: tcp{}, creds: creds, ident: leader.ident, conns: map[*linkConn]struct{}{}}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if _, err := l.call(ctx, leader.Addr(), call{Kind: callStatus}); (err == nil) != ok {
			t.Errorf("a call with this certificate: %v", err)
		}
	}
	f(other.issue(t.TempDir(), tlsName), true)
	f(other.issue(t.TempDir(), "node.test"), false)       // same CA, another name
	f(ca.issue(t.TempDir(), tlsName, other, ca), false)   // the CA of before
	f(newAuthority(t).issue(t.TempDir(), tlsName), false) // neither trusts the other
	plain := &link{network: tcp{}, ident: leader.ident, conns: map[*linkConn]struct{}{}}
	if _, err := plain.call(t.Context(), leader.Addr(), call{Kind: callStatus}); err == nil {
		t.Error("a call without TLS was answered")
	}
}

// TestBrokenFiles: files that do not fit leave the old ones in use.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	files := newAuthority(t).issue(t.TempDir(), tlsName)
	var log strings.Builder
	c, err := newCredentials(files, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	before, _ := c.current()
	if err := os.WriteFile(files.Cert, []byte("half a cert"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if after, _ := c.current(); after.PrivateKey != before.PrivateKey {
			t.Fatal("the old certificate is gone")
		}
	}
	if n := strings.Count(log.String(), "refused"); n != 1 {
		t.Errorf("said %d times, want once", n)
	}
	if _, err := newCredentials(files, c.log); err == nil {
		t.Error("started with half a certificate")
	}
	if _, err := newCredentials(TLSFiles{CA: files.CA}, c.log); err == nil {
		t.Error("started without a certificate")
	}
}

func TestPlainIsForLoopback(t *testing.T) {
	t.Parallel()
	f := func(listen string, ok bool) {
		t.Helper()
		s, err := Open(Config{ID: "k", Dir: t.TempDir(), Listen: listen, Machine: &tape{}, LogKind: Memory})
		if (err == nil) != ok {
			t.Errorf("%s: %v", listen, err)
		}
		if err == nil {
			s.Close()
		}
	}
	f("127.0.0.1:0", true)
	f("0.0.0.0:0", false)
	f(":0", false)
	f("nonsense", false)
}

// TestStrangers knock with what is no hello.
func TestStrangers(t *testing.T) {
	t.Parallel()
	c := foundCluster(t, 1, nil)
	addr := c.leader().Addr()
	f := func(send string) {
		t.Helper()
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		conn.Write([]byte(send))
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || os.IsTimeout(err) {
			t.Errorf("%q was answered with %d bytes, %v", send, n, err)
		}
	}
	f("GET / HTTP/1.1\r\n\r\n")
	f("pfk1x\x00")
	f("pfk1r\x00")      // raft of no cluster
	f("pfk1r\x05other") // raft of another cluster
	c.write("still here")
}

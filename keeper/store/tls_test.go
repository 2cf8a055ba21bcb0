package store

import (
	"context"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"pushfleet/internal/tlsfile/tlstest"
)

const tlsName = "keeper.test"

// issue has the authority write a member's files.
func issue(a *tlstest.Authority, dir, name string, trust ...*tlstest.Authority) TLSFiles {
	f := a.Issue(dir, name, trust...)
	return TLSFiles{CA: f.CA, Cert: f.Cert, Key: f.Key, Name: tlsName}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ca := tlstest.New(t)
	dirs := map[string]string{}
	c := newCluster3(t, nil, func(cfg *Config) {
		if dirs[cfg.ID] == "" {
			dirs[cfg.ID] = t.TempDir()
		}
		cfg.TLS = issue(ca, dirs[cfg.ID], tlsName)
	})
	c.write("a")

	// Everybody trusts a second CA, then has a certificate of it, then trusts
	// only that one; nobody is started again.
	other := tlstest.New(t)
	for _, id := range []string{"k1", "k2", "k3"} {
		issue(ca, dirs[id], tlsName, ca, other)
	}
	for _, id := range []string{"k1", "k2", "k3"} {
		issue(other, dirs[id], tlsName, ca, other)
	}
	for _, id := range []string{"k1", "k2", "k3"} {
		issue(other, dirs[id], tlsName)
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
	f(issue(other, t.TempDir(), tlsName), true)
	f(issue(other, t.TempDir(), "node.test"), false)      // same CA, another name
	f(issue(ca, t.TempDir(), tlsName, other, ca), false)  // the CA of before
	f(issue(tlstest.New(t), t.TempDir(), tlsName), false) // neither trusts the other
	plain := &link{network: tcp{}, ident: leader.ident, conns: map[*linkConn]struct{}{}}
	if _, err := plain.call(t.Context(), leader.Addr(), call{Kind: callStatus}); err == nil {
		t.Error("a call without TLS was answered")
	}
}

// TestTLSNeedsAllFiles: half of it would be no TLS at all.
func TestTLSNeedsAllFiles(t *testing.T) {
	t.Parallel()
	files := issue(tlstest.New(t), t.TempDir(), tlsName)
	f := func(files TLSFiles, ok bool) {
		t.Helper()
		if _, err := newCredentials(files, slog.New(slog.DiscardHandler)); (err == nil) != ok {
			t.Errorf("%+v: %v", files, err)
		}
	}
	f(files, true)
	f(TLSFiles{CA: files.CA}, false)
	f(TLSFiles{Cert: files.Cert, Key: files.Key}, false)
	f(TLSFiles{CA: files.CA, Cert: files.Key, Key: files.Key}, false)
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

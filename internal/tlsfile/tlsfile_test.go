package tlsfile_test

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pushfleet/internal/tlsfile"
	"pushfleet/internal/tlsfile/tlstest"
)

// echo serves connections of one listener until the test ends.
func echo(t *testing.T, c *tls.Config) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				s := tls.Server(conn, c)
				io.Copy(s, s)
			}()
		}
	}()
	return l.Addr()
}

// greets tells whether a client with this configuration is served.
func greets(a net.Addr, c *tls.Config) error {
	conn, err := tls.Dial("tcp", a.String(), c)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("x")); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

// TestServerIsReloaded: a new certificate of another CA is used at once.
func TestServerIsReloaded(t *testing.T) {
	dir, ca, other := t.TempDir(), tlstest.New(t), tlstest.New(t)
	files := ca.Issue(dir, "keeper.test")
	server, err := tlsfile.Server(files.Cert, files.Key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	addr := echo(t, server)
	f := func(signer *tlstest.Authority, ok bool) {
		t.Helper()
		client, err := tlsfile.Client(signer.Issue(t.TempDir(), "client.test").CA)
		if err != nil {
			t.Fatal(err)
		}
		if err := greets(addr, client); (err == nil) != ok {
			t.Errorf("greeted: %v, want %t", err, ok)
		}
	}
	f(ca, true)
	f(other, false)
	other.Issue(dir, "keeper.test")
	f(other, true)
	f(ca, false)
}

// TestMutual: with a CA nobody comes in without a certificate of it.
func TestMutual(t *testing.T) {
	ca, other := tlstest.New(t), tlstest.New(t)
	source, err := tlsfile.Open(ca.Issue(t.TempDir(), "keeper.test"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	addr := echo(t, source.Server(nil))
	client, err := tlsfile.Client(ca.Issue(t.TempDir(), "client.test").CA)
	if err != nil {
		t.Fatal(err)
	}
	f := func(signer *tlstest.Authority, ok bool) {
		t.Helper()
		c := client.Clone()
		if signer != nil {
			files := signer.Issue(t.TempDir(), "client.test")
			cert, err := tls.LoadX509KeyPair(files.Cert, files.Key)
			if err != nil {
				t.Fatal(err)
			}
			c.Certificates = []tls.Certificate{cert}
		}
		if err := greets(addr, c); (err == nil) != ok {
			t.Errorf("greeted: %v, want %t", err, ok)
		}
	}
	f(ca, true)
	f(other, false)
	f(nil, false)
}

// TestBrokenFiles: files that do not fit leave the old ones in use, which is
// said once.
func TestBrokenFiles(t *testing.T) {
	files := tlstest.New(t).Issue(t.TempDir(), "keeper.test")
	var log strings.Builder
	s, err := tlsfile.Open(files, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	before, _ := s.Current()
	f := func(path, content string) {
		t.Helper()
		log.Reset()
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if after, roots := s.Current(); after.PrivateKey != before.PrivateKey || roots == nil {
				t.Fatal("the old certificate is gone")
			}
		}
		if n := strings.Count(log.String(), "refused"); n != 1 {
			t.Errorf("said %d times, want once:\n%s", n, log.String())
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
		if s.Current(); !strings.Contains(log.String(), "read again") {
			t.Errorf("the good file was not read:\n%s", log.String())
		}
		before, _ = s.Current()
	}
	f(files.Cert, "half a cert")
	f(files.Key, "")
	f(files.CA, "no certificate")
}

func TestRefusals(t *testing.T) {
	files := tlstest.New(t).Issue(t.TempDir(), "keeper.test")
	other := tlstest.New(t).Issue(t.TempDir(), "keeper.test")
	f := func(files tlsfile.Files, part string) {
		t.Helper()
		if _, err := tlsfile.Open(files, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
	f(tlsfile.Files{CA: files.CA}, "give both files")
	f(tlsfile.Files{Cert: files.Cert, Key: other.Key}, "private key does not match")
	f(tlsfile.Files{CA: files.Key, Cert: files.Cert, Key: files.Key}, "holds no certificate")
	f(tlsfile.Files{CA: filepath.Join(t.TempDir(), "absent"), Cert: files.Cert, Key: files.Key}, "no such file")
	if _, err := tlsfile.Client(files.Key); err == nil {
		t.Error("a client trusts a key")
	}
	if c, err := tlsfile.Client(""); err != nil || c.RootCAs != nil {
		t.Errorf("without a file: %v, %v; want the system's CAs", c, err)
	}
}

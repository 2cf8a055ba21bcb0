package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
)

// haproxy is HAProxy with haproxy.cfg in front of a node.
type haproxy struct {
	node      *process
	ca        string // file with its certificate
	tcp, http string // addresses of its TLS frontends, in mode tcp and http
}

// startHAProxy runs the configuration that README shows, with nothing changed
// but addresses and the place of the certificate.
func startHAProxy(t *testing.T) *haproxy {
	t.Helper()
	program := tool(t, "haproxy")
	h := &haproxy{node: startPushd(t, "--listen-proxy", "127.0.0.1:0", "--proxy-trusted", "127.0.0.1")}
	dir := shortDir(t)
	var pair string
	h.ca, pair = certificate(t, dir)
	var tcp, http *os.File
	h.tcp, tcp = listener(t)
	h.http, http = listener(t)
	start := func(args ...string) *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.ExtraFiles = []*os.File{tcp, http} // 3 and 4
		return cmd
	}
	text, err := os.ReadFile("haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	cfg := string(text)
	for _, r := range [][2]string{{"bind :443 ", "bind fd@3 "}, {"bind :8443 ", "bind fd@4 "},
		{"/etc/haproxy/push.pem", pair}, {"server node1 127.0.0.1:7402 ", "server node1 " + h.node.client[1] + " "}} {
		if !strings.Contains(cfg, r[0]) {
			t.Fatalf("haproxy.cfg has no %q", r[0])
		}
		cfg = strings.ReplaceAll(cfg, r[0], r[1])
	}
	file := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(cfg), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := start("-c", "-f", file).CombinedOutput(); err != nil || strings.Contains(string(out), "WARNING") {
		t.Fatalf("haproxy -c: %v\n%s", err, out)
	}
	cmd := start("-db", "-f", file)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	tcp.Close() // or clients would wait for ever for one that has ended
	http.Close()
	return h
}

// listener is an address with the socket that listens there: whoever comes
// before HAProxy is up waits in it, and nobody else can have the port.
func listener(t *testing.T) (addr string, f *os.File) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // f is a copy
	if f, err = l.(*net.TCPListener).File(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return l.Addr().String(), f
}

// certificate makes a self-signed one for 127.0.0.1: a file with it, and a file
// with it and its key.
func certificate(t *testing.T, dir string) (ca, pair string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "push.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	both := append(append([]byte(nil), cert...), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})...)
	ca, pair = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "push.pem")
	for name, data := range map[string][]byte{ca: cert, pair: both} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return ca, pair
}

// TestHAProxyWebSocket connects wss:// clients from an address of their own
// through both frontends. The node must name that address, not the proxy's.
func TestHAProxyWebSocket(t *testing.T) {
	h := startHAProxy(t)
	d := npmClients(t, "CA="+h.ca)
	f := func(client, addr, source string) {
		t.Helper()
		d.do(map[string]any{"do": "ws", "client": client, "url": "wss://" + addr + "/connect?user=" + client,
			"protocols": []string{"push.v1"}, "localAddress": source})
		d.next(client, "open")
		d.next(client, "control")
		pushNumbers(t, h.node.API, client, 1, 20, false)
		for want := 1; want <= 20; want++ {
			if got := d.number(client); got != want {
				t.Fatalf("%s got %d, want %d", client, got, want)
			}
		}
		wantPeer(t, h.node, client, source)
		kick(t, h.node.API, client)
		if e := d.next(client, "close"); e.Code != 4001 {
			t.Errorf("%s ends with %v, want 4001", client, e)
		}
	}
	f("tcp", h.tcp, "127.0.0.21")
	f("http", h.http, "127.0.0.22")
}

// wantPeer checks whom the node believes a user to be at, while it is
// connected.
func wantPeer(t *testing.T, n *process, user, ip string) {
	t.Helper()
	c, err := n.API.Conn(context.Background(), session(t, n.API, user).Conn)
	if err != nil {
		t.Fatal(err)
	}
	if host, _, _ := net.SplitHostPort(c.Peer); host != ip {
		t.Errorf("%s comes from %s, the node says %s", user, ip, c.Peer)
	}
}

// TestHAProxyIsNotBuffering reads each message before the next is sent, over
// HTTP/1.1 and HTTP/2.
func TestHAProxyIsNotBuffering(t *testing.T) {
	h := startHAProxy(t)
	f := func(user, addr, version, source string, header ...string) {
		t.Helper()
		args := []string{"--cacert", h.ca, version, "--interface", source}
		lines := curl(t, append(append(args, header...), "https://"+addr+"/connect?user="+user)...)
		mark, kind := `{"seq":`, `{"type":"hello"`
		if header != nil {
			mark, kind = `data: {"seq":`, "event: hello"
		}
		line(t, lines, kind)
		for want := 1; want <= 20; want++ {
			pushNumbers(t, h.node.API, user, want, want, false)
			if got := frameNumber(t, []byte(`{"seq":`+line(t, lines, mark))); got != want {
				t.Fatalf("%s got %d, want %d", user, got, want)
			}
		}
		wantPeer(t, h.node, user, source)
	}
	sse := []string{"-H", "Accept: text/event-stream"}
	f("sse-tcp", h.tcp, "--http1.1", "127.0.0.31", sse...)
	f("sse-http1", h.http, "--http1.1", "127.0.0.32", sse...)
	f("sse-http2", h.http, "--http2", "127.0.0.33", sse...)
	f("stream-http1", h.http, "--http1.1", "127.0.0.34")
	f("stream-http2", h.http, "--http2", "127.0.0.35")

	code := curl(t, "--cacert", h.ca, "-o", "/dev/null", "-w", "%{http_code}\\n", "https://"+h.http+"/v1/stats")
	if got := line(t, code, ""); got != "403" {
		t.Errorf("another path than /connect: %s, want 403", got)
	}
}

// TestProxyHeaderIsDemanded: who connects to the proxy's listener directly is
// turned away, and a header from an address that is not trusted too.
func TestProxyHeaderIsDemanded(t *testing.T) {
	n := startPushd(t, "--listen-proxy", "127.0.0.1:0", "--proxy-trusted", "127.0.0.77")
	f := func(source, first string) {
		t.Helper()
		before := closedBy(t, n.API, "proxy")
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}, Timeout: patience}
		c, err := d.Dial("tcp", n.client[1])
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "%sGET /connect?user=a HTTP/1.1\r\nHost: x\r\n\r\n", first)
		eventually(t, "closed with reason proxy", func() bool { return closedBy(t, n.API, "proxy") > before })
	}
	f("127.0.0.77", "")
	f("127.0.0.77", "PROXY TCP4 nonsense\r\n")
	f("127.0.0.78", "PROXY TCP4 10.0.0.1 127.0.0.1 1 2\r\n")
}

// closedBy is how many connections the node has closed for a reason.
func closedBy(t testing.TB, api *pushdapi.Client, reason string) uint64 {
	t.Helper()
	return statsOf(t, api).ClosedBy[reason]
}

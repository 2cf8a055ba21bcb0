package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// keys are the private sides of what a node verifies with.
type keys struct {
	hs256 []byte
	ed    ed25519.PrivateKey
	rsa   *rsa.PrivateKey
	flags []string // that name the public sides
}

func makeKeys(t *testing.T) *keys {
	t.Helper()
	k := &keys{hs256: []byte(rand.Text() + rand.Text())}
	var err error
	var public ed25519.PublicKey
	if public, k.ed, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if k.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(flag, name string, data []byte) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		k.flags = append(k.flags, flag, path)
	}
	public2PEM := func(key any) []byte {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	write("--auth-jwt-hs256-secret-file", "secret", k.hs256)
	write("--auth-jwt-ed25519-public-key-file", "ed.pem", public2PEM(public))
	write("--auth-jwt-rs256-public-key-file", "rs.pem", public2PEM(&k.rsa.PublicKey))
	return k
}

// sign makes a token of user u that lives for a time.
func sign(t *testing.T, m jwt.SigningMethod, key any, user string, life time.Duration) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": user, "exp": time.Now().Add(life).Unix()}
	if user == "" {
		delete(claims, "sub")
	}
	s, err := jwt.NewWithClaims(m, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAuthTokens lets in who has a token of a key that the node knows, by each
// way to present it, and nobody else.
func TestAuthTokens(t *testing.T) {
	k := makeKeys(t)
	n := startPushd(t, append(k.flags, "--auth", "jwt")...)
	base := "http://" + n.client[0] + "/connect"
	good := map[string]string{
		"hs": sign(t, jwt.SigningMethodHS256, k.hs256, "hs", time.Hour),
		"ed": sign(t, jwt.SigningMethodEdDSA, k.ed, "ed", time.Hour),
		"rs": sign(t, jwt.SigningMethodRS256, k.rsa, "rs", time.Hour),
	}
	for user, token := range good {
		lines := curl(t, "-H", "Authorization: Bearer "+token, base)
		line(t, lines, `{"type":"hello"`)
		pushNumbers(t, n.API, user, 1, 3, false)
		for want := 1; want <= 3; want++ {
			if got := frameNumber(t, []byte(`{"seq":`+line(t, lines, `{"seq":`))); got != want {
				t.Errorf("%s got %d, want %d", user, got, want)
			}
		}
		line(t, curl(t, "-H", "Accept: text/event-stream", base+"?token="+token), "event: hello")
	}
	other := makeKeys(t)
	f := func(what, code, token, query string) {
		t.Helper()
		if got, body := refused(t, base+query, token); got != code {
			t.Errorf("%s: code %q, want %q: %s", what, got, code, body)
		}
	}
	f("no token", "malformed", "", "")
	f("a name in place of a token", "malformed", "", "?user=a")
	f("nonsense", "malformed", "nonsense", "")
	f("expired", "expired", sign(t, jwt.SigningMethodHS256, k.hs256, "a", -time.Hour), "")
	f("expired, EdDSA", "expired", sign(t, jwt.SigningMethodEdDSA, k.ed, "a", -time.Hour), "")
	f("another secret", "signature", sign(t, jwt.SigningMethodHS256, other.hs256, "a", time.Hour), "")
	f("another Ed25519 key", "signature", sign(t, jwt.SigningMethodEdDSA, other.ed, "a", time.Hour), "")
	f("another RSA key", "signature", sign(t, jwt.SigningMethodRS256, other.rsa, "a", time.Hour), "")
	f("alg none", "algorithm", sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "a", time.Hour), "")
	f("HS512", "algorithm", sign(t, jwt.SigningMethodHS512, k.hs256, "a", time.Hour), "")
	f("nobody", "claims", sign(t, jwt.SigningMethodHS256, k.hs256, "", time.Hour), "")
	token := good["hs"]
	f("one bit changed", "signature", token[:len(token)-8]+flip(token[len(token)-8:]), "")
	eventually(t, "10 are closed with reason auth, 2 with expired", func() bool {
		return closedBy(t, n.API, "auth") == 10 && closedBy(t, n.API, "expired") == 2
	})
}

// flip changes the first letter of a signature's end.
func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// refused connects with a token and returns the code of the 401.
func refused(t *testing.T, url, token string) (code, body string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		return resp.Status, ""
	}
	var e struct{ Code, Error string }
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil || e.Error == "" {
		t.Errorf("%s: the body is not an error: %+v, %v", url, e, err)
	}
	return e.Code, e.Error
}

// TestAuthWebSocketSubprotocol: a browser cannot set a header on a WebSocket,
// so the token comes as a subprotocol, which must not be selected.
func TestAuthWebSocketSubprotocol(t *testing.T) {
	k := makeKeys(t)
	d := npmClients(t)
	n := startPushd(t, append(k.flags, "--auth", "jwt")...)
	url := "ws://" + n.client[0] + "/connect"
	open := func(client, token string) {
		d.do(map[string]any{"do": "ws", "client": client, "url": url, "protocols": []string{"push.v1", "push.token." + token}})
	}
	open("a", sign(t, jwt.SigningMethodEdDSA, k.ed, "a", time.Hour))
	if e := d.next("a", "open"); e.Protocol != "push.v1" {
		t.Errorf("subprotocol %q", e.Protocol)
	}
	pushNumbers(t, n.API, "a", 1, 1, false)
	if d.number("a") != 1 {
		t.Error("the wrong message")
	}
	open("b", sign(t, jwt.SigningMethodEdDSA, k.ed, "b", -time.Hour))
	if e := d.next("b", "error"); e.Code != 401 {
		t.Errorf("an expired token: %v, want 401", e)
	}
}

// TestAuthExpiryEndsConnection: a connection does not outlive its token.
func TestAuthExpiryEndsConnection(t *testing.T) {
	k := makeKeys(t)
	d := npmClients(t)
	n := startPushd(t, append(k.flags, "--auth", "jwt", "--auth-jwt-leeway", "0s", "--knob", "heartbeat.ws.interval=1s")...)
	open := func(client string, life time.Duration) event {
		token := sign(t, jwt.SigningMethodHS256, k.hs256, "a", life)
		d.do(map[string]any{"do": "ws", "client": client, "url": "ws://" + n.client[0] + "/connect?token=" + token, "protocols": []string{"push.v1"}})
		return d.next(client)
	}
	for life := 3 * time.Second; ; life *= 4 {
		client := life.String()
		switch e := open(client, life); {
		case e.Event == "open":
			if e := d.next(client, "close"); e.Code != 4201 || e.Text != "expired" {
				t.Errorf("%v, want 4201 expired", e)
			}
			return
		case e.Code != 401 || life > patience: // too late already: a busy machine
			t.Fatalf("a token for %s: %v", life, e)
		}
	}
}

// TestAuthNoneStaysOnLoopback: an open gateway for everybody is refused in a
// sentence that says what to do.
func TestAuthNoneStaysOnLoopback(t *testing.T) {
	f := func(flag, addr string) {
		t.Helper()
		p := launch(t, flag, addr, "--auth", "none")
		if code := p.exit(); code == 0 {
			t.Errorf("%s %s: exit code 0", flag, addr)
		}
		for _, want := range []string{addr, "can be reached from other machines"} {
			if !strings.Contains(p.text(), want) {
				t.Errorf("%s %s says %q, want %q", flag, addr, p.text(), want)
			}
		}
		if strings.Contains(p.text(), "serving") {
			t.Errorf("%s %s: it served", flag, addr)
		}
	}
	f("--listen", "0.0.0.0:7400")
	f("--listen", "[::]:7400")
	f("--private", "0.0.0.0:7401")
}

package auth

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// bench holds one key of each kind and a clock that stands still.
type bench struct {
	secret []byte
	edKey  ed25519.PrivateKey
	rsaKey *rsa.PrivateKey
	edPEM  []byte
	rsaPEM []byte
	now    time.Time
}

func newBench(t testing.TB) *bench {
	t.Helper()
	edPub, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &bench{secret: []byte(strings.Repeat("s", 32)), edKey: edKey, rsaKey: rsaKey,
		edPEM: publicPEM(t, edPub), rsaPEM: publicPEM(t, rsaKey.Public()),
		now: time.Date(2026, 11, 21, 14, 3, 7, 0, time.UTC)}
}

func publicPEM(t testing.TB, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func (b *bench) options() JWTOptions {
	return JWTOptions{HS256Secret: append(b.secret, '\n'), Ed25519PEM: b.edPEM, RS256PEM: b.rsaPEM,
		Now: func() time.Time { return b.now }}
}

func (b *bench) verifier(t testing.TB, o JWTOptions) Verifier {
	t.Helper()
	v, err := NewJWT(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (b *bench) sign(t testing.TB, m jwt.SigningMethod, key any, c jwt.MapClaims) string {
	t.Helper()
	s, err := jwt.NewWithClaims(m, c).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// good are claims that a default verifier takes, changed by edits.
func (b *bench) good(edits jwt.MapClaims) jwt.MapClaims {
	c := jwt.MapClaims{"sub": "u-1", "exp": b.now.Add(time.Hour).Unix()}
	for k, v := range edits {
		if v == nil {
			delete(c, k)
		} else {
			c[k] = v
		}
	}
	return c
}

func TestVerifyTakesEachAlgorithm(t *testing.T) {
	b := newBench(t)
	v := b.verifier(t, b.options())
	f := func(m jwt.SigningMethod, key any) {
		t.Helper()
		id, err := v.Verify(b.sign(t, m, key, b.good(jwt.MapClaims{"groups": []string{"g"}, "logins": []string{"u-2"}})))
		want := Identity{Users: []string{"u-1"}, Groups: []string{"g"}, Logins: []string{"u-2"}, Expires: b.now.Add(time.Hour)}
		id.Expires = id.Expires.UTC()
		if err != nil || !reflect.DeepEqual(id, want) {
			t.Errorf("%s: %+v, %v; want %+v", m.Alg(), id, err, want)
		}
	}
	f(jwt.SigningMethodHS256, b.secret)
	f(jwt.SigningMethodEdDSA, b.edKey)
	f(jwt.SigningMethodRS256, b.rsaKey)
}

func TestVerifyRefuses(t *testing.T) {
	b := newBench(t)
	o := b.options()
	o.Audience, o.Issuer, o.Leeway = "push", "shop", 10*time.Second
	v := b.verifier(t, o)
	f := func(edits jwt.MapClaims, want Code) {
		t.Helper()
		c := b.good(jwt.MapClaims{"aud": "push", "iss": "shop"})
		for k, val := range edits {
			c[k] = val
			if val == nil {
				delete(c, k)
			}
		}
		code := codeOf(v.Verify(b.sign(t, jwt.SigningMethodHS256, b.secret, c)))
		if code != want {
			t.Errorf("claims %v: code %q, want %q", c, code, want)
		}
	}
	at := func(d time.Duration) int64 { return b.now.Add(d).Unix() }
	f(nil, "")
	f(jwt.MapClaims{"exp": at(-9 * time.Second)}, "") // within the leeway
	f(jwt.MapClaims{"exp": at(-11 * time.Second)}, CodeExpired)
	f(jwt.MapClaims{"exp": nil}, CodeClaims)
	f(jwt.MapClaims{"exp": "tomorrow"}, CodeMalformed)
	f(jwt.MapClaims{"nbf": at(9 * time.Second)}, "")
	f(jwt.MapClaims{"nbf": at(time.Minute)}, CodeClaims)
	f(jwt.MapClaims{"aud": []string{"other", "push"}}, "")
	f(jwt.MapClaims{"aud": "other"}, CodeClaims)
	f(jwt.MapClaims{"aud": nil}, CodeClaims)
	f(jwt.MapClaims{"iss": "other"}, CodeClaims)
	f(jwt.MapClaims{"iss": nil}, CodeClaims)
	f(jwt.MapClaims{"sub": nil}, CodeClaims)
	f(jwt.MapClaims{"sub": 7}, CodeMalformed)
	f(jwt.MapClaims{"sub": strings.Repeat("x", 255)}, "")
	f(jwt.MapClaims{"sub": strings.Repeat("x", 256)}, CodeClaims)
	f(jwt.MapClaims{"sub": "a\nb"}, CodeClaims)
	f(jwt.MapClaims{"groups": []string{""}}, CodeClaims)
	f(jwt.MapClaims{"groups": []string{strings.Repeat("x", 256)}}, CodeClaims)
	f(jwt.MapClaims{"groups": make([]string, GroupsMax+1)}, CodeClaims)
	f(jwt.MapClaims{"groups": "g"}, CodeMalformed)
	f(jwt.MapClaims{"logins": []string{strings.Repeat("x", 256)}}, CodeClaims)
}

func TestVerifyRefusesForgeries(t *testing.T) {
	b := newBench(t)
	o := b.options()
	o.HS256Secret = nil // only public keys: the classic confusion
	public := b.verifier(t, o)
	all := b.verifier(t, b.options())
	other := newBench(t)
	f := func(v Verifier, token string, want Code) {
		t.Helper()
		if code := codeOf(v.Verify(token)); code != want {
			t.Errorf("token %.60s…: code %q, want %q", token, code, want)
		}
	}
	c := b.good(nil)
	f(public, b.sign(t, jwt.SigningMethodHS256, b.rsaPEM, c), CodeAlgorithm)
	f(all, b.sign(t, jwt.SigningMethodHS256, b.rsaPEM, c), CodeSignature)
	f(all, b.sign(t, jwt.SigningMethodHS256, []byte(b.edKey.Public().(ed25519.PublicKey)), c), CodeSignature)
	f(all, b.sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, c), CodeAlgorithm)
	f(all, b.sign(t, jwt.SigningMethodHS512, b.secret, c), CodeAlgorithm)
	f(all, b.sign(t, jwt.SigningMethodPS256, b.rsaKey, c), CodeAlgorithm)
	f(all, b.sign(t, jwt.SigningMethodRS256, other.rsaKey, c), CodeSignature)
	f(all, b.sign(t, jwt.SigningMethodEdDSA, other.edKey, c), CodeSignature)

	good := b.sign(t, jwt.SigningMethodHS256, b.secret, c)
	head, rest, _ := strings.Cut(good, ".")
	body, sig, _ := strings.Cut(rest, ".")
	admin := strings.Split(b.sign(t, jwt.SigningMethodHS256, other.secret[:31], b.good(jwt.MapClaims{"sub": "admin"})), ".")[1]
	f(all, head+"."+admin+"."+sig, CodeSignature)
	f(all, head+"."+body+".", CodeSignature)
	f(all, head+"."+body, CodeMalformed)
	f(all, "", CodeMalformed)
	f(all, "a.b.c", CodeMalformed)
	f(all, strings.Repeat("x", TokenMax+1), CodeMalformed)
	f(all, strings.Repeat(".", TokenMax), CodeMalformed)
}

func TestErrorsSayNothingOfTheToken(t *testing.T) {
	b := newBench(t)
	v := b.verifier(t, b.options())
	_, err := v.Verify(b.sign(t, jwt.SigningMethodHS256, []byte("wrong"), b.good(jwt.MapClaims{"sub": "very-secret-name"})))
	if err == nil || strings.Contains(err.Error(), "very-secret-name") || strings.Contains(err.Error(), "eyJ") {
		t.Errorf("the error leaks: %v", err)
	}
}

func TestMayLogin(t *testing.T) {
	b := newBench(t)
	v := b.verifier(t, b.options())
	f := func(logins []string, user string, want bool) {
		t.Helper()
		id, err := v.Verify(b.sign(t, jwt.SigningMethodHS256, b.secret, b.good(jwt.MapClaims{"logins": logins})))
		if err != nil || id.MayLogin(user) != want {
			t.Errorf("logins %q: MayLogin(%q) = %v, %v; want %v", logins, user, !want, err, want)
		}
	}
	f(nil, "u-1", true) // itself
	f(nil, "u-2", false)
	f([]string{"u-2"}, "u-2", true)
	f([]string{"u-2"}, "u-3", false)
	f([]string{"*"}, "u-3", true)
	f([]string{"u-2", "*"}, "u-3", false) // only alone is it a wildcard
}

func TestOpen(t *testing.T) {
	id, err := Open([]string{"a", "b"}, []string{"g"})
	if err != nil || !id.MayLogin("anybody") || id.Users[0] != "a" || !id.Expires.IsZero() {
		t.Errorf("Open: %+v, %v", id, err)
	}
	for _, users := range [][]string{nil, {""}, {strings.Repeat("x", 256)}, {"\xff"}, {"a\nb"}, {"a\u2028b"}} {
		if code := codeOf(Open(users, nil)); code != CodeClaims {
			t.Errorf("Open(%q): code %q", users, code)
		}
	}
}

func TestNewJWTRefusesBadKeys(t *testing.T) {
	b := newBench(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("this Go refuses to make a 1024-bit key to test with:", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(b.edKey)
	if err != nil {
		t.Fatal(err)
	}
	f := func(o JWTOptions, part string) {
		t.Helper()
		if _, err := NewJWT(o); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("NewJWT: %v, want it to say %q", err, part)
		}
	}
	f(JWTOptions{}, "no key")
	f(JWTOptions{HS256Secret: []byte("short\n")}, "openssl rand")
	f(JWTOptions{HS256Secret: b.rsaPEM}, "holds PEM")
	f(JWTOptions{Ed25519PEM: []byte("x")}, "no PEM block")
	f(JWTOptions{Ed25519PEM: b.rsaPEM}, "not an Ed25519 key")
	f(JWTOptions{RS256PEM: b.edPEM}, "not an RSA key")
	f(JWTOptions{RS256PEM: publicPEM(t, small.Public())}, "1024 bits")
	f(JWTOptions{Ed25519PEM: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})}, "give the public key")
	f(JWTOptions{RS256PEM: []byte("x"), HS256Secret: []byte("y")}, "HS256")
}

func FuzzVerify(f *testing.F) {
	b := newBench(f)
	v := b.verifier(f, b.options())
	f.Add(b.sign(f, jwt.SigningMethodHS256, b.secret, b.good(nil)))
	f.Add(b.sign(f, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, b.good(nil)))
	f.Add("..")
	f.Add("e30.e30.e30")
	f.Add("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOm51bGwsImV4cCI6MWU5OX0.AA")
	f.Fuzz(func(t *testing.T, token string) {
		id, err := v.Verify(token)
		if err == nil {
			if len(id.Users) != 1 || id.Users[0] != "u-1" {
				t.Errorf("a token that nobody signed is taken: %+v", id)
			}
			return
		}
		if codeOf(id, err) == "" {
			t.Errorf("an error without code: %v", err)
		}
	})
}

func codeOf(_ Identity, err error) Code {
	var e *Error
	if err != nil && !errors.As(err, &e) {
		return "untyped"
	}
	if err == nil {
		return ""
	}
	return e.Code
}

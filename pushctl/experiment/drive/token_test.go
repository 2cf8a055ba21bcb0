package drive

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
	"pushfleet/internal/testnode"
)

// A shadow that asks for tokens gets tokens.
func TestTokens(t *testing.T) {
	secret := []byte(rand.Text() + rand.Text())
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, secret, 0o600); err != nil {
		t.Fatal(err)
	}
	token := func(users, groups []string) string {
		s, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": users[0], "logins": users[1:],
			"groups": groups, "exp": time.Now().Add(time.Hour).Unix()}).SignedString(secret)
		if err != nil {
			t.Error(err)
		}
		return s
	}
	n := shadow(t, func(c *testnode.Config) { c.Auth, c.JWT.HS256SecretFile = "jwt", file })
	f := newFeed(t)
	d := drive(t, n, f, nil, Options{Token: token, Amplify: 2})
	f.open(teewire.Open{Conn: 1, Users: []string{"a", "b"}, Groups: []string{"g"}})
	f.open(teewire.Open{Conn: 2, Users: []string{"c"}, Groups: []string{"h"}, Proto: push.ProtoSSE})
	f.in(1, `{"type":"login","user":"d"}`)
	n.Eventually("users and groups", func(s *pushdapi.Stats) bool { return s.Users == 8 && s.Groups == 2 })
	for _, name := range []string{"a", "b", "c", "d", "a~2", "b~2", "c~2", "d~2"} {
		if len(user(t, n, name).Sessions) != 1 {
			t.Errorf("%s is not there", name)
		}
	}
	if c := d.finish(); dropped(&c) != 0 {
		t.Errorf("counts %+v", c)
	}
}

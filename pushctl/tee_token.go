package main

import (
	"bytes"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A token lasts as long as a tee may, and longer.
const teeTokenLasts = 48 * time.Hour

// secretMin is the least length in bytes that a node takes.
const secretMin = 32

// teeClaims are what a node reads in a token.
type teeClaims struct {
	jwt.RegisteredClaims
	Groups []string `json:"groups,omitempty"`
	Logins []string `json:"logins,omitempty"`
}

// tokens makes tokens for mirrored users; nil without a secret.
func (t *teeing) tokens() (func(users, groups []string) string, error) {
	name := t.c.String("secret-file")
	if name == "" {
		return nil, nil
	}
	secret, err := os.ReadFile(name)
	if err != nil {
		return nil, usagef("--secret-file: %w", err)
	}
	if secret = bytes.TrimRight(secret, "\r\n"); len(secret) < secretMin {
		return nil, usagef("--secret-file %s: holds %d bytes; a node takes no secret of less than %d", name, len(secret), secretMin)
	}
	audience, issuer, expires := t.c.String("audience"), t.c.String("issuer"), t.now().Add(teeTokenLasts)
	return func(users, groups []string) string {
		c := teeClaims{Groups: groups, Logins: users[1:]}
		c.Subject, c.Issuer, c.ExpiresAt = users[0], issuer, jwt.NewNumericDate(expires)
		if audience != "" {
			c.Audience = jwt.ClaimStrings{audience}
		}
		s, err := jwt.NewWithClaims(jwt.SigningMethodHS256, &c).SignedString(secret)
		if err != nil { // only a wrong kind of key
			return ""
		}
		return s
	}, nil
}

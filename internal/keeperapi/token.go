package keeperapi

import (
	"crypto/sha256"
	"encoding/hex"
)

// Role is what the bearer of a token may do; each includes the ones before.
type Role string

// The roles.
const (
	RoleRead    Role = "read"
	RoleOperate Role = "operate" // turn knobs, run rollouts
	RoleAdmin   Role = "admin"   // tokens, limits, members, break-glass
)

// Allows tells whether the role includes what needs the other.
func (r Role) Allows(need Role) bool { return r.rank() >= need.rank() && need.rank() > 0 }

func (r Role) rank() int {
	switch r {
	case RoleRead:
		return 1
	case RoleOperate:
		return 2
	case RoleAdmin:
		return 3
	}
	return 0
}

// Token lets its bearer in. Only the hash of the secret is kept.
type Token struct {
	Name    string `json:"name"`
	Role    Role   `json:"role"`
	Hash    string `json:"hash"` // SHA-256 of the secret, 64 hexadecimal digits
	Expires Time   `json:"expires_ms,omitempty"`
	Who     string `json:"who,omitempty"` // made it
	At      Time   `json:"at_ms"`
}

// TokenSet makes or removes a token. Replacing one is removing it first.
type TokenSet struct {
	Name    string `json:"name"`
	Role    Role   `json:"role,omitempty"`
	Hash    string `json:"hash,omitempty"`
	Expires Time   `json:"expires_ms,omitempty"`
	Remove  bool   `json:"remove,omitempty"`
}

// Audit is one thing that somebody did.
type Audit struct {
	Revision uint64 `json:"revision"`
	At       Time   `json:"at_ms"`
	Who      string `json:"who,omitempty"`
	What     string `json:"what"`
	Why      string `json:"why,omitempty"`
	From     string `json:"from,omitempty"`
}

// HashToken is what keepers keep of a token's secret.
func HashToken(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

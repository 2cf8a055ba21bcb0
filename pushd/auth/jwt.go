package auth

import (
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"pushfleet/internal/push"
)

// JWTOptions are the keys and the claims that a token must carry. At least
// one key is required. The algorithm of a token must be one that a key was
// given for; the key is chosen by it and never tried for another.
type JWTOptions struct {
	HS256Secret []byte // shared secret, 32 bytes or more; a newline at the end is not part of it
	Ed25519PEM  []byte // public key, PKIX PEM
	RS256PEM    []byte // public key, PKIX or PKCS #1 PEM, 2048 bits or more
	Audience    string // aud must hold it; empty = any
	Issuer      string // iss must be it; empty = any
	Leeway      time.Duration
	Now         func() time.Time // nil = time.Now
}

// jwtVerifier is static after construction.
type jwtVerifier struct {
	keys   map[string]any // by alg
	parser *jwt.Parser
	leeway time.Duration
}

// NewJWT checks the keys and returns a verifier of HS256, EdDSA and RS256
// tokens.
func NewJWT(o JWTOptions) (Verifier, error) {
	keys, err := loadKeys(o)
	if err != nil {
		return nil, err
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	parse := []jwt.ParserOption{jwt.WithTimeFunc(now), jwt.WithLeeway(o.Leeway),
		jwt.WithExpirationRequired(), jwt.WithStrictDecoding()}
	if o.Audience != "" {
		parse = append(parse, jwt.WithAudience(o.Audience))
	}
	if o.Issuer != "" {
		parse = append(parse, jwt.WithIssuer(o.Issuer))
	}
	return &jwtVerifier{keys, jwt.NewParser(parse...), o.Leeway}, nil
}

type claims struct {
	jwt.RegisteredClaims
	Groups []string `json:"groups"`
	Logins []string `json:"logins"`
}

var errAlgorithm = errors.New("algorithm without a key")

// Verify implements Verifier.
func (v *jwtVerifier) Verify(token string) (Identity, error) {
	if token == "" {
		return Identity{}, refuse(CodeMalformed, "no token: send it as Authorization: Bearer, ?token= or a push.token. subprotocol")
	}
	if len(token) > TokenMax {
		return Identity{}, refuse(CodeMalformed, "the token is larger than 8 KiB")
	}
	var c claims
	_, err := v.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		if key, ok := v.keys[t.Method.Alg()]; ok {
			return key, nil
		}
		return nil, errAlgorithm
	})
	if err != nil {
		return Identity{}, explain(err)
	}
	return v.identity(&c)
}

func (v *jwtVerifier) identity(c *claims) (Identity, error) {
	id := Identity{Users: []string{c.Subject}, Groups: c.Groups, Logins: c.Logins,
		Expires: c.ExpiresAt.Add(v.leeway)}
	if len(c.Logins) == 1 && c.Logins[0] == "*" {
		id.Logins, id.AnyLogin = nil, true
	}
	if c.Subject == "" {
		return Identity{}, refuse(CodeClaims, "the token has no sub: it must name the user")
	}
	for _, err := range []error{
		checkNames("user", id.Users, push.UserIDMax, 1),
		checkNames("group", id.Groups, push.GroupIDMax, GroupsMax),
		checkNames("login", id.Logins, push.UserIDMax, LoginsMax),
	} {
		if err != nil {
			return Identity{}, err
		}
	}
	return id, nil
}

// explain turns the library's error into ours. The order matters: what is
// wrong with the signature is said before what is wrong with the claims.
func explain(err error) *Error {
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return refuse(CodeMalformed, "this is not a JSON Web Token, or its claims have the wrong types")
	case errors.Is(err, jwt.ErrTokenUnverifiable): // alg unknown or without a key
		return refuse(CodeAlgorithm, "the token is signed with an algorithm that this server has no key for")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return refuse(CodeSignature, "the token is not signed by a key of this server")
	case errors.Is(err, jwt.ErrTokenExpired):
		return refuse(CodeExpired, "the token has expired: connect with a new one")
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return refuse(CodeClaims, "the token is not valid yet (nbf): wait, or compare the clocks")
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return refuse(CodeClaims, "the token is for another audience (aud)")
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return refuse(CodeClaims, "the token is from another issuer (iss)")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return refuse(CodeClaims, "the token lacks exp, or aud or iss where this server asks for them")
	}
	return refuse(CodeClaims, "the token's claims are not acceptable")
}

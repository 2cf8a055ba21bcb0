package auth

// Code is why a token was refused, one stable word that also goes to the
// client and the metrics.
type Code string

// The codes.
const (
	CodeMalformed Code = "malformed" // not a token, or too large
	CodeAlgorithm Code = "algorithm" // signed in a way that no configured key allows
	CodeSignature Code = "signature" // not signed by a configured key
	CodeExpired   Code = "expired"   // exp has passed
	CodeClaims    Code = "claims"    // sub, aud, iss, nbf, groups or logins do not fit
)

// Error says why a token was refused. The message is safe to show to the
// client: it holds nothing of the token, the keys or the configuration.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string { return e.Message }

func refuse(c Code, message string) *Error { return &Error{c, message} }

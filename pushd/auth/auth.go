// Package auth decides who a client is: it verifies JSON Web Tokens against
// the keys of the configuration. It holds no connection and no state; how a
// token reaches it is the business of wire and session.
package auth

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"pushfleet/internal/push"
)

// Bounds of a token, in bytes and entries. They are part of the protocol,
// hence no knobs.
const (
	TokenMax  = 8 << 10
	GroupsMax = 256
	LoginsMax = 256
)

// Verifier tells whose token it is. Verify may be called from any goroutine;
// its errors are *Error.
type Verifier interface {
	Verify(token string) (Identity, error)
}

// Identity is what a client may act as.
type Identity struct {
	Users    []string  // at least one; the first is the subject
	Groups   []string  // to bind at once
	Logins   []string  // further users that the client may log in
	AnyLogin bool      // it may log in any user
	Expires  time.Time // when the connection must end; zero = never
}

// MayLogin tells whether the client may add the user to its session.
func (id Identity) MayLogin(user string) bool {
	return id.AnyLogin || slices.Contains(id.Users, user) || slices.Contains(id.Logins, user)
}

// Open is the identity of a client that names itself, as --auth none allows:
// it is who it says and may log in anybody. Errors are *Error.
func Open(users, groups []string) (Identity, error) {
	if len(users) == 0 {
		return Identity{}, refuse(CodeClaims, "no user: say who you are with ?user=NAME")
	}
	if err := checkNames("user", users, push.UserIDMax, LoginsMax); err != nil {
		return Identity{}, err
	}
	if err := checkNames("group", groups, push.GroupIDMax, GroupsMax); err != nil {
		return Identity{}, err
	}
	return Identity{Users: users, Groups: groups, AnyLogin: true}, nil
}

func checkNames(what string, names []string, bytesMax, countMax int) error {
	if len(names) > countMax {
		return refuse(CodeClaims, fmt.Sprintf("%d %ss, at most %d are allowed", len(names), what, countMax))
	}
	for _, n := range names {
		switch {
		case n == "":
			return refuse(CodeClaims, "an empty "+what+" name")
		case len(n) > bytesMax:
			return refuse(CodeClaims, fmt.Sprintf("a %s name of %d bytes, at most %d are allowed", what, len(n), bytesMax))
		case !utf8.ValidString(n) || strings.IndexFunc(n, isControl) >= 0:
			return refuse(CodeClaims, "a "+what+" name that is not UTF-8 without control characters")
		}
	}
	return nil
}

// isControl reports the C0 and C1 controls, DEL and the two line separators:
// a name must fit in one line of a log or a table.
func isControl(c rune) bool {
	return c < ' ' || c >= 0x7f && c < 0xa0 || c == 0x2028 || c == 0x2029
}

package state

import (
	"maps"
	"slices"
	"strings"

	"pushfleet/internal/keeperapi"
)

func (s *State) judgeToken(c *command) (commit, *keeperapi.Error) {
	b, no := body[keeperapi.TokenSet](c)
	if no != nil {
		return nil, no
	}
	old := s.tokens[b.Name]
	if b.Remove {
		if old == nil {
			return nil, refuse(keeperapi.CodeUnknownName, "no token is called %q: see pushctl keeper tokens", shortened(b.Name))
		}
		return func(t *turn) keeperapi.Result {
			t.what = "remove token " + b.Name
			s.dropToken(t, old)
			return keeperapi.Result{}
		}, nil
	}
	if no := s.judgeNewToken(c, b); no != nil {
		return nil, no
	}
	return func(t *turn) keeperapi.Result {
		t.what = "add token " + b.Name + " for " + string(b.Role)
		tok := &keeperapi.Token{Name: b.Name, Role: b.Role, Hash: b.Hash, Expires: b.Expires, Who: t.Who, At: t.At}
		s.tokens[b.Name], s.hashes[b.Hash] = tok, tok
		t.tell(keeperapi.Event{Kind: keeperapi.KindTokenAdded, Value: b.Name})
		return keeperapi.Result{}
	}, nil
}

func (s *State) judgeNewToken(c *command, b *keeperapi.TokenSet) *keeperapi.Error {
	if !named(b.Name, 128) {
		return refuse(keeperapi.CodeMalformed, "%q is no name of a token: use 1 to 128 letters, digits and _.:/@-", shortened(b.Name))
	}
	if !b.Role.Allows(keeperapi.RoleRead) {
		return refuse(keeperapi.CodeMalformed, "%q is no role: give read, operate or admin", shortened(string(b.Role)))
	}
	if len(b.Hash) != 64 || strings.Trim(b.Hash, "0123456789abcdef") != "" {
		return refuse(keeperapi.CodeMalformed, "the token carries no SHA-256 of a secret: send 64 hexadecimal digits, never the secret")
	}
	if b.Expires < 0 || b.Expires > keeperapi.TimeMax || b.Expires != 0 && b.Expires <= c.At {
		return refuse(keeperapi.CodeMalformed, "the token would have expired already: give a later time")
	}
	if s.tokens[b.Name] != nil || s.hashes[b.Hash] != nil {
		return refuse(keeperapi.CodeExists, "a token of that name or secret exists: remove it first, or make another")
	}
	if len(s.tokens) >= s.limits.Tokens {
		return refuse(keeperapi.CodeTooMany, "%d tokens exist already: remove some, or raise tokens_max", len(s.tokens))
	}
	return nil
}

func (s *State) dropToken(t *turn, tok *keeperapi.Token) {
	delete(s.tokens, tok.Name)
	delete(s.hashes, tok.Hash)
	t.tell(keeperapi.Event{Kind: keeperapi.KindTokenRemoved, Value: tok.Name})
}

// Tokens returns all tokens by name.
func (s *State) Tokens() []keeperapi.Token {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []keeperapi.Token
	for _, name := range slices.Sorted(maps.Keys(s.tokens)) {
		out = append(out, *s.tokens[name])
	}
	return out
}

// TokenByHash finds the token of a secret by its SHA-256 in hexadecimal
// digits. The caller looks at Expires.
func (s *State) TokenByHash(hash string) (tok keeperapi.Token, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.hashes[hash]; p != nil {
		return *p, true
	}
	return tok, false
}

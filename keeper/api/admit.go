package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"pushfleet/internal/keeperapi"
)

// ticket is what somebody shows who comes by TCP.
type ticket struct {
	secret string
	local  bool   // through a listener on loopback
	who    string // claimed
	from   string
	need   keeperapi.Role // what the request takes
}

// localHeader tells the leader, by DoorLink, that a ticket is local.
const localHeader = "X-Keeper-Local"

// admit lets the bearer of a token in. A member that does not lead may not have
// heard of a token yet, and one that has just started has heard of none: so it
// refuses nobody, and opens the door of loopback to nobody, before it has asked
// the leader.
func (s *Server) admit(ctx context.Context, t ticket, linked bool) (identity, error) {
	if who, ok := s.bearer(t); ok {
		return who, nil
	}
	if !s.cfg.Member.Leads() {
		if linked {
			return identity{}, refuse(keeperapi.CodeNotLeader, "this keeper does not lead any more; try again")
		}
		return s.askWho(ctx, t)
	}
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	if err := s.cfg.Member.Linearize(ctx); err != nil {
		return identity{}, err
	}
	if who, ok := s.bearer(t); ok {
		return who, nil
	}
	if t.secret != "" {
		return identity{}, refuse(keeperapi.CodeToken, "the token is not known, or has expired: ask for a new one (pushctl keeper tokens add)")
	}
	if t.local && len(s.cfg.State.Tokens()) == 0 {
		return somebody(t, keeperapi.RoleAdmin), nil
	}
	return identity{}, refuse(keeperapi.CodeToken, "a token is needed: pass one with --token-file or PUSHCTL_TOKEN, or use the keeper's socket on its own machine")
}

// bearer looks for the token in the state as it is known here.
func (s *Server) bearer(t ticket) (identity, bool) {
	if t.secret == "" {
		return identity{}, false
	}
	tok, ok := s.cfg.State.TokenByHash(keeperapi.HashToken(t.secret))
	if !ok || tok.Expires != 0 && tok.Expires <= s.cfg.Now() {
		return identity{}, false
	}
	return identity{tok.Name, t.from, tok.Role}, true
}

func somebody(t ticket, role keeperapi.Role) identity {
	if t.who == "" {
		t.who = "somebody"
	}
	return identity{t.who, t.from, role}
}

// askWho has the leader judge a ticket. Without a leader, those on loopback may
// read while no token is known here, so that they can see what is wrong.
func (s *Server) askWho(ctx context.Context, t ticket) (identity, error) {
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://leader/v1/whoami", nil)
	if err != nil {
		return identity{}, err
	}
	r.Header.Set("X-Forwarded-For", t.from)
	r.Header.Set("X-Who", t.who)
	if t.secret != "" {
		r.Header.Set("Authorization", "Bearer "+t.secret)
	}
	if t.local {
		r.Header.Set(localHeader, "1")
	}
	resp, err := s.link.RoundTrip(r)
	if err != nil {
		if revision, _ := s.cfg.State.Marks(); t.local && t.secret == "" && t.need == keeperapi.RoleRead &&
			revision > 0 && len(s.cfg.State.Tokens()) == 0 {
			return somebody(t, keeperapi.RoleRead), nil
		}
		return identity{}, refuse(keeperapi.CodeNoLeader, "no leader can be asked who you are (%s); try again, ask another keeper, or use the keeper's socket on its own machine", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, bodyMax))
	if err != nil {
		return identity{}, refuse(keeperapi.CodeNoLeader, "the leader did not say who you are (%s); try again", err)
	}
	if resp.StatusCode == http.StatusOK {
		var who identity
		err := json.Unmarshal(b, &who)
		return who, err
	}
	e := &keeperapi.Error{}
	if json.Unmarshal(b, e) != nil || e.Code != keeperapi.CodeToken {
		return identity{}, refuse(keeperapi.CodeNoLeader, "the leader did not say who you are (%s); try again", resp.Status)
	}
	return identity{}, e
}

// whoami says who asks and what he may.
func (s *Server) whoami(w http.ResponseWriter, _ *http.Request, who identity) error {
	return writeJSON(w, who)
}

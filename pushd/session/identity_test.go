package session

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/pushd/auth"
	"pushfleet/pushd/slab"
)

// tokens verifies tokens that are a user's name. "boss" may log in anybody,
// "ann" may log in bob as well, "crowd" is in 256 groups; "late" has expired
// and "brief-…" lasts until the time after the dash.
type tokens struct{}

func (tokens) Verify(token string) (auth.Identity, error) {
	id := auth.Identity{Users: []string{token}}
	switch {
	case token == "":
		return id, &auth.Error{Code: auth.CodeMalformed, Message: "no token: send one"}
	case token == "late":
		return id, &auth.Error{Code: auth.CodeExpired, Message: "the token has expired: fetch a new one"}
	case token == "boss":
		id.AnyLogin = true
	case token == "ann":
		id.Logins = []string{"bob"}
	case token == "crowd":
		for i := range 256 {
			id.Groups = append(id.Groups, fmt.Sprintf("%s-%d", strings.Repeat("g", 200), i))
		}
	case strings.HasPrefix(token, "brief-"):
		at, err := time.Parse(time.RFC3339Nano, strings.TrimPrefix(token, "brief-"))
		if err != nil {
			return id, err
		}
		id.Users, id.Expires = []string{"brief"}, at
	}
	return id, nil
}

// ask sends a command and expects the answer's type and code.
func (c *client) ask(command, typ, code string) frame {
	c.t.Helper()
	c.say(command)
	f := c.read()
	if f.str("type") != typ || f.str("code") != code {
		c.t.Fatalf("%s answered %v, want %s %s", command, f, typ, code)
	}
	return f
}

func TestLoginAndLogoutOfFurtherUsers(t *testing.T) {
	r := newRig(t, "conn.users_max", "3")
	c := r.ws("user=a")
	f := func(user string, want int) {
		t.Helper()
		if n := r.send(user, `"`+user+`"`, slab.Meta{}); n != want {
			t.Fatalf("%s is on %d connections, want %d", user, n, want)
		} else if n > 0 {
			c.expectData(user)
		}
	}
	f("b", 0)
	c.ask(`{"type":"login","user":"b","ref":1}`, "ok", "")
	f("a", 1)
	f("b", 1)
	c.ask(`{"type":"login","user":"b"}`, "ok", "") // twice is once
	f("b", 1)
	c.ask(`{"type":"login","user":"c"}`, "ok", "")
	c.ask(`{"type":"login","user":"d"}`, "error", "login") // conn.users_max
	f("d", 0)
	c.ask(`{"type":"logout","user":"b"}`, "ok", "")
	f("b", 0)
	f("a", 1)
	f("c", 1)
	c.ask(`{"type":"logout","user":"b"}`, "error", "login")
	c.ask(`{"type":"login","user":"d"}`, "ok", "")
	f("d", 1)
	c.ask(`{"type":"logout","user":"a"}`, "ok", "")
	c.ask(`{"type":"logout","user":"d"}`, "ok", "")
	c.ask(`{"type":"logout","user":"c"}`, "ok", "")
	f("a", 0)
	c.ask(`{"type":"login","token":"x"}`, "error", "login") // no tokens here
	c.ask(`{"type":"login","user":"a"}`, "ok", "")
	f("a", 1)
}

func TestTokenSaysWhoMayBeLoggedIn(t *testing.T) {
	r := startRigWith(t, false, func(s *Shared) { s.Verifier = tokens{} })
	f := func(token, command, typ, code string) {
		t.Helper()
		r.ws("token="+token).ask(command, typ, code)
	}
	f("u", `{"type":"login","user":"bob"}`, "error", "login")
	f("u", `{"type":"login","token":"bob"}`, "ok", "")
	f("u", `{"type":"login","token":"bob","user":"eve"}`, "error", "login")
	f("u", `{"type":"login","token":"ann","user":"bob"}`, "ok", "")
	f("u", `{"type":"login","token":"late"}`, "error", "login")
	f("ann", `{"type":"login","user":"bob"}`, "ok", "")
	f("ann", `{"type":"login","user":"eve"}`, "error", "login")
	f("boss", `{"type":"login","user":"eve"}`, "ok", "")
}

func TestRefusedTokens(t *testing.T) {
	r := startRigWith(t, false, func(s *Shared) { s.Verifier = tokens{} })
	f := func(query, code string, why push.CloseReason) {
		t.Helper()
		c := r.raw()
		c.write(request(push.ProtoWS, query))
		resp := c.response(401)
		b, _ := io.ReadAll(resp.Body)
		var body frame
		if json.Unmarshal(b, &body) != nil || body.str("code") != code || resp.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %q", query, b)
		}
		c.Close()
		r.eventually("closed", r.closed(why))
	}
	f("user=u", "malformed", push.CloseAuth)
	f("token=late", "expired", push.CloseExpired)
}

func TestGroupsOfATokenThatAreTooMany(t *testing.T) {
	r := startRigWith(t, false, func(s *Shared) { s.Verifier = tokens{} }, "conn.groups_max", "3")
	c := r.ws("token=crowd")
	if e := c.expectType("error"); e.str("code") != "group" || !strings.Contains(e.str("message"), "253 of 256") {
		t.Errorf("told %v", e)
	}
	if n := r.s.Router.Counts().Groups; n != 3 {
		t.Errorf("%d groups, want 3", n)
	}
}

func TestTooManySessionsOfAUser(t *testing.T) {
	r := newRig(t, "user.sessions_max", "2", "close.wait", "100ms")
	r.ws("user=u")
	r.stream("user=u", "*/*")
	r.rawWS("user=u").expectClose(push.CloseSessions)
	c := r.raw()
	c.write(request(push.ProtoSSE, "user=u"))
	if b, _ := io.ReadAll(c.response(200).Body); !strings.Contains(string(b), `{"type":"close","code":4107,"reason":"sessions"}`) {
		t.Errorf("told %q", b)
	}
	c.Close()
	r.eventually("both refused", func() bool { return r.table.Live() == 2 })
}

func TestExpiryClosesAndFlushesFirst(t *testing.T) {
	t.Parallel()
	r := startRigWith(t, false, func(s *Shared) { s.Verifier = tokens{} })
	brief := func(d time.Duration) string {
		return "token=brief-" + time.Now().UTC().Add(d).Format("2006-01-02T15:04:05.999Z")
	}
	c := r.rawWS(brief(1500 * time.Millisecond))
	s := r.stream(brief(1500*time.Millisecond), "text/event-stream")
	long := r.rawWS(brief((1<<32 + 1) * time.Second)) // more seconds than 32 bits hold
	r.send("brief", "1", slab.Meta{})
	if f := c.frame(); !strings.Contains(string(f.Payload), `"data":1`) {
		t.Errorf("frame %q", f.Payload)
	}
	c.expectClose(push.CloseExpired)
	s.expectData("1")
	if f := s.expectType("close"); f.num("code") != 4201 || f.str("reason") != "expired" {
		t.Errorf("told %v", f)
	}
	r.send("brief", "2", slab.Meta{})
	long.frame()
	if f := long.frame(); !strings.Contains(string(f.Payload), `"data":2`) {
		t.Errorf("frame %q", f.Payload)
	}
}

package wire

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pushfleet/internal/push"
)

// Bounds of a request. They are part of the protocol, hence no knobs.
const (
	NamesMax = 64   // users, and groups, of one request
	LastMax  = 64   // bytes of the position asked for
	TokenMax = 8192 // bytes of a token
	PollMin  = time.Second
	PollMax  = 300 * time.Second
)

// readQuery reads the parameters. A parameter that stands twice and is not a
// list counts once, the first. Unknown ones are left alone.
func readQuery(r *Request, raw string) *HTTPError {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return bad("bad_query", fmt.Sprintf("the query does not parse (%v): percent-encode its values", err))
	}
	var e *HTTPError
	if r.Users, e = names(q, "user", push.UserIDMax); e != nil {
		return e
	}
	if r.Groups, e = names(q, "group", push.GroupIDMax); e != nil {
		return e
	}
	if e := readResume(r, q); e != nil {
		return e
	}
	r.Token, r.Last, r.Tee = q.Get("token"), q.Get("last"), q.Get("tee") == "1"
	return readPoll(r, q)
}

func names(q url.Values, key string, limit int) ([]string, *HTTPError) {
	var list []string
	for _, name := range q[key] {
		if !validName(name, limit) {
			return nil, bad("bad_"+key, fmt.Sprintf("?%s= must be 1 to %d bytes of UTF-8 without control characters", key, limit))
		}
		if slices.Contains(list, name) {
			continue
		}
		if len(list) == NamesMax {
			return nil, bad("bad_"+key, fmt.Sprintf("?%s= stands more than %d times: open further connections", key, NamesMax))
		}
		list = append(list, name)
	}
	return list, nil
}

// validName holds a name to limit bytes of UTF-8 that can be printed in one
// line of a log or a table.
func validName(s string, limit int) bool {
	return s != "" && len(s) <= limit && utf8.ValidString(s) && strings.IndexFunc(s, isControl) < 0
}

// isControl reports the C0 and C1 controls, DEL, and the two line separators.
func isControl(c rune) bool {
	return c < ' ' || c >= 0x7f && c < 0xa0 || c == 0x2028 || c == 0x2029
}

func readResume(r *Request, q url.Values) *HTTPError {
	switch q.Get("resume") {
	case "1":
		r.Resume = true
	case "", "0":
	default:
		return bad("bad_resume", "?resume= must be 0 or 1")
	}
	return nil
}

// readPoll makes a plain request a long poll. Seconds outside of PollMin to
// PollMax are taken as the nearest bound; what is not a number is refused.
func readPoll(r *Request, q url.Values) *HTTPError {
	if r.Proto != push.ProtoStream || !q.Has("poll") {
		return nil
	}
	s, err := strconv.ParseUint(q.Get("poll"), 10, 16)
	if err != nil {
		return bad("bad_poll", fmt.Sprintf("?poll= must be a number of seconds from %d to %d", PollMin/time.Second, PollMax/time.Second))
	}
	r.Proto, r.Resume = push.ProtoPoll, true
	r.Poll = min(max(time.Duration(s)*time.Second, PollMin), PollMax)
	return nil
}

// readHeaders lets Authorization and Last-Event-ID win over the query, because
// a client that reconnects by itself keeps its first URL.
func readHeaders(r *Request, h http.Header) *HTTPError {
	r.Tee = r.Tee || h.Get("Push-Tee") == "1"
	if last := h.Get("Last-Event-Id"); last != "" {
		r.Last = last
	}
	if len(r.Last) > LastMax {
		return bad("bad_last", fmt.Sprintf("the position asked for is longer than %d bytes: send the last pos received, or none", LastMax))
	}
	if t := bearer(h.Get("Authorization")); t != "" {
		r.Token = t
	}
	if r.Token == "" && r.Proto == push.ProtoWS {
		r.Token = protocolToken(h)
	}
	if len(r.Token) > TokenMax {
		return bad("bad_token", fmt.Sprintf("the token is longer than %d bytes: put fewer claims into it", TokenMax))
	}
	return nil
}

// bearer takes the token of the Bearer scheme (RFC 6750 section 2.1); other
// schemes belong to a proxy in front and are left alone.
func bearer(v string) string {
	scheme, token, _ := strings.Cut(v, " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

package main

import (
	"errors"
	"io"
	"testing"
	"time"
)

func TestVerdictFollowsCloseCodes(t *testing.T) {
	f := func(l *listener, e ending, tries int, again bool, least, most time.Duration) {
		t.Helper()
		got, wait := l.verdict(e, tries)
		if got != again || wait < least || wait > most {
			t.Errorf("verdict(%+v, try %d) = %v after %s; want %v after %s to %s", e, tries, got, wait, again, least, most)
		}
	}
	been := &listener{everBeen: true, proto: "ws"}
	f(been, ending{code: 1000}, 0, false, 0, 0)
	f(been, ending{code: 1002}, 0, false, 0, 0)
	f(been, ending{code: 4000}, 0, false, 0, 0)
	f(been, ending{code: 4099}, 0, false, 0, 0)
	f(been, ending{code: 4100}, 0, true, 250*time.Millisecond, 500*time.Millisecond)
	f(been, ending{code: 4100}, 3, true, 2*time.Second, 4*time.Second)
	f(been, ending{code: 4199}, 60, true, 15*time.Second, 30*time.Second)
	f(been, ending{code: 4200}, 0, true, 0, 0)
	f(been, ending{code: 4299}, 2, true, 0, 0)
	// At once, but not for ever.
	f(been, ending{code: 4200}, 3, true, 2*time.Second, 4*time.Second)
	f(been, ending{code: 1012}, 0, true, 250*time.Millisecond, 500*time.Millisecond)
	f(been, ending{err: io.ErrUnexpectedEOF}, 0, true, 250*time.Millisecond, 500*time.Millisecond)
	f(&listener{everBeen: true, draining: true, drainAfter: 1200 * time.Millisecond}, ending{code: 1012}, 0,
		true, 1200*time.Millisecond, 1200*time.Millisecond)
	f(&listener{proto: "poll"}, ending{code: 1000}, 0, true, 0, 0)
	// Never connected: an error, not a reason to wait.
	f(&listener{}, ending{err: io.EOF}, 0, false, 0, 0)
	f(&listener{}, ending{code: 4100}, 0, true, 250*time.Millisecond, 500*time.Millisecond)
	// HTTP refusals.
	f(&listener{}, ending{err: &refusal{status: 401}}, 0, false, 0, time.Minute)
	f(&listener{}, ending{err: &refusal{status: 503}}, 0, true, 250*time.Millisecond, 500*time.Millisecond)
	f(&listener{}, ending{err: &refusal{status: 503, retryAfter: 7 * time.Second}}, 0, true, 7*time.Second, 7*time.Second)
}

func TestRefusalText(t *testing.T) {
	f := func(status int, after, body, want string, wait time.Duration) {
		t.Helper()
		r := newRefusal(status, after, []byte(body))
		if r.message != want || r.retryAfter != wait {
			t.Errorf("newRefusal(%d, %q, %q) = %q, %s; want %q, %s", status, after, body, r.message, r.retryAfter, want, wait)
		}
	}
	f(401, "", `{"code":"auth","error":"token expired"}`, "token expired", 0)
	f(503, "3", "busy\nmore", "busy", 3*time.Second)
	f(429, "9999", "", "Too Many Requests", time.Minute)
}

func TestReadDataTakesJSONAndText(t *testing.T) {
	f := func(arg, want string) {
		t.Helper()
		b, err := readData(arg, testEnv().in)
		if err != nil || string(b) != want {
			t.Errorf("readData(%q) = %s, %v; want %s", arg, b, err, want)
		}
	}
	f(`{"a": 1}`, `{"a": 1}`)
	f(`5`, `5`)
	f(`true`, `true`)
	f(`hello`, `"hello"`)
	f(` "x" `, `"x"`)
	f(`say "hi"`, `"say \"hi\""`)
	for _, arg := range []string{`{"a":`, `[1,]`, `"open`} {
		_, err := readData(arg, testEnv().in)
		if _, ok := errors.AsType[usageError](err); !ok {
			t.Errorf("readData(%q): %v, want a usage error", arg, err)
		}
	}
}

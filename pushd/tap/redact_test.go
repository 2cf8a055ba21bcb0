package tap

import (
	"encoding/json"
	"strings"
	"testing"

	"pushfleet/internal/teewire"
)

func redacted(degree teewire.Redact, data string, known bool) string {
	s := &Shard{run: &run{o: Options{Redact: degree}}}
	s.hide = newKey(degree).hider()
	b := []byte(data)
	s.redactCommand(b, known)
	return string(b)
}

func TestCommandsAreRedacted(t *testing.T) {
	f := func(degree teewire.Redact, in, want string) {
		t.Helper()
		if got := redacted(degree, in, true); got != want {
			t.Errorf("%s %s:\n got %s\nwant %s", degree, in, got, want)
		}
	}
	const payload, off = teewire.RedactPayload, teewire.RedactOff
	f(payload, `{"type":"ping"}`, `{"type":"ping"}`)
	f(payload, `{"type":"up","data":{"a":[1,"}"]},"ref":7}`, `{"type":"up","data":"xxxxxxxxxxx","ref":7}`)
	f(payload, `{"type":"up","data":1}`, `{"type":"up","data":0}`)
	f(payload, ` { "data" : true , "type" : "up" } `, ` { "data" : "xx" , "type" : "up" } `)
	f(payload, `{"type":"login","user":"u-1","token":"ey"}`, `{"type":"login","user":"u-1","token":"xx"}`)
	f(payload, `{"type":"ping","note":"secret"}`, `{"type":"ping","xxxx":"xxxxxx"}`)
	f(payload, `{"type":"ack","seq":12}`, `{"type":"ack","seq":12}`)
	f(payload, `{"type":"ping","seq":"secret","user":{"a":1},"group":null}`, `{"type":"ping","seq":"xxxxxx","user":"xxxxx","group":"xx"}`)
	f(payload, `{"type":"up","d\u0061ta":"secret"}`, `{"type":"up","xxxxxxxxx":"xxxxxx"}`)
	f(off, `{"type":"up","data":"a\"b"}`, `{"type":"up","data":"a\"b"}`)
	f(off, `{"type":"login","token":"ey"}`, `{"type":"login","token":"xx"}`)
	f(payload, `{}`, `{}`)
	if got := redacted(off, `not json`, false); got != "xxxxxxxx" {
		t.Errorf("what is no command: %s", got)
	}
}

func TestDataIsBlankedToItsLength(t *testing.T) {
	for _, in := range []string{`1`, `12`, `{}`, `"a"`, `null`, `{"a":"b"}`} {
		b := []byte(in)
		if blank(b); len(b) != len(in) || !json.Valid(b) {
			t.Errorf("%s became %s", in, b)
		}
	}
}

func TestBlankValues(t *testing.T) {
	var s blanks
	for _, n := range []int{300, 2, 1, 3, 299, 5000, 0, 4, 3, 5001} {
		want := make([]byte, n)
		blank(want)
		if got := s.of(n); string(got) != string(want) {
			t.Errorf("%d: %.20s, want %.20s", n, got, want)
		}
	}
}

// The same name stands for the same everywhere in a tee, and tells nothing but
// its length.
func TestNamesAreHidden(t *testing.T) {
	h := newKey(teewire.RedactNames).hider()
	h2 := h.key.hider()
	seen := map[string]string{}
	for _, n := range append(names("u-%d"), "", "a", "a-name-that-is-longer-than-one-block-of-the-cipher-and-then-some") {
		got := string(h.append(nil, []byte(n)))
		if len(got) != len(n) || n != "" && got == n {
			t.Errorf("%q became %q", n, got)
		}
		if again := string(h2.append(nil, []byte(n))); again != got {
			t.Errorf("%q became %q and %q", n, got, again)
		}
		if len(n) > 4 {
			if other, taken := seen[got]; taken {
				t.Errorf("%q and %q became one", other, n)
			}
			seen[got] = n
		}
	}
	if other := newKey(teewire.RedactNames).hider(); string(other.append(nil, []byte("user-12345"))) == string(h.append(nil, []byte("user-12345"))) {
		t.Error("two tees hide alike")
	}
}

// A tee with hidden names: users of connections, commands and messages agree.
func TestHiddenNamesAgree(t *testing.T) {
	r := newRig(t)
	r.begin(Options{Sample: 100, Redact: teewire.RedactNames}, false)
	c := r.open(1, "alice-1")
	c.in(`{"type":"logout","user":"alice-1"}`)
	c.in(`{"type":"logout","user":"\u0061lice-1"}`)
	r.publish("alice-1", "", 10)
	s := r.end()
	name := s.opens[1].Users[0]
	var cmd struct{ User string }
	for _, in := range s.ins {
		if err := json.Unmarshal([]byte(in), &cmd); err != nil || cmd.User != name {
			t.Errorf("%s of %s: %v", in, name, err)
		}
	}
	if s.pubs[0].User != name || name == "alice-1" || s.count.Sample != 100 {
		t.Errorf("%q, message to %q", name, s.pubs[0].User)
	}
}

// Whatever a client sends, what becomes of it is JSON of the same length, and
// nothing of its token and data is left.
func FuzzRedactCommand(f *testing.F) {
	f.Add(`{"type":"up","data":{"a":[1,"}"]},"ref":"x"}`, byte(1))
	f.Add(` {"user":"\u0061b", "group" : "g","token":"t"}`, byte(0))
	f.Fuzz(func(t *testing.T, in string, degree byte) {
		var fields map[string]json.RawMessage
		if !json.Valid([]byte(in)) || json.Unmarshal([]byte(in), &fields) != nil || fields == nil {
			return
		}
		out := redacted(teewire.Redact(degree%3), in, true)
		if len(out) != len(in) || !json.Valid([]byte(out)) {
			t.Fatalf("%s became %s", in, out)
		}
		var after map[string]json.RawMessage
		_ = json.Unmarshal([]byte(out), &after)
		for k, v := range after {
			may := k == "type" || degree%3 == byte(teewire.RedactOff) && k != "token" || (k == "user" || k == "group") && v[0] == '"' ||
				k == "ref" && degree%3 == 0 || k == "seq" && v[0] >= '0' && v[0] <= '9'
			if !may && string(v) != "0" && strings.Trim(string(v), `"x`) != "" {
				t.Fatalf("%s became %s: %s is told", in, out, k)
			}
		}
	})
}

package publish

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
)

func TestParseSend(t *testing.T) {
	f := func(line, user, id, data string) {
		t.Helper()
		var s Send
		if err := ParseSend([]byte(line), &s); err != nil {
			t.Errorf("ParseSend(%s): %v", line, err)
			return
		}
		if string(s.User.Val) != user || string(s.ID.Val) != id || string(s.Data) != data {
			t.Errorf("ParseSend(%s): user %q, id %q, data %s", line, s.User.Val, s.ID.Val, s.Data)
		}
	}
	f(`{"user":"u","data":1}`, "u", "", "1")
	f(` { "data" : {"a":[1,2,{"b":null}]} , "user" : "u" , "id":"x" } `, "u", "x", `{"a":[1,2,{"b":null}]}`)
	f(`{"user":"caf\u00e9 \ud83d\ude00 \"q\" \ud800","data":"\n\u0000"}`, "café 😀 \"q\" \uFFFD", "", `"\n\u0000"`)
	f(`{"us\u0065r":"escaped name","data":[]}`, "escaped name", "", "[]")
	f(`{"user":"one","user":"two","data":-0.5e+7}`, "two", "", "-0.5e+7")
	f(`{"user":"one","user":null,"data":true}`, "one", "", "true")
}

func TestParseSendRefuses(t *testing.T) {
	f := func(line, code, says string) {
		t.Helper()
		var s Send
		err := ParseSend([]byte(line), &s)
		var e *SendError
		if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, says) {
			t.Errorf("ParseSend(%.60s) = %v, want %s saying %q", line, err, code, says)
		}
	}
	f(``, "bad_json", "an object")
	f(`[]`, "bad_json", "an object")
	f(`{"user":"u"}`, "no_data", "data is missing")
	f(`{"user":"u","data":1} x`, "bad_json", "end of the message")
	f(`{"usr":"u","data":1}`, "unknown_field", `"usr"`)
	f(`{"user":7,"data":1}`, "bad_field", "user must be a string")
	f(`{"user":"","data":1}`, "bad_field", "1 to 255")
	f(`{"users":["a",7],"data":1}`, "bad_field", "array of strings")
	f(`{"user":"u","class":"urgent","data":1}`, "bad_field", "urgent")
	f(`{"user":"u","ttl":"soon","data":1}`, "bad_field", "soon")
	f(`{"user":"u","ttl":-1,"data":1}`, "bad_field", "-1")
	f(`{"user":"u","ttl":1e300,"data":1}`, "bad_field", "at most")
	f(`{"user":"u","data":01}`, "bad_json", "byte 21")
	f(`{"user":"u","data":"a`+"\x01"+`"}`, "bad_json", "control character")
	f(`{"user":"u","data":"`+"\xff"+`"}`, "bad_json", "UTF-8")
	f(`{"user":"u","data":"\x"}`, "bad_json", "escape")
	f(`{"user":"u","data":`+strings.Repeat("[", 257)+strings.Repeat("]", 257)+`}`, "too_deep", "256")
	f(`{"user":"`+strings.Repeat("u", 256)+`","data":1}`, "bad_field", "256 bytes")
}

func TestTarget(t *testing.T) {
	f := func(line string, all bool, code string) {
		t.Helper()
		var s Send
		if err := ParseSend([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		var e *SendError
		if err := s.target(all); (err != nil) != (code != "") || errors.As(err, &e) && e.Code != code {
			t.Errorf("%s: %v, want %q", line, err, code)
		}
	}
	f(`{"user":"u","data":1}`, false, "")
	f(`{"users":["u"],"data":1}`, false, "")
	f(`{"group":"g","data":1}`, false, "")
	f(`{"group":"g","data":1}`, true, "")
	f(`{"data":1}`, true, "")
	f(`{"data":1}`, false, "no_target")
	f(`{"users":[],"data":1}`, false, "no_target")
	f(`{"user":"u","group":"g","data":1}`, false, "bad_target")
	f(`{"user":"u","data":1}`, true, "bad_target")
}

func TestTail(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		var s Send
		if err := ParseSend([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		var user *Text
		if s.User.given() {
			user = &s.User
		}
		got := s.appendTail(make([]byte, 0, s.tailLen(user)), user)
		if string(got) != want || len(got) != s.tailLen(user) {
			t.Errorf("tail of %q = %q (planned %d), want %q", line, got, s.tailLen(user), want)
		}
		if !json.Valid([]byte(`{"seq":1,` + string(got))) {
			t.Errorf("tail %q does not end a frame", got)
		}
	}
	f(`{"user":"u","data":1}`, `"user":"u","data":1}`)
	f(`{"user":"a\"b","id":"\u00e9","key":"k","ttl":3,"data":{"x":"y"}}`, `"id":"\u00e9","user":"a\"b","data":{"x":"y"}}`)
	f(`{"group":"g","data":null}`, `"group":"g","data":null}`)
	f(`{"data":"all"}`, `"data":"all"}`)
	f("{\n\"data\": [1,\r\n 2]\n}", `"data":[1,   2]}`)
}

// same compares with what encoding/json makes of the line.
func same(t *testing.T, line []byte) {
	t.Helper()
	var s Send
	err := ParseSend(line, &s)
	var e *SendError
	if errors.As(err, &e) && e.Code == "too_deep" || !exactNames(line) {
		return
	}
	var want pushdapi.Send
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	ref := dec.Decode(&want)
	if ref == nil {
		ref = furtherRules(line, &want)
	}
	if ref == nil && dec.More() {
		ref = errors.New("more after the object")
	}
	if (err == nil) != (ref == nil) {
		t.Fatalf("%q: %v, encoding/json: %v", line, err, ref)
	}
	if err != nil {
		return
	}
	var users []string
	for _, u := range s.Users {
		users = append(users, string(u.Val))
	}
	class, _ := push.ParseClass(want.Class)
	if string(s.User.Val) != want.User || !slices.Equal(users, want.Users) || string(s.Group.Val) != want.Group ||
		string(s.ID.Val) != want.ID || string(s.Key.Val) != want.Key || !bytes.Equal(s.Data, want.Data) ||
		s.TTL != time.Duration(want.TTL) || s.Class != class {
		t.Fatalf("%q:\n%+v\nencoding/json:\n%+v", line, s, want)
	}
	tail := s.appendTail(nil, &Text{Raw: []byte("u")})
	if !json.Valid([]byte(`{"seq":1,`+string(tail))) || bytes.ContainsAny(tail, "\r\n") {
		t.Fatalf("%q: tail %q", line, tail)
	}
}

// exactNames tells whether each of the object's fields is spelled exactly and
// given once: encoding/json minds neither, and of a field given twice it
// forgives the first.
func exactNames(line []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(line))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return true
	}
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return true
		}
		name := tok.(string)
		if seen[name] || name != strings.ToLower(name) || strings.ContainsAny(name, "\u017f\u212a") {
			return false
		}
		seen[name] = true
		var skip json.RawMessage
		if dec.Decode(&skip) != nil {
			return true
		}
	}
	return true
}

// furtherRules are ours beyond JSON.
func furtherRules(line []byte, s *pushdapi.Send) error {
	bad := errors.New("a rule of ours")
	if !utf8.Valid(line) || s.Data == nil || s.TTL < 0 || time.Duration(s.TTL) > ttlMax {
		return bad
	}
	if _, err := push.ParseClass(s.Class); err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return err // also when something follows the object
	}
	for _, name := range []string{"user", "group", "id", "key", "class"} {
		var v *string
		if json.Unmarshal(fields[name], &v) == nil && v != nil && (*v == "" || len(*v) > 255) {
			return bad
		}
	}
	for _, u := range s.Users {
		if u == "" || len(u) > 255 {
			return bad
		}
	}
	return nil
}

func FuzzParseSend(f *testing.F) {
	for _, s := range []string{
		`{"user":"u","data":1}`, `{"users":["a","b\u00e9"],"data":{"x":[1,2.5e-3,"\ud83d\ude00"]},"ttl":"1m30s","class":"volatile"}`,
		`{"group":"g","id":"i","key":"k","ttl":1.5,"data":null}`, `{"data":[[[[]]],{},{"a":{}}]}`, "{\"data\":\r\n[\n]}",
		`{"user":null,"users":null,"ttl":null,"data":"\\\"\/\b\f\n\r\t"}`, `{"user":"u","data":-0}`, `{"data":truee}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) { same(t, line) })
}

func TestParseAllocatesNothing(t *testing.T) {
	line := []byte(`{"users":["a","b"],"id":"x","class":"stored","ttl":"1m","key":"k","data":{"text":"hello"}}`)
	var s Send
	if n := testing.AllocsPerRun(100, func() {
		if err := ParseSend(line, &s); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

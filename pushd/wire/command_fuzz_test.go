package wire

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// FuzzParseCommand compares every field with what encoding/json reads.
func FuzzParseCommand(f *testing.F) {
	for _, s := range []string{
		`{"type":"bind","group":"g","ref":1}`, `{"type":"ack","seq":1}`, ` {"type" : "up" , "data" : [{"a":"}"}] } `,
		`{"t\u0079pe":"login","user":"\ud83d\ude00","token":null}`, `{"type":"ping","type":"logout","user":"u"}`, "[]", "{",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCommand(b)
		var want map[string]json.RawMessage
		if json.Unmarshal(b, &want) != nil || want == nil {
			if err == nil || err.(*CommandError).Code != "bad_json" {
				t.Fatalf("%q: %+v, %v; encoding/json refuses it", b, c, err)
			}
			return
		}
		same(t, "ref", c.Ref, want["ref"])
		if err != nil {
			if code := err.(*CommandError).Code; code == "bad_json" {
				t.Fatalf("%q: %v, but encoding/json takes it", b, err)
			}
			return
		}
		same(t, "data", c.Data, want["data"])
		for field, got := range map[string]string{"type": c.Type, "group": c.Group, "user": c.User, "token": c.Token} {
			var s string
			if json.Unmarshal(want[field], &s); got != "" && got != s {
				t.Fatalf("%s: %q, want %q", field, got, s)
			}
			if !utf8.ValidString(got) {
				t.Fatalf("%s: %q is not UTF-8", field, got)
			}
		}
		var seq uint32
		if json.Unmarshal(want["seq"], &seq); c.Seq != 0 && c.Seq != seq {
			t.Fatalf("seq: %d, want %d", c.Seq, seq)
		}
	})
}

// same demands that a raw field, if read at all, is the field's own bytes.
func same(t *testing.T, field string, got, want json.RawMessage) {
	t.Helper()
	if got != nil && !bytes.Equal(got, want) {
		t.Fatalf("%s: %q, want %q", field, got, want)
	}
}

// FuzzString holds control frames to valid JSON in valid UTF-8, whatever text
// is put into them, and positions to their own writing.
func FuzzString(f *testing.F) {
	f.Add("k3x9-17")
	f.Add("\x00\"\\\xff\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		b := GapReplay(nil, s, s)
		var got struct{ After, Pos string }
		if err := json.Unmarshal(b, &got); err != nil || got.After != string([]rune(s)) || got.Pos != got.After || !utf8.Valid(b) || bytes.ContainsAny(b, "\r\n") {
			t.Fatalf("%q becomes %q, reads %q: %v", s, b, got.After, err)
		}
		if epoch, n, ok := ParsePos(s); ok && string(AppendPos(nil, epoch, n)) != s {
			t.Fatalf("position %q is not canonical", s)
		}
	})
}

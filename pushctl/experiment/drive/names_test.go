package drive

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pushfleet/internal/push"
	"pushfleet/internal/teewire"
)

func TestDerive(t *testing.T) {
	f := func(user string, number int, want string) {
		t.Helper()
		if got := derive(user, number); got != want {
			t.Errorf("derive(%q, %d) = %q, want %q", user, number, got, want)
		}
	}
	f("a", 0, "a")
	f("a", 1, "a~2")
	f("a", 9, "a~10")
	f(strings.Repeat("x", 255), 1, strings.Repeat("x", 253)+"~2")
	f(strings.Repeat("é", 127), 2, strings.Repeat("é", 126)+"~3")
}

func TestCommandOfACopy(t *testing.T) {
	token := &Driver{opts: Options{Token: func(users, groups []string) string { return "T:" + strings.Join(users, ",") }}}
	f := func(d *Driver, number int, cmd, want string) {
		t.Helper()
		if got := string(d.command([]byte(cmd), number)); got != want {
			t.Errorf("copy %d of %s is %s, want %s", number, cmd, got, want)
		}
	}
	plain := &Driver{}
	f(plain, 0, `{"type":"login","user":"b"}`, `{"type":"login","user":"b"}`)
	f(plain, 2, `{"type":"login","user":"b","ref":7}`, `{"ref":7,"type":"login","user":"b~3"}`)
	f(plain, 1, `{"type":"logout","user":"b"}`, `{"type":"logout","user":"b~2"}`)
	f(plain, 1, `{"type":"bind","group":"g"}`, `{"type":"bind","group":"g"}`)
	f(plain, 1, `{"type":"up","data":{"user":"b"}}`, `{"type":"up","data":{"user":"b"}}`)
	f(plain, 1, `{"user":`, `{"user":`)
	f(token, 0, `{"type":"login","user":"b"}`, `{"token":"T:b","type":"login","user":"b"}`)
	f(token, 1, `{"type":"login","user":"b"}`, `{"token":"T:b~2","type":"login","user":"b~2"}`)
	f(token, 1, `{"type":"logout","user":"b"}`, `{"type":"logout","user":"b~2"}`)
}

// What does not fit a request follows as commands.
func TestDivide(t *testing.T) {
	many := make([]string, 100)
	for i := range many {
		many[i] = strings.Repeat("g", 10)
	}
	used := 0
	in, rest := divide(many, &used)
	if len(in) != requestNames || len(rest) != 36 || used != 64*17 {
		t.Errorf("%d in a request, %d left, %d bytes", len(in), len(rest), used)
	}
	long := []string{strings.Repeat("%", 255), strings.Repeat("%", 255)}
	if in, rest = divide(long, &used); len(in) != 2 || len(rest) != 0 {
		t.Errorf("%d in, %d left", len(in), len(rest))
	}
	used = requestBytes - 10
	if in, rest = divide(many, &used); len(in) != 0 || len(rest) != 100 {
		t.Errorf("%d in, %d left", len(in), len(rest))
	}
	d := &Driver{}
	cmds := d.further([]string{`b"`}, []string{"g"})
	if got := string(cmds[0]) + string(cmds[1]); got != `{"type":"login","user":"b\""}{"type":"bind","group":"g"}` {
		t.Errorf("commands %s", got)
	}
}

// A message is one line that a node reads, whatever its names are.
func FuzzAppendMessage(f *testing.F) {
	f.Add("u", "", "i\n", "k\"", `{"a":[1]}`, int64(time.Minute), byte(1))
	f.Add("", "é", "", "", "\"x\"", int64(0), byte(0))
	f.Fuzz(func(t *testing.T, user, group, id, key, data string, ttl int64, class byte) {
		if !json.Valid([]byte(data)) || ttl < 0 {
			return
		}
		p := &teewire.Publish{User: user, Group: group, ID: id, Key: key, Class: push.Class(class) % push.ClassCount,
			TTL: time.Duration(ttl), Data: []byte(data)}
		oneLine(p.Data)
		line := appendMessage(nil, p, 1)
		var m struct {
			User, Group, ID, Key, Class, TTL string
			Data                             json.RawMessage
		}
		if err := json.Unmarshal(line, &m); err != nil || strings.ContainsAny(string(line), "\n\r") {
			t.Fatalf("%q: %v", line, err)
		}
		if utf8.ValidString(user+group+id+key) && (user != "" && m.User != derive(user, 1) || m.Group != group || m.ID != id || m.Key != key) {
			t.Errorf("%q says %+v", line, m)
		}
		if d, err := time.ParseDuration(m.TTL); ttl > 0 && (err != nil || d != time.Duration(ttl)) {
			t.Errorf("ttl %v became %q", time.Duration(ttl), m.TTL)
		}
	})
}

// A command of a copy is a command still.
func FuzzCommand(f *testing.F) {
	f.Add([]byte(`{"type":"login","user":"b","ref":7}`))
	f.Add([]byte(`{"type":"up","data":{"user":"b"}}`))
	d := &Driver{opts: Options{Token: func(users, groups []string) string { return "T" }}}
	f.Fuzz(func(t *testing.T, cmd []byte) {
		out := d.command(cmd, 1)
		if json.Valid(cmd) && !json.Valid(out) {
			t.Errorf("%q became %q", cmd, out)
		}
	})
}

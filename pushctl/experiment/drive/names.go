package drive

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"unicode/utf8"

	"pushfleet/internal/push"
)

// Bounds of what is named in a request; the rest follows as commands, where the
// transport has any. Servers take 64 of each and a head of 16 KiB.
const (
	requestNames = 64
	requestBytes = 12 << 10
)

// derive returns the name that user has in the copy of this number: copy 0 has
// its own, others u~2, u~3 and so on. Of a name too long for that the end gives
// way, whole characters of it.
func derive(user string, number int) string {
	if number == 0 {
		return user
	}
	suffix := "~" + strconv.Itoa(number+1)
	if n := push.UserIDMax - len(suffix); len(user) > n {
		for n > 0 && !utf8.RuneStart(user[n]) {
			n--
		}
		user = user[:n]
	}
	return user + suffix
}

func deriveAll(users []string, number int) []string {
	if number == 0 {
		return users
	}
	out := make([]string, len(users))
	for i, u := range users {
		out[i] = derive(u, number)
	}
	return out
}

// divide cuts a list where a request is full; used is the bytes in it.
func divide(list []string, used *int) (in, rest []string) {
	for i, s := range list {
		n := len(url.QueryEscape(s)) + len("&group=")
		if i == requestNames || *used+n > requestBytes {
			return list[:i], list[i:]
		}
		*used += n
	}
	return list, nil
}

// command returns a mirrored command as the copy of this number gives it: its
// users are derived, and a login gets the token that the tap has left out.
func (d *Driver) command(data []byte, number int) []byte {
	if number == 0 && d.opts.Token == nil || !bytes.Contains(data, []byte(`"user"`)) {
		return data
	}
	var m map[string]json.RawMessage
	var typ, user string
	if json.Unmarshal(data, &m) != nil || json.Unmarshal(m["type"], &typ) != nil ||
		json.Unmarshal(m["user"], &user) != nil || typ != "login" && typ != "logout" {
		return data
	}
	user = derive(user, number)
	m["user"] = quoted(user)
	if typ == "login" && d.opts.Token != nil {
		m["token"] = quoted(d.opts.Token([]string{user}, nil))
	}
	out, err := json.Marshal(m)
	if err != nil {
		return data
	}
	return out
}

// further returns the commands that say what did not fit a request.
func (d *Driver) further(users, groups []string) (list [][]byte) {
	for _, u := range users {
		list = append(list, d.command(append(append([]byte(`{"type":"login","user":`), quoted(u)...), '}'), 0))
	}
	for _, g := range groups {
		list = append(list, append(append([]byte(`{"type":"bind","group":`), quoted(g)...), '}'))
	}
	return list
}

func quoted(s string) []byte { return appendQuoted(nil, s) }

// appendQuoted appends s as a JSON string.
func appendQuoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x80 {
			q, err := json.Marshal(s)
			if err != nil { // of a string never
				panic(err)
			}
			return append(b, q...)
		}
	}
	b = append(append(b, '"'), s...)
	return append(b, '"')
}

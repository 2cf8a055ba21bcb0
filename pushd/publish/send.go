package publish

import (
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"

	"pushfleet/internal/push"
)

// ttlMax bounds a message's time to live: deadlines are kept on a wrapping
// clock of 32 bits of milliseconds.
const ttlMax = 7 * 24 * time.Hour

// Send is one parsed message. Its slices alias the parsed line and are valid as
// long as that. It is meant to be used again and again.
type Send struct {
	User, Group, ID, Key Text
	Users                []Text
	Data                 []byte // one JSON value, as written
	Class                push.Class
	TTL                  time.Duration // 0 none

	breaks  bool // Data holds line breaks as white space
	scratch []byte
}

// SendError says what is wrong with a message. Code is one stable word.
type SendError struct{ Code, Message string }

func (e *SendError) Error() string { return e.Message }

// codeOf is the word of an error of ParseSend.
func codeOf(err error) string {
	if e, ok := errors.AsType[*SendError](err); ok {
		return e.Code
	}
	return "bad_message"
}

func badJSON(format string, args ...any) error {
	return &SendError{"bad_json", fmt.Sprintf(format, args...)}
}

func badField(format string, args ...any) error {
	return &SendError{"bad_field", fmt.Sprintf(format, args...)}
}

func (s *Send) reset() {
	*s = Send{Users: s.Users[:0], scratch: s.scratch[:0]}
}

// ParseSend reads one message: a JSON object as pushdapi.Send describes it. It
// checks that all of it, data too, is strict JSON and UTF-8, and allocates
// only for errors, escapes in names and its first use of s. Of a field given
// twice the last counts. Errors are *SendError.
func ParseSend(line []byte, s *Send) error {
	s.reset()
	if !utf8.Valid(line) {
		return badJSON("the message is not UTF-8; encode it as UTF-8")
	}
	sc := scanner{b: line}
	if sc.space() != '{' {
		return sc.unexpected("an object")
	}
	sc.i++
	if sc.space() == '}' {
		sc.i++
	} else if err := s.fields(&sc); err != nil {
		return err
	}
	if sc.space(); sc.i < len(line) {
		return sc.unexpected("the end of the message")
	}
	return s.check()
}

func (s *Send) fields(sc *scanner) error {
	for {
		name, err := sc.name()
		if err != nil {
			return err
		}
		sc.space()
		if err := s.field(sc, name); err != nil {
			return err
		}
		switch sc.space() {
		case ',':
			sc.i++
		case '}':
			sc.i++
			return nil
		default:
			return sc.unexpected(`"," or "}"`)
		}
	}
}

func (s *Send) field(sc *scanner, raw []byte) error {
	name := s.text(raw).Val
	switch string(name) {
	case "data":
		start := sc.i
		sc.breaks = false
		if err := sc.value(); err != nil {
			return err
		}
		s.Data, s.breaks = sc.b[start:sc.i], sc.breaks
		return nil
	case "user":
		return s.str(sc, "user", push.UserIDMax, &s.User)
	case "users":
		return s.users(sc)
	case "group":
		return s.str(sc, "group", push.GroupIDMax, &s.Group)
	case "id":
		return s.str(sc, "id", push.IDMax, &s.ID)
	case "key":
		return s.str(sc, "key", push.IDMax, &s.Key)
	case "class":
		return s.class(sc)
	case "ttl":
		return s.ttl(sc)
	}
	return &SendError{"unknown_field", fmt.Sprintf("there is no field %q; use user, users, group, data, id, class, ttl, key", name)}
}

// str reads a string field. null leaves it as it is, like not giving it.
func (s *Send) str(sc *scanner, field string, max int, to *Text) error {
	switch sc.space() {
	case 'n':
		return sc.literal("null")
	case '"':
		raw, err := sc.string()
		if err != nil {
			return err
		}
		t := s.text(raw)
		if len(t.Val) == 0 || len(t.Val) > max {
			return badField("%s has %d bytes; give 1 to %d", field, len(t.Val), max)
		}
		*to = t
		return nil
	}
	return badField("%s must be a string", field)
}

func (s *Send) users(sc *scanner) error {
	s.Users = s.Users[:0]
	switch sc.space() {
	case 'n':
		return sc.literal("null")
	case '[':
		sc.i++
	default:
		return badField("users must be an array of strings")
	}
	if sc.space() == ']' {
		sc.i++
		return nil
	}
	for {
		if sc.space() != '"' {
			return badField("users must be an array of strings")
		}
		var t Text
		if err := s.str(sc, "a user", push.UserIDMax, &t); err != nil {
			return err
		}
		s.Users = append(s.Users, t)
		switch sc.space() {
		case ',':
			sc.i++
		case ']':
			sc.i++
			return nil
		default:
			return sc.unexpected(`"," or "]"`)
		}
	}
}

func (s *Send) class(sc *scanner) error {
	var t Text
	if err := s.str(sc, "class", push.IDMax, &t); err != nil || t.Val == nil {
		return err
	}
	c, err := push.ParseClass(view(t.Val))
	if err != nil {
		return badField("%v", err)
	}
	s.Class = c
	return nil
}

// ttl reads "250ms" or a number of seconds, as pushdapi.Duration does.
func (s *Send) ttl(sc *scanner) error {
	s.TTL = 0
	start := sc.i
	var err error
	switch c := sc.space(); {
	case c == 'n':
		return sc.literal("null")
	case c == '"':
		var raw []byte
		if raw, err = sc.string(); err != nil {
			return err
		}
		s.TTL, err = time.ParseDuration(view(s.text(raw).Val))
	default:
		if sc.number() != nil {
			return badField("ttl must be a duration such as \"30s\", or seconds")
		}
		var seconds float64
		seconds, err = strconv.ParseFloat(view(sc.b[start:sc.i]), 64)
		if seconds > ttlMax.Seconds() {
			err = strconv.ErrRange // before the conversion could overflow
		}
		s.TTL = time.Duration(seconds * float64(time.Second))
	}
	if err != nil || s.TTL < 0 || s.TTL > ttlMax {
		return badField("ttl %.40s must be a duration such as \"30s\", or seconds, of at most %v", sc.b[start:sc.i], ttlMax)
	}
	return nil
}

func (s *Send) check() error {
	if s.Data == nil {
		return &SendError{"no_data", "data is missing; give any JSON value, null if there is nothing to say"}
	}
	return nil
}

// target makes sure that a message goes to one user, several, or one group;
// all allows none of them, for a broadcast to everybody.
func (s *Send) target(all bool) error {
	n := 0
	for _, given := range [...]bool{s.User.given(), len(s.Users) > 0, s.Group.given()} {
		if given {
			n++
		}
	}
	switch {
	case n > 1:
		return &SendError{"bad_target", "more than one of user, users and group are given; send one message for each"}
	case n == 0 && !all:
		return &SendError{"no_target", "nobody to send to; give user, users or group (everybody: POST /v1/broadcast)"}
	case all && !s.Group.given() && n > 0:
		return &SendError{"bad_target", "a broadcast goes to a group or everybody; use POST /v1/send for users"}
	}
	return nil
}

// view is b as a string without a copy, for callees that do not keep it.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

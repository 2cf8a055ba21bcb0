package wire

import (
	"encoding/json"
	"fmt"
	"strconv"

	"pushfleet/internal/push"
)

// The commands a client may send.
const (
	CmdBind   = "bind"
	CmdUnbind = "unbind"
	CmdLogin  = "login"
	CmdLogout = "logout"
	CmdAck    = "ack"
	CmdUp     = "up"
	CmdPing   = "ping"
)

// RefMax bounds a command's ref, in bytes of JSON.
const RefMax = 64

// Command is one client message. Ref and Data are parts of the message's
// bytes: copy them to keep them.
type Command struct {
	Type  string
	Ref   json.RawMessage // number or string, echoed in the answer; nil: none
	Group string          // bind, unbind
	User  string          // login, logout
	Token string          // login
	Seq   uint32          // ack
	Data  json.RawMessage // up; any JSON
}

// CommandError refuses a command; Code and Message are for Err.
type CommandError struct {
	Code    string // bad_json, unknown_type, missing_field, bad_field
	Message string // says what to send
}

func (e *CommandError) Error() string { return e.Message }

// ParseCommand reads one client message. Its size is bounded by the caller.
// Unknown fields are ignored, of a field that stands twice the last one
// counts, names are case-sensitive and null counts as absent. The error is a
// *CommandError; the Command returned with it still holds the Ref if that was
// readable, so that the answer can carry it.
func ParseCommand(b []byte) (Command, error) {
	var c Command
	if !json.Valid(b) {
		return c, &CommandError{"bad_json", "the message is not JSON: send one object per message"}
	}
	f, ok := scanFields(b)
	if !ok {
		return c, &CommandError{"bad_json", "the message is not a JSON object: send one like {\"type\":\"ping\"}"}
	}
	if e := c.readRef(f.ref); e != nil {
		return c, e
	}
	if e := c.readType(f.typ); e != nil {
		return c, e
	}
	if e := c.readFields(&f); e != nil {
		return c, e
	}
	return c, nil
}

// readType takes a known type without a copy.
func (c *Command) readType(raw []byte) *CommandError {
	for _, t := range [...]string{CmdAck, CmdUp, CmdPing, CmdBind, CmdUnbind, CmdLogin, CmdLogout} {
		if len(raw) == len(t)+2 && string(raw[1:len(raw)-1]) == t {
			c.Type = t
			return nil
		}
	}
	return readString(&c.Type, "type", raw, 32, true)
}

// readFields reads what the type needs; fields of other types are ignored.
func (c *Command) readFields(f *fields) *CommandError {
	switch c.Type {
	case CmdBind, CmdUnbind:
		return readString(&c.Group, "group", f.group, push.GroupIDMax, true)
	case CmdLogin:
		return c.readLogin(f)
	case CmdLogout:
		return readString(&c.User, "user", f.user, push.UserIDMax, true)
	case CmdAck:
		return c.readSeq(f.seq)
	case CmdUp:
		if f.data == nil {
			return missing("data")
		}
		c.Data = f.data
		return nil
	case CmdPing:
		return nil
	}
	return &CommandError{"unknown_type", fmt.Sprintf("type %q is not known: send one of bind, unbind, login, logout, ack, up, ping", c.Type)}
}

func (c *Command) readLogin(f *fields) *CommandError {
	if isAbsent(f.user) && isAbsent(f.token) {
		return missing("user or token")
	}
	if e := readString(&c.User, "user", f.user, push.UserIDMax, false); e != nil {
		return e
	}
	return readString(&c.Token, "token", f.token, TokenMax, false)
}

func (c *Command) readSeq(raw []byte) *CommandError {
	if isAbsent(raw) {
		return missing("seq")
	}
	n, err := strconv.ParseUint(string(raw), 10, 32)
	if err != nil || n == 0 {
		return &CommandError{"bad_field", "field \"seq\" must be a whole number from 1 to 4294967295"}
	}
	c.Seq = uint32(n)
	return nil
}

func (c *Command) readRef(raw []byte) *CommandError {
	if isAbsent(raw) {
		return nil
	}
	if number := raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9'; !number && raw[0] != '"' || len(raw) > RefMax {
		return &CommandError{"bad_field", fmt.Sprintf("field \"ref\" must be a number or a string of at most %d bytes", RefMax)}
	}
	c.Ref = raw
	return nil
}

// readString reads a name of 1 to limit bytes into dst.
func readString(dst *string, field string, raw []byte, limit int, need bool) *CommandError {
	if isAbsent(raw) {
		if need {
			return missing(field)
		}
		return nil
	}
	s, ok := unquote(raw)
	if !ok || !validName(s, limit) {
		return &CommandError{"bad_field", fmt.Sprintf("field %q must be a string of 1 to %d bytes without control characters", field, limit)}
	}
	*dst = s
	return nil
}

func missing(field string) *CommandError {
	return &CommandError{"missing_field", fmt.Sprintf("field %s is missing: add it", field)}
}

func isAbsent(raw []byte) bool { return raw == nil || raw[0] == 'n' }

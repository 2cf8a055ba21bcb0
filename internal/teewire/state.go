package teewire

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"pushfleet/internal/push"
)

// state is what records have told up to some point, as far as it matters for
// those that follow: which connections are open, of which users, in which
// groups, and whose messages have a hole. It is what a driver has made of the
// same records.
type state struct {
	conns map[uint64]*opened
	torn  map[string]struct{} // users, at most tornMax
	hole  int64               // up to when records of files are missing
}

// tornMax bounds the users of whom it is known that they have a hole.
const tornMax = 1 << 16

// opened is a connection as it would be joined now: with the users that it was
// opened with and still has, and the groups that it is in. The strings of
// decoded records are its own.
type opened struct {
	Open
	logins []string // users that its client has logged in since, in order
	last   string   // whom it has logged out last
}

func newState() *state {
	return &state{conns: map[uint64]*opened{}, torn: map[string]struct{}{}, hole: math.MinInt64}
}

// add takes the record of a kind that r has just read.
func (s *state) add(k Kind, r *Reader) {
	switch k {
	case KindOpen:
		delete(s.conns, r.Open.Conn)
		if r.Open.At > s.hole {
			s.conns[r.Open.Conn] = &opened{Open: r.Open}
		}
	case KindIn:
		if o := s.conns[r.In.Conn]; o != nil && o.Proto == push.ProtoWS { // others have no commands
			o.command(r.In.Data)
		}
	case KindOut:
		if o := s.conns[r.Out.Conn]; o != nil {
			o.Blocked, o.Queued = r.Out.Blocked, r.Out.Queued
		}
	case KindClose:
		delete(s.conns, r.Close.Conn)
	case KindTorn:
		s.tear(&r.Torn)
	}
}

// tear forgets what has a hole. When that is everything a tap has missed
// messages, and connections go on; of a file anything of theirs may be missing.
func (s *state) tear(t *Torn) {
	switch {
	case t.AllConns():
		s.hole = max(s.hole, t.At)
		maps.DeleteFunc(s.conns, func(_ uint64, o *opened) bool { return o.At <= s.hole })
	case t.Conn != 0:
		delete(s.conns, t.Conn)
	case t.User != "" && len(s.torn) < tornMax:
		s.torn[t.User] = struct{}{} // its connections are looked for once, at the end
	}
}

// command obeys a client as a node does that refuses it nothing: what became of
// a command is not told.
func (o *opened) command(data []byte) {
	if !mayChange(data) {
		return
	}
	var m map[string]json.RawMessage // unlike a struct it tells upper from lower case
	if json.Unmarshal(data, &m) != nil {
		return
	}
	user, group := name(m["user"], push.UserIDMax), name(m["group"], push.GroupIDMax)
	switch typ := name(m["type"], len("unbind")); {
	case typ == "bind" && group != "":
		if len(o.Groups) < NamesMax && !slices.Contains(o.Groups, group) {
			o.Groups = append(o.Groups, group)
		}
	case typ == "unbind" && group != "":
		o.Groups = without(o.Groups, group)
	case typ == "login" && user != "":
		o.login(user)
	case typ == "logout" && o.has(user):
		o.Users, o.logins, o.last = without(o.Users, user), without(o.logins, user), user
	}
}

// mayChange tells cheaply that a command is worth a closer look: most are signs
// of life. Whoever writes them may escape any letter.
func mayChange(data []byte) bool {
	return bytes.Contains(data, []byte(`bind"`)) || bytes.Contains(data, []byte(`login"`)) ||
		bytes.Contains(data, []byte(`logout"`)) || bytes.IndexByte(data, '\\') >= 0
}

// name reads a JSON string of 1 to limit bytes without control characters; all
// else is "".
func name(raw json.RawMessage, limit int) (s string) {
	control := func(c rune) bool { return c < ' ' || c >= 0x7f && c < 0xa0 || c == 0x2028 || c == 0x2029 }
	if json.Unmarshal(raw, &s) != nil || len(s) > limit || strings.ContainsFunc(s, control) {
		return ""
	}
	return s
}

func without(list []string, s string) []string {
	return slices.DeleteFunc(list, func(x string) bool { return x == s })
}

func (o *opened) has(user string) bool {
	return slices.Contains(o.Users, user) || slices.Contains(o.logins, user)
}

func (o *opened) login(user string) {
	if o.has(user) || len(o.logins) == NamesMax {
		return
	}
	o.logins = append(o.logins, user)
	if len(o.Users)+len(o.logins) > 1 {
		o.Resume = false // and never again: a position would not say whose it is
	}
}

// Connections join one after the other, so that whoever replays it can dial
// them, and have some time then before anything else happens.
const (
	joinEvery = 200 * time.Microsecond
	joinRest  = time.Second
)

// batches begins a stream of this head as when a tee begins, so that the state
// is there at an instant: whose messages have a hole, and the connections, the
// oldest first.
func (s *state) batches(h Head, at int64) [][]byte {
	conns := s.whole()
	w := stateWriter{at: at - int64(joinRest) - int64(len(conns))*int64(joinEvery)}
	h.Wall, h.Mono = h.Time(w.at), w.at // whoever replays it counts from here
	w.b.Head(&h)
	for _, u := range slices.Sorted(maps.Keys(s.torn)) {
		w.b.Torn(&Torn{At: w.at, User: u, Why: DropBuffer})
		w.seal(blockBytes)
	}
	for _, o := range conns {
		w.conn(o)
		w.at += int64(joinEvery)
		w.seal(blockBytes)
	}
	w.seal(1)
	return w.out
}

// whole are the connections of users without a hole.
func (s *state) whole() []*opened {
	torn := func(u string) bool { _, is := s.torn[u]; return is }
	all := make([]*opened, 0, len(s.conns))
	for _, o := range s.conns {
		if !slices.ContainsFunc(o.Users, torn) && !slices.ContainsFunc(o.logins, torn) {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b *opened) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Conn, b.Conn)) })
	return all
}

// stateWriter writes batches of about blockBytes.
type stateWriter struct {
	at  int64 // of the next record
	b   Batch
	out [][]byte
}

// seal ends the batch if it has so many bytes.
func (w *stateWriter) seal(bytes int) {
	if w.b.Len() >= bytes {
		w.out = append(w.out, w.b.Seal())
		w.b = Batch{}
	}
}

// conn writes a connection down. Users that it was not opened with are logged
// in by commands, as they were: a node that refuses a command goes on, and one
// that refuses a user of a request ends the connection. A connection that
// nobody is logged in on had somebody once.
func (w *stateWriter) conn(o *opened) {
	open, logins := o.Open, o.logins
	open.Joined = true
	open.Age = max(0, o.Age+time.Duration(w.at-o.At))
	open.At = w.at
	switch {
	case len(o.Users) > 0:
	case len(logins) > 0:
		open.Users, logins = logins[:1], logins[1:]
	default:
		open.Users = []string{o.last}
	}
	w.b.Open(&open)
	for _, u := range logins {
		w.command(o.Conn, "login", u)
	}
	if len(o.Users)+len(o.logins) == 0 {
		w.command(o.Conn, "logout", o.last)
	}
}

func (w *stateWriter) command(conn uint64, typ, user string) {
	data, err := json.Marshal(map[string]string{"type": typ, "user": user})
	if err != nil { // of strings never
		panic(err)
	}
	w.b.In(w.at, conn, data)
}

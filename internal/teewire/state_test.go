package teewire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pushfleet/internal/push"
)

// A connection is found with the users and groups that its client has given it.
func TestCommandsChangeAConnection(t *testing.T) {
	f := func(want string, commands ...string) {
		t.Helper()
		o := &opened{Open: Open{Conn: 1, Proto: push.ProtoWS, Users: []string{"a"}, Groups: []string{"g"}, Resume: true}}
		for _, c := range commands {
			o.command([]byte(c))
		}
		s := newState()
		s.conns[1] = o
		if got := told(t, s); got != want {
			t.Errorf("%q\n got %s\nwant %s", commands, got, want)
		}
	}
	f(`[a] [g] resumes`)
	f(`[a] [g] resumes`, `{"type":"ping"}`, `{"type":"up","data":{"type":"bind","group":"x"}}`, `xxxxx`, `{"type":"ack","seq":7}`)
	f(`[a] [g h] resumes`, `{"type":"bind","group":"h","ref":1}`, `{"type":"bind","group":"h"}`, `{"type":"bind","group":"g"}`)
	f(`[a] [h] resumes`, `{"group":"h","type":"bind"}`, `{"type":"unbind","group":"g"}`, `{"type":"unbind","group":"never"}`)
	f(`[a] [] resumes`, `{"type":"unbind","group":"g"}`)
	f(`[a] [g] login b`, `{"type":"login","user":"b"}`, `{"type":"login","user":"b"}`, `{"type":"login","user":"a"}`)
	f(`[a] [g]`, `{"type":"login","user":"b"}`, `{"type":"logout","user":"b"}`)
	f(`[b] [g] login c`, `{"type":"login","user":"b"}`, `{"type":"login","user":"c"}`, `{"type":"logout","user":"a"}`)
	f(`[b] [g] login a`, `{"type":"login","user":"b"}`, `{"type":"logout","user":"a"}`, `{"type":"login","user":"a"}`)
	f(`[a] [g] resumes logout a`, `{"type":"logout","user":"a"}`, `{"type":"logout","user":"nobody"}`)
	// As the node reads them: escapes, the last of two, case, and names it does not take.
	f(`[a] [g é"] resumes`, `{"type":"\u0062ind","group":"\u00e9\""}`)
	f(`[a] [g h] resumes`, `{"type":"unbind","type":"bind","group":"x","group":"h"}`)
	f(`[a] [g h] resumes`, `{"type":"bind","group":"h","GROUP":"x","Type":"unbind"}`)
	f(`[a] [g] resumes`, `{"type":"bind","group":"\n"}`, `{"type":"bind","group":""}`, `{"type":"bind","group":null}`,
		`{"type":"bind","group":7}`, `{"type":"bind"}`, `{"type":"login"}`, `{"type":"Bind","group":"h"}`, `["bind"]`)
}

// told reads what a state writes of its only connection.
func told(t *testing.T, s *state) (out string) {
	t.Helper()
	r := NewReader(&listed{s.batches(*someHead(), 0)})
	for {
		k, at, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return out
		case err != nil || at > -second:
			t.Fatal(k, at, err)
		case k == KindOpen:
			if out = fmt.Sprint(r.Open.Users, " ", r.Open.Groups); r.Open.Resume {
				out += " resumes"
			}
		case k == KindIn:
			c := readCommand(r.In.Data)
			out += " " + c.Type + " " + c.User
		}
	}
}

// listed is a source of batches.
type listed struct{ list [][]byte }

func (l *listed) NextBatch() ([]byte, error) {
	if len(l.list) == 0 {
		return nil, io.EOF
	}
	b := l.list[0]
	l.list = l.list[1:]
	return b, nil
}

type commandText struct{ Type, User, Group string }

func readCommand(b []byte) (c commandText) {
	_ = json.Unmarshal(b, &c)
	return c
}

// seen is a plain account of a stream: what somebody who has read it from its
// beginning knows of the connections.
type seen struct {
	Conns map[uint64]*seenConn
	Torn  map[string]bool
}

type seenConn struct {
	Users, Groups map[string]bool
	Proto         push.Proto
	Blocked       bool
	Queued        uint32
}

func newSeen() *seen { return &seen{map[uint64]*seenConn{}, map[string]bool{}} }

func (s *seen) read(k Kind, r *Reader) {
	switch k {
	case KindOpen:
		o := &r.Open
		c := &seenConn{map[string]bool{}, map[string]bool{}, o.Proto, o.Blocked, o.Queued}
		for _, u := range o.Users {
			c.Users[u] = true
		}
		for _, g := range o.Groups {
			c.Groups[g] = true
		}
		s.Conns[o.Conn] = c
	case KindIn:
		if c := s.Conns[r.In.Conn]; c != nil && c.Proto == push.ProtoWS {
			c.obey(readCommand(r.In.Data))
		}
	case KindOut:
		if c := s.Conns[r.Out.Conn]; c != nil {
			c.Blocked, c.Queued = r.Out.Blocked, r.Out.Queued
		}
	case KindClose:
		delete(s.Conns, r.Close.Conn)
	case KindTorn:
		if r.Torn.User != "" {
			s.Torn[r.Torn.User] = true
		}
		delete(s.Conns, r.Torn.Conn)
	}
}

func (c *seenConn) obey(cmd commandText) {
	switch cmd.Type {
	case "bind":
		c.Groups[cmd.Group] = true
	case "unbind":
		delete(c.Groups, cmd.Group)
	case "login":
		c.Users[cmd.User] = true
	case "logout":
		delete(c.Users, cmd.User)
	}
}

// whole leaves out who has a hole.
func (s *seen) whole() *seen {
	out := &seen{map[uint64]*seenConn{}, s.Torn}
	for id, c := range s.Conns {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(c.Users)), func(u string) bool { return s.Torn[u] }) {
			out.Conns[id] = c
		}
	}
	return out
}

// drawStream makes up some seconds of a few connections that come, go, log in
// and join groups, told by three parts of a node.
func drawStream(t *rapid.T) (batches [][]byte) {
	users, groups := []string{"a", "b", "c", "d"}, []string{"g", "h", "i"}
	var b Batch
	b.Head(someHead())
	batches = append(batches, slices.Clone(b.Seal()))
	at := [3]int64{100 * second, 100 * second, 100 * second}
	for range rapid.IntRange(1, 40).Draw(t, "batches") {
		part := rapid.IntRange(0, 2).Draw(t, "part")
		b = Batch{Source: uint32(part + 1)}
		for range rapid.IntRange(1, 6).Draw(t, "records") {
			at[part] += rapid.SampledFrom([]int64{0, 1, second / 7, second, 3 * second}).Draw(t, "later")
			now := at[part]
			conn := uint64(3*rapid.IntRange(0, 2).Draw(t, "conn") + part + 1) // a connection has one part
			user, group := rapid.SampledFrom(users).Draw(t, "user"), rapid.SampledFrom(groups).Draw(t, "group")
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0, 1:
				proto := rapid.SampledFrom([]push.Proto{push.ProtoWS, push.ProtoWS, push.ProtoSSE}).Draw(t, "proto")
				b.Open(&Open{At: now, Conn: conn, Proto: proto, Users: []string{user}, Groups: []string{group}})
			case 2, 3, 4, 5, 6:
				typ := rapid.SampledFrom([]string{"bind", "unbind", "login", "logout"}).Draw(t, "type")
				b.In(now, conn, fmt.Appendf(nil, `{"type":%q,"user":%q,"group":%q}`, typ, user, group))
			case 7:
				b.Out(&Out{At: now, Conn: conn, Queued: uint32(now % 100), Blocked: now%2 == 0})
			case 8:
				b.Close(&Close{At: now, Conn: conn})
			case 9:
				torn := Torn{At: now, Conn: conn}
				if now%3 == 0 {
					torn = Torn{At: now, User: user}
				} else if now%3 == 1 {
					torn = Torn{At: now}
				}
				b.Torn(&torn)
			}
		}
		batches = append(batches, slices.Clone(b.Seal()))
	}
	return batches
}

// Whoever begins in the middle knows what one knows who has read everything
// before, and then reads the same.
func TestSeekToKnowsWhatWasBefore(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n, FileEnd))
		f := open(t, record(t, path, WriterOptions{}, drawStream(rt)))
		defer os.Remove(path)
		defer f.Close()
		from, to := f.Span()
		at := rapid.Int64Range(from-1, to+1).Draw(rt, "at")
		seg, block := f.find(at)
		before := uint32(0)
		for _, e := range f.segs[seg].blocks[:block] {
			before += e.records
		}
		all, began := newSeen(), newSeen()
		whole := words(t, f)
		f.Rewind()
		readSome(rt, NewReader(f), int(before), all)

		if err := f.SeekTo(t.Context(), at); err != nil {
			rt.Fatal(err)
		}
		rest := words(t, f)
		first := len(rest) - (len(whole) - int(before))
		if first < 0 || !slices.Equal(rest[first:], whole[before:]) {
			rt.Fatalf("behind %d of %d records come %d", before, len(whole), len(rest))
		}
		if err := f.SeekTo(t.Context(), at); err != nil {
			rt.Fatal(err)
		}
		r := NewReader(f)
		readSome(rt, r, first, began)
		if d := cmp.Diff(all.whole(), began.whole()); d != "" {
			rt.Error(d)
		}
		if block == 0 {
			return
		}
		if r.Head.Time(at) != someHead().Time(at) {
			rt.Errorf("the clock is another: %+v", r.Head)
		}
		last, begins := r.Head.Mono, int64(1<<62)
		for i, w := range rest {
			var k string
			var conn, at int64
			if _, err := fmt.Sscan(w, &k, &conn, &at); err != nil {
				rt.Fatal(w, err)
			}
			if i >= first {
				begins = min(begins, at)
			} else if last = max(last, at); at < last {
				rt.Errorf("%s is out of order", w)
			}
		}
		if begins < 1<<62 && begins-last < second {
			rt.Errorf("all have joined at %d, the rest begins at %d", last, begins)
		}
	})
}

func readSome(t *rapid.T, r *Reader, n int, s *seen) {
	for range n {
		k, _, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		s.read(k, r)
	}
}

package node_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
	"pushfleet/internal/testnode"
)

// mirrored is what a tee brought.
type mirrored struct {
	raw   bytes.Buffer
	head  teewire.Head
	open  map[uint64]teewire.Open
	in    []string
	out   map[uint64]uint32 // frames by connection
	pubs  []teewire.Publish // Data is not kept
	data  []string          // of pubs
	close map[uint64]push.CloseReason
	torn  []teewire.Torn
	count teewire.Count // the last
	end   teewire.End
	read  [teewire.KindLimit]uint64
}

// mirror begins a tee and reads it in the background; the result comes with
// its end.
func mirror(t *testing.T, n *testnode.Node, q pushdapi.TeeQuery) (result func() *mirrored) {
	t.Helper()
	body, err := n.API.Tee(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	m := &mirrored{open: map[uint64]teewire.Open{}, out: map[uint64]uint32{}, close: map[uint64]push.CloseReason{}}
	done := make(chan error, 1)
	go func() { // ends with the tee
		defer body.Close()
		done <- m.all(teewire.NewReader(teewire.NewStream(io.TeeReader(body, &m.raw))))
	}()
	return func() *mirrored {
		t.Helper()
		select {
		case err := <-done:
			if !errors.Is(err, io.EOF) {
				t.Fatalf("the stream ended with %v", err)
			}
		case <-time.After(15 * time.Second):
			t.Fatal("the tee does not end")
		}
		return m
	}
}

func (m *mirrored) all(r *teewire.Reader) error {
	for {
		k, _, err := r.Next()
		if err != nil {
			return err
		}
		m.read[k]++
		switch k {
		case teewire.KindHead:
			m.head = r.Head
		case teewire.KindOpen:
			m.open[r.Open.Conn] = r.Open
		case teewire.KindIn:
			m.in = append(m.in, string(r.In.Data))
		case teewire.KindOut:
			m.out[r.Out.Conn] += r.Out.Frames
		case teewire.KindPublish:
			p := r.Publish
			m.data = append(m.data, string(p.Data))
			p.Data = nil
			m.pubs = append(m.pubs, p)
		case teewire.KindClose:
			m.close[r.Close.Conn] = r.Close.Reason
		case teewire.KindTorn:
			m.torn = append(m.torn, r.Torn)
		case teewire.KindCount:
			m.count = r.Count
		case teewire.KindEnd:
			m.end = r.End
		}
	}
}

// conn is the connection of a user.
func (m *mirrored) conn(t *testing.T, user string) teewire.Open {
	t.Helper()
	for _, o := range m.open {
		if slices.Contains(o.Users, user) {
			return o
		}
	}
	t.Fatalf("no connection of %s in %v", user, m.open)
	return teewire.Open{}
}

// balanced holds what was read to the books in the stream and to those of the
// API.
func (m *mirrored) balanced(t *testing.T, tap *pushdapi.Tap) {
	t.Helper()
	for k := teewire.KindHead; k < teewire.KindLimit; k++ {
		want := m.read[k]
		if k == teewire.KindEnd {
			want = 0 // behind the books
		}
		dropped := uint64(0)
		for _, d := range m.count.Dropped[k] {
			dropped += d
		}
		if m.count.Sent[k] != want && k != teewire.KindEnd || m.count.Seen[k] != m.count.Sent[k]+dropped {
			t.Errorf("%s: read %d; the stream's books: seen %d, sent %d, dropped %d", k, m.read[k], m.count.Seen[k], m.count.Sent[k], dropped)
		}
		if name := k.String(); tap.Sent[name] != m.read[k] || tap.Seen[name] != tap.Sent[name]+tap.Dropped[name] {
			t.Errorf("%s: read %d; the books: seen %d, sent %d, dropped %d", k, m.read[k], tap.Seen[name], tap.Sent[name], tap.Dropped[name])
		}
	}
	if uint64(m.raw.Len()) != tap.Bytes+uint64(len(teewire.Magic)) {
		t.Errorf("read %d bytes, the books have %d without the %d that begin a stream", m.raw.Len(), tap.Bytes, len(teewire.Magic))
	}
}

// tapIs waits until the tap fulfils a condition.
func tapIs(t *testing.T, n *testnode.Node, what string, f func(*pushdapi.Tap) bool) *pushdapi.Tap {
	t.Helper()
	deadline := time.After(15 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := n.API.Tap(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if f(s) {
			return s
		}
		select {
		case <-deadline:
			t.Fatalf("did not happen: %s; the tap says %+v", what, *s)
		case <-tick.C:
		}
	}
}

// stream connects a user, until ctx ends, and returns what it gets line by line.
func stream(t *testing.T, ctx context.Context, n *testnode.Node, query string) *bufio.Scanner {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Client()+"/connect?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() {
		t.Fatal(lines.Err())
	}
	return lines
}

// tell publishes to a user, who must be connected.
func tell(t *testing.T, n *testnode.Node, user, data string) {
	t.Helper()
	r, err := n.API.Send(t.Context(), pushdapi.Send{User: user, Data: json.RawMessage(data)})
	if err != nil || r.Delivered == 0 {
		t.Fatalf("send to %s: %+v, %v", user, r, err)
	}
}

// A tee sees who is there, who comes, what they say and get, and who goes.
func TestTeeOfANode(t *testing.T) {
	n := testnode.Start(t, nil)
	ann := stream(t, t.Context(), n, "user=ann&group=news")
	result := mirror(t, n, pushdapi.TeeQuery{Sample: 100, Redact: teewire.RedactOff})
	tapIs(t, n, "ann has joined", func(s *pushdapi.Tap) bool { return s.Active && !s.Joining && s.Joined == 1 })

	bob, _, _, err := ws.Dial(t.Context(), "ws://"+n.Client()+"/connect?user=bob")
	if err != nil {
		t.Fatal(err)
	}
	defer bob.Close()
	if err := wsutil.WriteClientText(bob, []byte(`{"type":"bind","group":"news"}`)); err != nil {
		t.Fatal(err)
	}
	n.Eventually("bob is in the group", func(s *pushdapi.Stats) bool { return s.Totals.Received == 1 })
	tell(t, n, "ann", `"for ann"`)
	tell(t, n, "bob", `"for bob"`)
	if _, err := n.API.Broadcast(t.Context(), pushdapi.Send{Group: "news", Data: json.RawMessage(`"for the group"`)}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if !ann.Scan() {
			t.Fatal(ann.Err())
		}
	}
	n.Eventually("all is delivered", func(s *pushdapi.Stats) bool { return s.Totals.Delivered == 4 })
	bob.Close()
	n.Eventually("bob is gone", func(s *pushdapi.Stats) bool { return s.Connections.Total == 1 })
	if s := n.Stats(); s.Tap == nil || !s.Tap.Active || s.Tap.Connections != 1 || s.Connections.Sampled != 1 {
		t.Errorf("figures while a tee reads: %+v, %d sampled", s.Tap, s.Connections.Sampled)
	}
	if err := n.API.StopTee(t.Context()); err != nil {
		t.Fatal(err)
	}

	m := result()
	if m.head.Node != "test" || m.head.Sample != 100 || m.head.Redact != teewire.RedactOff || m.end.Reason != "stopped" {
		t.Errorf("head %+v, end %+v", m.head, m.end)
	}
	a, b := m.conn(t, "ann"), m.conn(t, "bob")
	if !a.Joined || a.Proto != push.ProtoStream || !slices.Equal(a.Groups, []string{"news"}) || b.Joined || b.Proto != push.ProtoWS {
		t.Errorf("opened %+v and %+v", a, b)
	}
	if m.out[a.Conn] != 2 || m.out[b.Conn] < 2 { // bob's hello and answer may be counted
		t.Errorf("frames out %v, of ann %d and bob %d", m.out, m.out[a.Conn], m.out[b.Conn])
	}
	if !slices.Equal(m.in, []string{`{"type":"bind","group":"news"}`}) {
		t.Errorf("commands %q", m.in)
	}
	slices.Sort(m.data)
	if !slices.Equal(m.data, []string{`"for ann"`, `"for bob"`, `"for the group"`}) {
		t.Errorf("published %q", m.data)
	}
	if len(m.close) != 1 || m.close[b.Conn] != push.CloseGone {
		t.Errorf("closed %v", m.close)
	}
	tap := tapIs(t, n, "the tee has ended", func(s *pushdapi.Tap) bool { return !s.Active })
	m.balanced(t, tap)
	if tap.EndReason != "stopped" || tap.EndDetail == "" || tap.EndedAt.IsZero() {
		t.Errorf("its end: %+v", *tap)
	}
	n.Eventually("nobody is in the sample", func(s *pushdapi.Stats) bool { return s.Connections.Sampled == 0 })
}

// Payloads and tokens leave the node only if somebody asks for them.
func TestTeeIsRedacted(t *testing.T) {
	n := testnode.Start(t, nil)
	f := func(q pushdapi.TeeQuery, hidden, shown []string) {
		t.Helper()
		result := mirror(t, n, q)
		ctx, leave := context.WithCancel(t.Context())
		lines := stream(t, ctx, n, "user=secret-user&group=secret-group&token=secret-token")
		tapIs(t, n, "the user is mirrored", func(s *pushdapi.Tap) bool { return s.Connections == 1 })
		tell(t, n, "secret-user", `"secret-payload"`)
		if !lines.Scan() {
			t.Fatal(lines.Err())
		}
		if err := n.API.StopTee(t.Context()); err != nil {
			t.Fatal(err)
		}
		m := result()
		for _, s := range hidden {
			if bytes.Contains(m.raw.Bytes(), []byte(s)) {
				t.Errorf("%s: %s is in the stream", q.Redact, s)
			}
		}
		for _, s := range shown {
			if !bytes.Contains(m.raw.Bytes(), []byte(s)) {
				t.Errorf("%s: %s is not in the stream", q.Redact, s)
			}
		}
		if len(m.data) != 1 || len(m.data[0]) != len(`"secret-payload"`) || !json.Valid([]byte(m.data[0])) {
			t.Errorf("%s: payloads %q", q.Redact, m.data)
		}
		leave()
		n.Eventually("the user is gone", func(s *pushdapi.Stats) bool { return s.Connections.Total == 0 && !s.Tap.Active })
	}
	f(pushdapi.TeeQuery{Sample: 100}, []string{"secret-payload", "secret-token"}, []string{"secret-user", "secret-group"})
	f(pushdapi.TeeQuery{Sample: 100, Redact: teewire.RedactNames}, []string{"secret-"}, nil)
	f(pushdapi.TeeQuery{Sample: 100, Redact: teewire.RedactOff}, []string{"secret-token"}, []string{"secret-payload", "secret-user"})
}

// What a reader and a look are told names the tee, and ends no other.
func TestATeeIsEndedByItsID(t *testing.T) {
	n := testnode.Start(t, nil)
	begin := func() *pushdapi.TeeStream {
		t.Helper()
		s, err := n.API.Tee(t.Context(), pushdapi.TeeQuery{Sample: 5})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	refused := func(id string, status int) {
		t.Helper()
		err := n.API.StopTeeID(t.Context(), id)
		if e, ok := errors.AsType[*pushdapi.Error](err); !ok || e.Status != status {
			t.Errorf("end tee %s: %v, want %d", id, err, status)
		}
	}
	end := func(s *pushdapi.TeeStream) {
		t.Helper()
		if err := n.API.StopTeeID(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, s); err != nil { // until it has ended: the next one has room
			t.Fatal(err)
		}
	}
	first := begin()
	if s := tapIs(t, n, "a tee reads", func(s *pushdapi.Tap) bool { return s.Active }); s.ID == "" || s.ID != first.ID {
		t.Errorf("the reader is told id %q, others %q", first.ID, s.ID)
	}
	end(first)
	refused(first.ID, http.StatusNotFound)
	second := begin()
	refused(first.ID, http.StatusConflict)
	if s := tapIs(t, n, "it reads on", func(s *pushdapi.Tap) bool { return s.Active }); s.ID != second.ID || s.ID == first.ID {
		t.Errorf("the first was %q, the second is %q, %q reads", first.ID, second.ID, s.ID)
	}
	end(second)
}

func TestOneTeeAtATime(t *testing.T) {
	n := testnode.Start(t, nil)
	refused := func(code string, status int) {
		t.Helper()
		_, err := n.API.Tee(t.Context(), pushdapi.TeeQuery{Sample: 5})
		if e, ok := errors.AsType[*pushdapi.Error](err); !ok || e.Code != code || e.Status != status {
			t.Errorf("%v, want %d %s", err, status, code)
		}
	}
	result := mirror(t, n, pushdapi.TeeQuery{Sample: 5})
	refused("busy", 409)
	set := func(value string) {
		t.Helper()
		if _, err := n.API.SetKnob(t.Context(), "tap.sample_percent", pushdapi.KnobSet{Value: value, Why: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	set("0")
	if m := result(); m.end.Reason != "sample" {
		t.Errorf("end %+v", m.end)
	}
	tapIs(t, n, "the tee has ended", func(s *pushdapi.Tap) bool { return !s.Active })
	refused("off", 409)
	set("2.5")
	result = mirror(t, n, pushdapi.TeeQuery{Sample: 5})
	if s := tapIs(t, n, "a tee reads", func(s *pushdapi.Tap) bool { return s.Active }); s.Asked != 5 || s.Sample != 2.5 {
		t.Errorf("asked %v, sample %v", s.Asked, s.Sample)
	}
	n.Stop()
	if m := result(); m.end.Reason != "drain" {
		t.Errorf("end %+v", m.end)
	}
}

// The goodbyes of a node that stops are mirrored, to a reader on the admin
// socket as well.
func TestTeeSeesTheDrain(t *testing.T) {
	n := testnode.Start(t, nil)
	ann := stream(t, t.Context(), n, "user=ann")
	go func() { // ends with the node
		for ann.Scan() {
		}
	}()
	n.API = pushdapi.New(n.AdminSocket(), pushdapi.Options{UserAgent: "reader"})
	defer n.API.Close()
	result := mirror(t, n, pushdapi.TeeQuery{Sample: 100})
	if s := tapIs(t, n, "ann is mirrored", func(s *pushdapi.Tap) bool { return s.Connections == 1 }); s.To != "reader by the admin socket" {
		t.Errorf("it goes to %q", s.To)
	}
	n.Stop()
	m := result()
	if c := m.conn(t, "ann").Conn; m.close[c] != push.CloseDrain || m.end.Reason != "drain" {
		t.Errorf("closed %v, end %+v", m.close, m.end)
	}
}

// unread begins a tee of ann that is not read.
func unread(t *testing.T, n *testnode.Node) (reader net.Conn, ann *bufio.Scanner) {
	t.Helper()
	ann = stream(t, t.Context(), n, "user=ann")
	c, err := net.Dial("tcp", n.PrivateAddr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET /v1/tee?sample=100 HTTP/1.1\r\nHost: node\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	tapIs(t, n, "ann is mirrored", func(s *pushdapi.Tap) bool { return s.Connections == 1 })
	return c, ann
}

// fill sends ann large messages, which she reads, until the tap fulfils a
// condition.
func fill(t *testing.T, n *testnode.Node, ann *bufio.Scanner, until func(*pushdapi.Tap) bool) {
	t.Helper()
	payload := `"` + strings.Repeat("x", 60_000) + `"`
	for range 2000 { // more than the sockets of both sides and the buffer hold
		tell(t, n, "ann", payload)
		if !ann.Scan() {
			t.Fatal(ann.Err())
		}
		if s, err := n.API.Tap(t.Context()); err != nil || until(s) {
			break
		}
	}
}

// ended wants the tee to have ended for a reason, its books to be right, and
// ann to be unharmed.
func ended(t *testing.T, n *testnode.Node, reason string) *pushdapi.Tap {
	t.Helper()
	tap := tapIs(t, n, "the tee has ended", func(s *pushdapi.Tap) bool { return !s.Active })
	if tap.EndReason != reason {
		t.Errorf("the tee ended: %+v, want %s", *tap, reason)
	}
	for kind := range maps.Keys(tap.Seen) {
		if tap.Seen[kind] != tap.Sent[kind]+tap.Dropped[kind] {
			t.Errorf("%s: seen %d, sent %d, dropped %d", kind, tap.Seen[kind], tap.Sent[kind], tap.Dropped[kind])
		}
	}
	if s := n.Stats(); s.Connections.Total != 1 || len(s.DroppedBy) != 0 {
		t.Errorf("the client suffered: %+v", *s)
	}
	return tap
}

// A reader that takes nothing costs its tee, not the node's clients.
func TestATeeThatIsNotReadEnds(t *testing.T) {
	n := testnode.Start(t, func(c *testnode.Config) { c.Knobs["tap.stall_timeout"] = "200ms" })
	_, ann := unread(t, n)
	fill(t, n, ann, func(s *pushdapi.Tap) bool { return !s.Active })
	ended(t, n, "stalled")
}

// What finds no room is left out, and counted.
func TestATeeThatIsNotReadFillsItsBuffer(t *testing.T) {
	n := testnode.Start(t, func(c *testnode.Config) {
		c.Knobs["tap.stall_timeout"], c.Knobs["tap.buffer_bytes_max"] = "10m", "1MiB"
	})
	reader, ann := unread(t, n)
	fill(t, n, ann, func(s *pushdapi.Tap) bool { return s.DroppedBy["buffer"] > 0 })
	if s := n.Stats(); s.Tap.BufferBytes > 1<<20 || s.Tap.BufferBytes == 0 {
		t.Errorf("%d bytes wait for the reader, at most 1 MiB may", s.Tap.BufferBytes)
	}
	reader.Close()
	if s := ended(t, n, "gone"); s.DroppedBy["buffer"] == 0 {
		t.Errorf("nothing was left out: %+v", *s)
	}
}

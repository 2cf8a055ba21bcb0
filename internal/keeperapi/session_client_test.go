package keeperapi

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

func TestSessionTakesWhatItIsSent(t *testing.T) {
	k, h := newKeeper(t), &obedient{}
	s, stop := follow(t, h, k)
	c := k.accept(t)
	if c.token != "Bearer secret" {
		t.Errorf("authorization %q", c.token)
	}
	if hello := c.welcome("k1", time.Hour/60); hello.ID != "gw-1" || hello.From != 0 || hello.Definition != nil {
		t.Errorf("hello %+v", hello)
	}
	c.say(KeeperFrame{NowMS: 5000, Knobs: &Effective{Revision: 7, Position: 9, Knobs: map[string]Held{"x": {Value: "2"}, "y": {Value: "3"}}}})
	if f := c.next(); f.Ack == nil || f.Ack.Applied != 7 {
		t.Errorf("instead of an ack %+v", f)
	}
	c.say(KeeperFrame{NowMS: 6000, Delta: &Changed{Revision: 8, Position: 10, Knobs: map[string]*Held{"x": nil}}})
	if f := c.next(); f.Ack == nil || f.Ack.Applied != 8 {
		t.Errorf("instead of an ack %+v", f)
	}
	want := []Update{
		{Cluster: "test", Full: true, Revision: 7, Position: 9, Now: 5000, Knobs: map[string]*Held{"x": {Value: "2"}, "y": {Value: "3"}}},
		{Cluster: "test", Revision: 8, Position: 10, Now: 6000, Knobs: map[string]*Held{"x": nil}},
	}
	if !reflect.DeepEqual(h.updates, want) {
		t.Errorf("updates %+v", h.updates)
	}
	c.say(KeeperFrame{Check: &Check{ID: 4, Values: map[string]string{"x": "12"}}})
	if f := c.next(); f.Checked == nil || f.Checked.ID != 4 || f.Checked.Refused[0].Reason != "never 12" {
		t.Errorf("instead of an answer %+v", f)
	}
	if leader, connected, since := s.State(); leader != "k1" || !connected || since.IsZero() || s.Err() != nil {
		t.Errorf("state %s %t %v %v", leader, connected, since, s.Err())
	}
	c.raw("{\"a_later_build\":{\"x\":1}}\n\n")
	left := make(chan bool)
	go func() { stop(); close(left) }()
	if f := c.next(); f == nil || !f.Leave {
		t.Errorf("instead of a goodbye %+v", f)
	}
	c.Close()
	<-left
	if _, connected, _ := s.State(); connected {
		t.Error("still connected after the end")
	}
}

func TestSessionNeedsDefinition(t *testing.T) {
	k, h := newKeeper(t), &obedient{}
	follow(t, h, k)
	c := k.accept(t)
	if f := c.next(); f.Hello == nil || f.Hello.Definition != nil {
		t.Fatalf("first %+v", f)
	}
	c.say(KeeperFrame{Need: "definition"})
	if hello := c.welcome("k1", time.Minute); len(hello.Definition) != 1 {
		t.Errorf("hello without the definition: %+v", hello)
	}
}

func TestSessionResumes(t *testing.T) {
	k, h := newKeeper(t), &obedient{}
	follow(t, h, k)
	c := k.accept(t)
	c.welcome("k1", time.Minute)
	c.say(KeeperFrame{NowMS: 1, Knobs: &Effective{Revision: 7, Position: 9}})
	c.next()
	c.raw(`{"now_ms":2,"delta":{"revision":8,"position":10,"kn`) // and dies
	c.Close()
	c = k.accept(t)
	if hello := c.welcome("k1", time.Minute); hello.From != 9 {
		t.Errorf("comes back with position %d, want 9: half a line counts for nothing", hello.From)
	}
}

func TestSessionFollowsTheLeader(t *testing.T) {
	follower, leader := newKeeper(t), newKeeper(t)
	follower.turnAway(&Error{Code: CodeNotLeader, Message: "k2 leads", Leader: leader.addr()})
	s, _ := follow(t, &obedient{}, follower) // the leader is not in the list
	leader.accept(t).welcome("k2", time.Minute)
	until(t, "connected with k2", func() bool { name, up, _ := s.State(); return up && name == "k2" })

	// The leader hands over, and says to whom.
	c := newKeeper(t)
	follower.turnAway(&Error{Code: CodeNoLeader, Message: "nobody leads"})
	leader.turnAway(&Error{Code: CodeNotLeader, Message: "k3 leads", Leader: c.addr()})
	s2, _ := follow(t, &obedient{}, leader)
	last := c.accept(t)
	last.welcome("k3", time.Minute)
	back := newKeeper(t)
	last.say(KeeperFrame{Bye: &Bye{Reason: "transfer", Leader: back.addr(), WithinMS: 5}})
	back.accept(t).welcome("k4", time.Minute)
	until(t, "connected with k4", func() bool { name, up, _ := s2.State(); return up && name == "k4" })
}

func TestSessionFallsBackToTheList(t *testing.T) {
	listed, gone := newKeeper(t), newKeeper(t)
	gone.Close()
	listed.turnAway(&Error{Code: CodeNotLeader, Message: "k2 leads", Leader: gone.addr()})
	follow(t, &obedient{}, listed)
	until(t, "asked again after the leader was not there", func() bool { return listed.requests() >= 2 })
	listed.turnAway(nil)
	listed.accept(t).welcome("k1", time.Minute)
}

func TestSessionSurvivesKeepersThatPointAtEachOther(t *testing.T) {
	a, b := newKeeper(t), newKeeper(t)
	a.turnAway(&Error{Code: CodeNotLeader, Message: "b leads", Leader: b.addr()})
	b.turnAway(&Error{Code: CodeNotLeader, Message: "a leads", Leader: a.addr()})
	s, _ := follow(t, &obedient{}, a)
	until(t, "said why", func() bool { return contains(s.Err(), "leads") })
	b.turnAway(nil)
	b.accept(t).welcome("b", time.Minute)
}

func TestSessionLeavesASilentKeeper(t *testing.T) {
	k, h := newKeeper(t), &obedient{}
	s, _ := follow(t, h, k)
	c := k.accept(t)
	c.welcome("k1", 50*time.Millisecond)
	began := time.Now()
	for first := h.count(); h.count() < first+5; { // signs of life keep the session for longer than the silence allowed
		if _, err := io.WriteString(c, "\n"); err != nil { // this test came to say nothing for so long
			c = k.accept(t)
			c.welcome("k1", 50*time.Millisecond)
			first = h.count()
		}
		if time.Since(began) > patience {
			t.Fatal("no beats")
		}
		time.Sleep(5 * time.Millisecond)
	}
	c.gone() // from here on nothing is said
	until(t, "says that the keeper is silent", func() bool { return contains(s.Err(), "silent") })
	k.accept(t).welcome("k1", time.Minute)
}

func (o *obedient) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.beats
}

func TestSessionRefusesNonsense(t *testing.T) {
	f := func(name, line, want string) {
		t.Run(name, func(t *testing.T) {
			k := newKeeper(t)
			s, _ := follow(t, &obedient{}, k)
			c := k.accept(t)
			c.welcome("k1", time.Minute)
			go c.Write([]byte(line)) // the node closes before it has read all of a long line
			until(t, "says "+want, func() bool { return contains(s.Err(), want) })
			k.accept(t).welcome("k1", time.Minute)
		})
	}
	f("no JSON", "hello\n", "no frame")
	f("oversize", strings.Repeat(" ", FrameMax+1<<17), "above the bound")
	f("no clock", `{"knobs":{"revision":1}}`+"\n", "its clock")
	f("no beat", `{"welcome":{"member":"k1","beat_ms":0}}`+"\n", "between beats")
	f("end", `{"bye":{"reason":"stopping"}}`+"\n", "stopping")
}

func TestSessionRefusesValuesBeforeTheWelcome(t *testing.T) {
	k, h := newKeeper(t), &obedient{}
	s, _ := follow(t, h, k)
	c := k.accept(t)
	c.next()
	c.say(KeeperFrame{NowMS: 1, Knobs: &Effective{Revision: 1}})
	until(t, "refused", func() bool { return contains(s.Err(), "without a welcome") })
	if len(h.updates) > 0 {
		t.Error("the values were taken")
	}
}

func TestSessionOverTLS(t *testing.T) {
	k := &keeper{conns: make(chan *keeperConn, 1)}
	k.Server = httptest.NewTLSServer(k)
	t.Cleanup(k.Close)
	roots := x509.NewCertPool()
	roots.AddCert(k.Certificate())
	c := NewClient([]string{"https://" + k.addr()}, ClientOptions{TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	s, stop := runWith(t, c, &obedient{}, slog.New(slog.DiscardHandler))
	conn := k.accept(t)
	conn.welcome("k1", time.Minute)
	until(t, "connected", func() bool { _, up, _ := s.State(); return up })
	left := make(chan bool)
	go func() { stop(); close(left) }()
	if f := conn.next(); f == nil || !f.Leave {
		t.Errorf("instead of a goodbye %+v", f)
	}
	conn.Close()
	<-left

	stranger, _ := run(t, []string{"https://" + k.addr()}, &obedient{}, slog.New(slog.DiscardHandler))
	until(t, "a certificate of nobody's is refused", func() bool { return contains(stranger.Err(), "certificate") })
}

// FuzzReadLine compares with cutting the whole at line ends.
func FuzzReadLine(f *testing.F) {
	f.Add([]byte("{}\n\nabc\n"), uint8(16))
	f.Add([]byte(strings.Repeat("x", 100)+"\n{"), uint8(3))
	f.Fuzz(func(t *testing.T, in []byte, chunk uint8) {
		r := bufio.NewReaderSize(iotest.OneByteReader(bytes.NewReader(in)), 16+int(chunk))
		want := bytes.Split(in, []byte("\n"))
		var buf []byte
		for _, w := range want[:len(want)-1] {
			line, err := readLine(r, buf)
			if err != nil || !bytes.Equal(line, w) {
				t.Fatalf("%q, %v; want %q", line, err, w)
			}
			buf = line
		}
		if line, err := readLine(r, buf); err == nil {
			t.Errorf("%q has no end and is taken", line)
		}
	})
}

func TestSessionTellsWhyItIsRefused(t *testing.T) {
	k := newKeeper(t)
	k.turnAway(&Error{Code: CodeRole, Message: "the token's role does not allow it"})
	s, _ := follow(t, &obedient{}, k)
	until(t, "the keeper's words", func() bool {
		e, ok := errors.AsType[*Error](s.Err())
		return ok && e.Code == CodeRole && e.Status == 421
	})
}

func TestSessionComplainsOnce(t *testing.T) {
	k := newKeeper(t)
	k.turnAway(&Error{Code: CodeNoLeader, Message: "nobody leads"})
	var log bytes.Buffer
	began := time.Now()
	_, stop := run(t, []string{k.addr()}, &obedient{}, slog.New(slog.NewTextHandler(&log, nil)))
	until(t, "many attempts", func() bool { return time.Since(began) > complainAfter+2*pauseSoon && k.requests() > 5 })
	stop() // the log has no other writer now
	if n := strings.Count(log.String(), "nobody leads"); n != 1 {
		t.Errorf("%d complaints in %d attempts:\n%s", n, k.requests(), log.String())
	}
}

func TestOutageTellsEachCauseOnce(t *testing.T) {
	began := time.Now()
	o := newOutage(began)
	f := func(cause string, after time.Duration, want bool) {
		t.Helper()
		if o.tell(cause, began.Add(after)) != want {
			t.Errorf("%s after %s: told %t", cause, after, !want)
		}
	}
	f("a", 0, false) // an election takes its time
	f("a", complainAfter, true)
	f("a", time.Hour, false)
	f("b", time.Hour, true)
	for i := range complaintsMax - 2 {
		f(fmt.Sprint(i), time.Hour, true)
	}
	f("one too many", time.Hour, false)
}

func TestSessionSays(t *testing.T) {
	k := newKeeper(t)
	s, _ := follow(t, &obedient{}, k)
	s.Say(NodeFrame{Broke: &Broke{Revision: 1}}) // before anybody is there
	s.Say(NodeFrame{Drift: &Drifts{List: []Drift{{Knob: "old"}}}})
	s.Say(NodeFrame{Drift: &Drifts{List: []Drift{{Knob: "x"}}}})
	c := k.accept(t)
	if f := c.next(); f.Hello == nil {
		t.Fatalf("first %+v", f)
	}
	c.say(KeeperFrame{Welcome: &Welcome{Member: "k1", BeatMS: 60_000}})
	if f := c.next(); f.Broke == nil || f.Broke.Revision != 1 {
		t.Errorf("instead of broke %+v", f)
	}
	if f := c.next(); f.Drift == nil || f.Drift.List[0].Knob != "x" {
		t.Errorf("instead of the latest drift %+v", f)
	}
	s.Say(NodeFrame{Broke: &Broke{Revision: 2}}) // while it is there
	if f := c.next(); f.Broke == nil || f.Broke.Revision != 2 {
		t.Errorf("instead of broke %+v", f)
	}
	c.Close() // perhaps before it has read it
	c = k.accept(t)
	c.welcome("k1", time.Minute)
	for _, want := range []uint64{1, 2} {
		if f := c.next(); f.Broke == nil || f.Broke.Revision != want {
			t.Errorf("instead of broke %d again %+v", want, f)
		}
	}
	if f := c.next(); f.Drift == nil || f.Drift.List[0].Knob != "x" {
		t.Errorf("the next keeper is not told the drift but %+v", f)
	}
}

func TestOutbox(t *testing.T) {
	o := newOutbox()
	now := time.Now()
	for i := range SayMax {
		if o.put(NodeFrame{Broke: &Broke{Revision: uint64(i)}}) {
			t.Fatal("dropped early")
		}
	}
	if !o.put(NodeFrame{Broke: &Broke{Revision: SayMax}}) {
		t.Error("no bound")
	}
	var got []uint64
	for f, ok := o.take(now); ok; f, ok = o.take(now.Add(time.Second)) {
		got = append(got, f.Broke.Revision)
	}
	if len(got) != SayMax || got[0] != 1 || got[SayMax-1] != SayMax {
		t.Errorf("took %v", got)
	}
	o.again(now) // the first was surely heard
	if f, ok := o.take(now); !ok || f.Broke.Revision != 2 {
		t.Errorf("again from %+v", f)
	}
	o.again(now.Add(time.Minute))
	if f, ok := o.take(now); !ok || f.Broke.Revision != 3 {
		t.Errorf("what was not sent is lost, next %+v", f)
	}
}

func TestSeekerPauses(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: errors.New("refused")}
	nobody := &Error{Code: CodeNoLeader, Message: "nobody leads"}
	k := newSeeker(NewClient([]string{"a", "b", "c"}, ClientOptions{}).sites, ClientOptions{})
	k.next = 0
	var asked []string
	fail := func(err error, lived time.Duration) time.Duration {
		to := k.pick()
		asked = append(asked, to.addr)
		return k.failed(to, err, lived)
	}
	if d := fail(errors.New("ended"), time.Minute); d > pauseFirst {
		t.Errorf("the first attempt after a loss waits %s", d)
	}
	if d := fail(refused, 0); d != 0 {
		t.Errorf("where nobody listens costs %s", d)
	}
	if d := fail(refused, 0); d != 0 {
		t.Errorf("where nobody listens costs %s", d)
	}
	if d := fail(refused, 0); d < pauseFirst/2 || d > pauseFirst*3/2 {
		t.Errorf("a round without anybody is followed by %s", d)
	}
	for spent := time.Duration(0); spent < 3*time.Second; {
		d := fail(nobody, 0)
		if d > pauseSoon*3/2 || d <= 0 {
			t.Fatalf("early pause %s", d)
		}
		spent += d
	}
	for range 50 {
		fail(nobody, 0)
	}
	if d := fail(nobody, 0); d < pauseLate/2 || d > pauseLate*3/2 {
		t.Errorf("late pause %s", d)
	}
	if got := fmt.Sprint(asked[:6]); got != "[a b c a b c]" {
		t.Errorf("asked %s", got)
	}
}

func TestSeekerAvoidsWhoFellSilent(t *testing.T) {
	k := newSeeker(NewClient([]string{"a", "b", "c"}, ClientOptions{}).sites, ClientOptions{})
	k.next = 0
	k.failed(k.pick(), fmt.Errorf("silent: %w", context.DeadlineExceeded), time.Minute)
	var asked strings.Builder
	for range 5 {
		to := k.pick()
		asked.WriteString(to.addr)
		k.failed(to, &Error{Code: CodeNoLeader, Message: "nobody leads"}, 0)
	}
	if asked.String() != "bcbcb" {
		t.Errorf("asked %s", asked.String())
	}
	for k.spent < soonFor {
		k.wait()
	}
	k.next = 0
	if k.pick().addr != "a" {
		t.Error("never asked again")
	}
}

func TestSeekerHasLittlePatienceAtFirst(t *testing.T) {
	f := func(addresses string, spent, timeout, want time.Duration) {
		t.Helper()
		o := ClientOptions{Timeout: timeout}
		k := newSeeker(NewClient(strings.Fields(addresses), o).sites, o)
		k.spend(time.Now().Add(-spent), time.Time{})
		k.spend(time.Now().Add(-time.Hour), time.Now()) // a session is no waste
		if got := k.patience(); got != want {
			t.Errorf("%s after %s: %s, want %s", addresses, spent, got, want)
		}
	}
	f("a b", 0, 5*time.Second, dialSoon)
	f("a b", soonFor, 5*time.Second, 5*time.Second)
	f("a b", 0, 10*time.Millisecond, 10*time.Millisecond)
	f("a", 0, 5*time.Second, 5*time.Second)
}

// TestSessionPassesPausedKeepers has machines that take connections, as the
// kernel does for a process that is stopped, and never say a word.
func TestSessionPassesPausedKeepers(t *testing.T) {
	k := newKeeper(t)
	addrs := []string{k.addr()}
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		addrs = append(addrs, l.Addr().String())
	}
	c := NewClient(addrs, ClientOptions{Timeout: time.Hour})
	runWith(t, c, &obedient{}, slog.New(slog.DiscardHandler))
	k.accept(t).welcome("k1", time.Minute)
}

func TestSeekerFollows(t *testing.T) {
	f := func(from, leader, want string) {
		t.Helper()
		k := newSeeker(NewClient([]string{from, "listed:1"}, ClientOptions{}).sites, ClientOptions{})
		to := k.follow(k.sites[0], leader)
		got := ""
		if to != nil {
			got = to.base
		}
		if got != want {
			t.Errorf("%s names %s: went to %q, want %q", from, leader, got, want)
		}
	}
	f("10.0.0.1:7410", "10.0.0.2:7410", "https://10.0.0.2:7410")
	f("10.0.0.1:7410", "", "")
	f("10.0.0.1:7410", "http://10.0.0.2:7410", "") // the token would be readable
	f("10.0.0.1:7410", "127.0.0.1:7410", "")
	f("10.0.0.1:7410", "/run/keeper/keeper.sock", "")
	f("127.0.0.1:7410", "127.0.0.1:7420", "http://127.0.0.1:7420")
	f("/run/keeper/keeper.sock", "10.0.0.2", "https://10.0.0.2:7410")
	f("10.0.0.1:7410", "listed:1", "https://listed:1")
}

func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if sleep(ctx, time.Hour) || time.Since(began) != time.Second {
			t.Errorf("slept %s", time.Since(began))
		}
		if sleep(ctx, 0) {
			t.Error("goes on after the end")
		}
	})
}

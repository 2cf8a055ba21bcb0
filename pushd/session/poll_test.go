package session

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
)

// ask sends one poll.
func (c *raw) ask(query string, headers ...string) {
	c.t.Helper()
	c.write(request(push.ProtoPoll, query, headers...))
}

// answer reads one response and returns its frames; closed tells that the
// connection ends with it.
func (c *raw) answer() (frames []frame, closed bool) {
	c.t.Helper()
	resp := c.response(200)
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		f, err := parseFrame(lines.Bytes())
		if err != nil {
			c.t.Fatalf("line %q: %v", lines.Text(), err)
		}
		frames = append(frames, f)
	}
	if lines.Err() != nil || len(frames) == 0 || frames[0].str("type") != "hello" {
		c.t.Fatalf("answer %v, %v; want it to begin with hello", frames, lines.Err())
	}
	return frames[1:], resp.Close
}

func (c *raw) expectAnswer(data ...int) (last string) {
	c.t.Helper()
	frames, _ := c.answer()
	var got []int
	for _, f := range frames {
		got = append(got, f.num("data"))
		last = f.str("pos")
	}
	if fmt.Sprint(got) != fmt.Sprint(data) {
		c.t.Fatalf("answer %v, want data %v", frames, data)
	}
	return last
}

func (r *rig) waiting(n int64) func() bool {
	return func() bool { return r.table.totals.Open[push.ProtoPoll] == n }
}

func TestPollWaitsAnswersAndGoesOn(t *testing.T) {
	r := newRig(t, "handshake.timeout", "500ms")
	c := r.raw()
	c.ask("user=u")
	r.eventually("poll waits", r.waiting(1))
	r.send("u", "1", slab.Meta{})
	last := c.expectAnswer(1)
	r.eventually("poll answered", r.waiting(0))
	// Between two polls: into the ring, and out of it at once.
	r.send("u", "2", slab.Meta{})
	r.send("u", "3", slab.Meta{})
	c.ask("user=u&last=" + last)
	last = c.expectAnswer(2, 3)
	c.ask("user=u&last=" + last)
	r.eventually("poll waits", r.waiting(1))
	r.send("u", "4", slab.Meta{})
	c.expectAnswer(4)
	// Who does not ask again is not held for ever, and nobody's fault.
	if rest := c.rest(); rest != "" {
		t.Errorf("after the last answer: %q", rest)
	}
	r.eventually("closed", r.closed(push.ClosePollDone))
	if rows := r.s.Closed.List(push.CloseNone, 0); len(rows) != 1 || rows[0].Delivered != 4 {
		t.Errorf("closed: %+v", rows)
	}
}

func TestPollTimeIsUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.raw()
	c.ask("user=u&poll=1")
	if frames, closed := c.answer(); len(frames) != 0 || closed {
		t.Errorf("answer %v, closed %v; want nothing on a kept connection", frames, closed)
	}
	c.ask("user=u&poll=1", "Connection: close")
	if frames, closed := c.answer(); len(frames) != 0 || !closed {
		t.Errorf("answer %v, closed %v; want nothing on a closed connection", frames, closed)
	}
	if rest := c.rest(); rest != "" {
		t.Errorf("after the last answer: %q", rest)
	}
	c.Close()
	r.eventually("closed", r.closed(push.ClosePollDone))
}

func TestPollClientThatLeavesWhileWaitingIsGone(t *testing.T) {
	r := newRig(t)
	c := r.raw()
	c.ask("user=u")
	r.eventually("poll waits", r.waiting(1))
	c.Close()
	r.eventually("gone", r.closed(push.CloseGone))
	c = r.raw()
	c.ask("user=u")
	r.eventually("poll waits", r.waiting(1))
	r.send("u", "1", slab.Meta{})
	c.expectAnswer(1)
	c.Close() // it has its answer
	r.eventually("done", r.closed(push.ClosePollDone))
	if n := len(r.s.Closed.List(push.CloseNone, 0)); n != 2 {
		t.Errorf("%d closed, want 2", n)
	}
}

func TestPipelinedPollsAreAnsweredInTurn(t *testing.T) {
	r := newRig(t)
	c := r.raw()
	c.ask("user=u")
	c.ask("user=u&last=test1-1")
	c.ask("user=u&last=test1-2", "Connection: close")
	for i := 1; i <= 3; i++ {
		r.eventually("poll waits", r.waiting(1))
		r.send("u", strconv.Itoa(i), slab.Meta{})
		c.expectAnswer(i)
	}
	if rest := c.rest(); rest != "" {
		t.Errorf("after the last answer: %q", rest)
	}
}

func TestTooMuchPipelinedIsRefused(t *testing.T) {
	r := newRig(t, "close.wait", "100ms")
	c := r.raw()
	c.ask("user=u")
	r.eventually("poll waits", r.waiting(1))
	c.write(strings.Repeat("x", headMax+1))
	r.eventually("refused", r.closed(push.CloseOversize))
}

// A kept connection is as new with each request: the rights of one poll are not
// those of the next session.
func TestKeptConnectionForgetsTheLastSession(t *testing.T) {
	t.Parallel()
	r := startRigWith(t, false, func(s *Shared) { s.Verifier = tokens{} })
	c := r.raw()
	c.ask("token=boss&poll=1") // may log in anybody
	c.answer()
	c.upgrade("token=u")
	c.say(`{"type":"login","user":"victim","ref":1}`)
	if f := c.frame(); !strings.Contains(string(f.Payload), `"code":"login"`) {
		t.Errorf("answer %q, want a refusal", f.Payload)
	}
}

// Random polls of many users over kept and new connections, while messages come
// at any moment: each message once, in order.
func TestPollIsExact(t *testing.T) {
	const users, n = 6, 600
	r := newRig(t, "replay.messages_max", "4096", "queue.messages_max", "65536")
	var wg sync.WaitGroup
	for i := range users {
		user := fmt.Sprintf("u%d", i)
		c := r.raw()
		c.ask("user=" + user)
		r.eventually("poll waits", r.waiting(int64(i+1)))
		wg.Go(func() { pollAll(r, c, user, n) })
	}
	for i := range users {
		wg.Go(func() { publishAll(r, fmt.Sprintf("u%d", i), n) })
	}
	wg.Wait()
}

func pollAll(r *rig, c *raw, user string, n int) {
	rnd := rand.New(rand.NewPCG(uint64(user[1]), 3))
	for next, last := 0, ""; ; {
		frames, closed, err := c.tryAnswer()
		if err != nil {
			r.t.Errorf("%s after message %d: %v", user, next-1, err)
			return
		}
		for _, f := range frames {
			if f.str("type") == "hello" {
				continue
			}
			if f.num("data") != next {
				r.t.Errorf("%s: after message %d came %v", user, next-1, f)
				return
			}
			last = f.str("pos")
			next++
		}
		if next == n {
			c.Close()
			return
		}
		if closed || rnd.IntN(4) == 0 {
			c.reset()
			c = &raw{t: r.t, Conn: r.dial("")}
			c.br = bufio.NewReader(c.Conn)
		}
		head := []string(nil)
		if rnd.IntN(4) == 0 {
			head = append(head, "Connection: close")
		}
		q := "user=" + user + "&last=" + last
		if last == "" {
			q = "user=" + user + "&last=test1-0"
		}
		if _, err := io.WriteString(c.Conn, request(push.ProtoPoll, q, head...)); err != nil {
			r.t.Error(err)
			return
		}
		if rnd.IntN(8) == 0 { // leaves before the answer and asks again
			c.reset()
			c = &raw{t: r.t, Conn: r.dial("")}
			c.br = bufio.NewReader(c.Conn)
			io.WriteString(c.Conn, request(push.ProtoPoll, q))
		}
	}
}

func (c *raw) tryAnswer() (frames []frame, closed bool, err error) {
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		return nil, false, err
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		f, err := parseFrame(lines.Bytes())
		if err != nil {
			return nil, false, err
		}
		frames = append(frames, f)
	}
	return frames, resp.Close, lines.Err()
}

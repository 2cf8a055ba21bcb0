package session

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/teewire"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/tap"
)

// A connection is mirrored from its beginning to its end, by each transport,
// and what its client read is told to the byte.
func TestATeeMirrorsAConnection(t *testing.T) {
	for _, p := range protos[:3] {
		r := newRig(t)
		end := r.tee(everybody(), false)
		c := r.raw()
		c.write(request(p, "user=u&user=v&group=g"))
		r.eventually("open", func() bool { return r.table.totals.Open[p] == 1 })
		for i := range 20 {
			r.send("u", fmt.Sprintf(`"%d%s"`, i, pad(1000)), slab.Meta{})
		}
		r.eventually("delivered", func() bool { return r.table.totals.Delivered == 20 })
		r.do(func() { r.table.Kick(r.table.handle(1), push.CloseKicked) })
		read, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		c.reset()
		r.eventually("closed", func() bool { return r.table.Live() == 0 })
		m := end()
		if len(m.opens) != 1 || len(m.close) != 1 {
			t.Fatalf("%s: %v", p, m.log)
		}
		o := m.opens[0]
		if !slices.Equal(o.Users, []string{"u", "v"}) || !slices.Equal(o.Groups, []string{"g"}) || o.Proto != p || o.Joined || o.Blocked {
			t.Errorf("%s: %+v", p, o)
		}
		if m.log[0] != "open" || m.log[len(m.log)-1] != "close" || m.close[0].Reason != push.CloseKicked {
			t.Errorf("%s: %v, %s", p, m.log, m.close[0].Reason)
		}
		if frames, bytes := m.sums(); frames != 20 || bytes != len(read) {
			t.Errorf("%s: %d frames in %d bytes are told, the client read %d bytes", p, frames, bytes, len(read))
		}
	}
}

// Who was connected before the tee joins with what it is now.
func TestOpenConnectionsJoin(t *testing.T) {
	r := newRig(t)
	slow, n := r.stuck("slow")
	c := r.ws("user=u&group=g")
	c.ask(`{"type":"bind","group":"h"}`, "ok", "")
	c.ask(`{"type":"login","user":"v"}`, "ok", "")
	poll := r.raw()
	poll.write(request(push.ProtoPoll, "user=p"))
	r.eventually("polling", func() bool { return r.table.totals.Open[push.ProtoPoll] == 1 })
	end := r.tee(everybody(), false)
	m := end()
	slow.reset()
	if len(m.opens) != 2 || m.count.Torn != 0 || len(m.close) != 0 || m.end.Reason != tap.EndStopped {
		t.Fatalf("%+v, %v", m.opens, m.log)
	}
	o := m.opens[1]
	slices.Sort(o.Groups)
	if !slices.Equal(o.Users, []string{"u", "v"}) || !slices.Equal(o.Groups, []string{"g", "h"}) || !o.Joined || o.Blocked || o.Queued != 0 {
		t.Errorf("%+v", o)
	}
	if o = m.opens[0]; o.Users[0] != "slow" || !o.Joined || !o.Blocked || o.Queued == 0 || int(o.Queued) > n {
		t.Errorf("%+v", o)
	}
}

// The pace of a client that reads late can be seen.
func TestThePaceOfReadingIsMirrored(t *testing.T) {
	r := newRig(t)
	end := r.tee(everybody(), false)
	c, n := r.stuck("slow")
	r.eventually("blocked", func() bool { return r.table.conns[1].is(flagBlocked) })
	go func() { _, _ = io.Copy(io.Discard, c.Conn) }()
	r.eventually("drained", func() bool {
		return r.table.totals.Queued == 0 && r.table.queues.Messages == 0 && !r.table.conns[1].is(flagBlocked)
	})
	r.do(func() { n = int(r.table.conns[1].delivered) })
	m := end()
	blocked := slices.IndexFunc(m.outs, func(o teewire.Out) bool { return o.Blocked && o.Queued > 0 })
	last := m.outs[len(m.outs)-1]
	if frames, _ := m.sums(); blocked < 0 || last.Blocked || last.Queued != 0 || frames != n {
		t.Errorf("blocked at %d of %d, %d frames of %d, at last %+v", blocked, len(m.outs), frames, n, last)
	}
}

func TestCommandsAreMirrored(t *testing.T) {
	r := startRigWith(t, false, func(s *Shared) { s.Verifier = tokens{} })
	end := r.tee(everybody(), false)
	c := r.ws("token=ann")
	c.ask(`{"type":"bind","group":"g","ref":1}`, "ok", "")
	c.ask(`{"type":"login","user":"bob"}`, "ok", "")
	c.ask(`{"type":"login","token":"eve","ref":2}`, "ok", "")
	c.ask(`{"type":"login","token":"late"}`, "error", "login")
	c.ask(`nonsense`, "error", "bad_json")
	m := end()
	want := []string{`{"type":"bind","group":"g","ref":1}`, `{"type":"login","user":"bob"}`, `{"type":"login","user":"eve","ref":2}`, `xxxxxxxx`}
	if !slices.Equal(m.ins, want) {
		t.Errorf("%q", m.ins)
	}
}

// Each long poll is a connection of its own.
func TestPollsAreMirrored(t *testing.T) {
	r := newRig(t)
	end := r.tee(everybody(), false)
	c := r.raw()
	for range 2 {
		c.ask("user=u")
		r.eventually("in the sample", func() bool { return r.table.totals.Sampled == 1 })
		r.send("u", "1", slab.Meta{})
		c.answer()
		r.eventually("not between polls", func() bool { return r.table.totals.Sampled == 0 })
	}
	m := end()
	if len(m.opens) != 2 || len(m.close) != 2 || m.opens[0].Conn == m.opens[1].Conn || m.opens[0].Poll != 30*time.Second {
		t.Fatalf("%+v", m.opens)
	}
	if frames, _ := m.sums(); frames != 2 || m.close[1].Reason != push.ClosePollDone {
		t.Errorf("%d frames, %+v", frames, m.close)
	}
}

// The sample follows the knob: connections leave and join whole.
func TestTheSampleIsChosenAnew(t *testing.T) {
	r := newRig(t)
	const n = 40
	for i := range n {
		r.rawWS(fmt.Sprintf("user=u-%d", i))
	}
	share := func(percent float64) (in int) {
		for i := range n {
			if tap.In(fmt.Sprintf("u-%d", i), percent) {
				in++
			}
		}
		return in
	}
	o := everybody()
	o.Sample = 60
	end := r.tee(o, false)
	for _, percent := range []float64{25, 50, 100, 10} {
		r.turn("tap.sample_percent", fmt.Sprint(percent))
		want := share(min(percent, 60))
		r.eventually(fmt.Sprintf("%v %% chosen", percent), func() bool {
			return r.table.totals.Sampled == int64(want) && r.table.tee.walk == walkNone
		})
	}
	m := end()
	if want := share(60) + share(60) - share(25); len(m.opens) != want || m.count.Torn != 0 {
		t.Errorf("%d have joined, want %d; %d torn", len(m.opens), want, m.count.Torn)
	}
	for _, x := range m.torn {
		if x.Why != teewire.DropSample {
			t.Errorf("%+v", x)
		}
	}
	if want := share(60) - share(25) + share(60) - share(10); len(m.torn) != want {
		t.Errorf("%d have left, want %d", len(m.torn), want)
	}
}

// With several users the first one decides, at the start and later.
func TestTheFirstUserDecides(t *testing.T) {
	in, out := "", ""
	for i := 0; in == "" || out == ""; i++ {
		if u := fmt.Sprintf("u-%d", i); tap.In(u, 50) {
			in = u
		} else {
			out = u
		}
	}
	f := func(first, second string, want int64) {
		t.Helper()
		r := newRig(t)
		o := everybody()
		o.Sample = 50
		end := r.tee(o, false)
		c := r.rawWS("user=" + first + "&user=" + second)
		c.say(`{"type":"login","user":"third","ref":1}`)
		c.frame()
		check := func(when string) {
			t.Helper()
			r.do(func() {
				if got := r.table.totals.Sampled; got != want {
					t.Errorf("%s before %s: %d in the sample %s, want %d", first, second, got, when, want)
				}
			})
		}
		check("at the start")
		r.turn("tap.sample_percent", "49.99")
		r.eventually("looked at", func() bool { return r.table.tee.now.Sample == 49.99 && r.table.tee.walk == walkNone })
		check("later")
		end()
	}
	f(in, out, 1)
	f(out, in, 0)
}

// Messages to all users of a connection in the sample are mirrored, whichever
// has decided.
func TestMessagesOfFurtherUsersAreMirrored(t *testing.T) {
	r := newRig(t)
	users := map[bool][]string{}
	for i := range 40 {
		u := fmt.Sprintf("u-%d", i)
		users[tap.In(u, 50)] = append(users[tap.In(u, 50)], u)
	}
	in, out := users[true], users[false]
	r.ws("user=" + in[0] + "&user=" + out[0])
	o := everybody()
	o.Sample = 50
	end := r.tee(o, false)
	c := r.ws("user=" + in[1] + "&user=" + out[1])
	c.ask(`{"type":"login","user":"`+out[2]+`"}`, "ok", "")
	r.ws("user=" + out[3] + "&user=" + in[2])
	for _, u := range []string{in[0], in[1], in[2], out[0], out[1], out[2], out[3]} {
		r.s.Tap.Publish(&teewire.Message{User: []byte(u), Data: []byte("1")})
	}
	if m := end(); len(m.opens) != 2 || m.count.Sent[teewire.KindPublish] != 6 {
		t.Errorf("%d connections, %d messages", len(m.opens), m.count.Sent[teewire.KindPublish])
	}
}

// A reader that takes nothing costs its connections nothing: all are torn, all
// is delivered, and the next tee mirrors them again.
func TestTornConnectionsGoOn(t *testing.T) {
	r := newRig(t, "tap.buffer_bytes_max", "1MiB")
	c := r.raw()
	c.write(request(push.ProtoWS, "user=u"))
	r.eventually("open", func() bool { return r.table.totals.Open[push.ProtoWS] == 1 })
	go func() { _, _ = io.Copy(io.Discard, c.Conn) }()
	end := r.tee(everybody(), true)
	r.eventually("in the sample", func() bool { return r.table.conns[1].is(flagSampled) })
	for range 30 {
		r.s.Tap.Publish(&teewire.Message{User: []byte("other"), Data: make([]byte, 50<<10)})
	}
	sent := uint64(0)
	for torn := false; !torn; sent += 1000 {
		for range 1000 {
			r.send("u", "1", slab.Meta{})
		}
		r.eventually("delivered", func() bool { return r.table.totals.Delivered == sent+1000 })
		r.do(func() { torn = r.table.conns[1].is(flagTorn) })
	}
	r.send("u", "1", slab.Meta{})
	r.eventually("delivered", func() bool { return r.table.totals.Delivered == sent+1 })
	m := end()
	of := slices.IndexFunc(m.torn, func(x teewire.Torn) bool { return x.Conn == m.opens[0].Conn })
	if of < 0 || m.torn[of].Why != teewire.DropBuffer || m.count.Torn != 1 {
		t.Errorf("torn: %+v", m.torn)
	}
	d := m.count.Dropped[teewire.KindOut]
	if d[teewire.DropBuffer] != 1 || d[teewire.DropTorn] == 0 || int(m.count.Sent[teewire.KindOut]) != len(m.outs) {
		t.Errorf("dropped %v, sent %d, read %d", d, m.count.Sent[teewire.KindOut], len(m.outs))
	}
	end = r.tee(everybody(), false)
	if m := end(); len(m.opens) != 1 || !m.opens[0].Joined {
		t.Errorf("the next tee: %+v", m.opens)
	}
}

// Whoever lost a message before its connection leaves the sample, and does not
// come back.
func TestAUserThatIsTornLeaves(t *testing.T) {
	r := newRig(t)
	c := r.ws("user=u")
	r.ws("user=v")
	end := r.tee(everybody(), false)
	r.s.Tap.Publish(&teewire.Message{User: []byte("u"), Data: make([]byte, teewire.RecordMax)})
	r.eventually("gone", func() bool { return r.table.totals.Sampled == 1 && r.table.conns[1].is(flagTorn) })
	c.ask(`{"type":"ping"}`, "pong", "")
	r.ws("user=u")
	m := end()
	if len(m.opens) != 2 || len(m.ins) != 0 || m.count.Torn != 1 || m.count.Dropped[teewire.KindOpen][teewire.DropTorn] != 1 ||
		m.count.Dropped[teewire.KindIn][teewire.DropTorn] != 1 {
		t.Errorf("%v, %q, %+v", m.opens, m.ins, m.count)
	}
}

// Whoever logs a torn user in lacks messages from then on.
func TestWhoLogsATornUserInLeaves(t *testing.T) {
	r := newRig(t)
	c := r.ws("user=v")
	end := r.tee(everybody(), false)
	r.s.Tap.Publish(&teewire.Message{User: []byte("u"), Data: make([]byte, teewire.RecordMax)})
	c.ask(`{"type":"login","user":"w"}`, "ok", "")
	r.do(func() {
		if n := r.table.totals.Sampled; n != 1 {
			t.Errorf("%d in the sample, with users who are whole", n)
		}
	})
	c.ask(`{"type":"login","user":"u"}`, "ok", "")
	r.do(func() {
		if n := r.table.totals.Sampled; n != 0 {
			t.Errorf("%d in the sample, with a user who is torn", n)
		}
	})
	m := end()
	if of := slices.IndexFunc(m.torn, func(x teewire.Torn) bool { return x.Conn == m.opens[0].Conn }); of < 0 || m.torn[of].Why != teewire.DropTorn {
		t.Errorf("%+v", m.torn)
	}
}

// The marks of the tee before are taken away in one walk over all connections,
// whatever happens to the next one meanwhile.
func TestMarksAreClearedInOneWalk(t *testing.T) {
	r := newRig(t)
	const turns = 5
	defer r.crowd(turns * clearSlice)()
	end := r.tee(everybody(), false)
	r.do(func() {
		r.mark()
		steps := 0
		for ; steps == 0 || r.table.tee.walk == walkClear && steps < 100*turns; steps++ {
			r.s.Tap.Publish(&teewire.Message{User: fmt.Append(nil, "u", steps), Data: make([]byte, teewire.RecordMax)})
			r.table.noteTee()
			r.table.stepTee()
		}
		if steps > turns+1 {
			t.Errorf("%d steps", steps)
		}
		if n := r.table.totals.Sampled; n != 0 {
			t.Errorf("%d keep their mark", n)
		}
	})
	end()
}

// With the knob at 0 nothing is mirrored from the moment on, and no connection
// keeps a mark.
func TestTheKnobEndsTheTee(t *testing.T) {
	r := newRig(t)
	c := r.ws("user=u")
	end := r.tee(everybody(), false)
	r.turn("tap.sample_percent", "0")
	c.ask(`{"type":"ping"}`, "pong", "")
	if m := end(); len(m.ins) != 0 || m.end.Reason != tap.EndSample {
		t.Errorf("%q, %+v", m.ins, m.end)
	}
}

// Tees one behind the other, with clients that come, go and are sent to: the
// books of each are exact.
func TestTeesUnderChurn(t *testing.T) {
	r := newRig(t)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { // ends with the test
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			c := r.ws(fmt.Sprintf("user=u-%d", i%10))
			_ = r.publish(fmt.Sprintf("u-%d", i%10), `"`+strings.Repeat("x", 100)+`"`, slab.Meta{})
			c.say(`{"type":"ping"}`)
			c.read()
			c.abort()
			c.conn.Close()
		}
	}()
	for i := range 8 {
		m := r.tee(everybody(), i%2 == 1)()
		n := [teewire.KindLimit]int{teewire.KindOpen: len(m.opens), teewire.KindIn: len(m.ins), teewire.KindOut: len(m.outs), teewire.KindClose: len(m.close)}
		for k, read := range n {
			if read > 0 && m.count.Sent[k] != uint64(read) {
				t.Errorf("%s: %d in the books, %d read", teewire.Kind(k), m.count.Sent[k], read)
			}
		}
	}
	close(stop)
	<-done
}

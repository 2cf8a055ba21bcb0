package session

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
)

// Tests of knobs that are turned while connections are open.

// vanish makes a client's kernel drop all that arrives, as if its host had
// lost the network.
func (c *raw) vanish() {
	c.t.Helper()
	sys, err := c.Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		c.t.Fatal(err)
	}
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	if e := sys.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop})
	}); e != nil || err != nil {
		c.t.Fatal(e, err)
	}
}

func TestHeartbeatIsTurnedOnOpenConnections(t *testing.T) {
	f := func(p push.Proto, silence func(r *rig, c *raw)) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c := r.reluctant(p, 16<<10)
			silence(r, c)
			r.turn("heartbeat."+p.String()+".interval", "1s")
			r.turn("heartbeat."+p.String()+".timeout", "1500ms")
			r.eventually("closed", r.closed(push.CloseHeartbeat))
		})
	}
	vanish := func(_ *rig, c *raw) { c.vanish() }
	f(push.ProtoWS, func(*rig, *raw) {}) // does not answer pings
	f(push.ProtoSSE, vanish)
	f(push.ProtoStream, vanish)
	f(push.ProtoPoll, func(r *rig, _ *raw) { // takes no answer
		r.send("u", `"`+pad(64<<10)+`"`, slab.Meta{})
		r.send("u", `"`+pad(64<<10)+`"`, slab.Meta{})
	})
}

// Clients that were promised a ping each 25 s get one each second.
func TestIntervalIsTurnedOnOpenConnections(t *testing.T) {
	f := func(p push.Proto, ping string) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c := r.reluctant(p, 0)
			r.turn("heartbeat."+p.String()+".interval", "1s")
			got := make([]byte, 2*len(ping))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != ping+ping { // before c's deadline of 15 s
				t.Errorf("read %q, %v; want two pings", got, err)
			}
		})
	}
	f(push.ProtoWS, "\x89\x00")
	f(push.ProtoSSE, "3\r\n:\n\n\r\n")
	f(push.ProtoStream, "10\r\n{\"type\":\"ping\"}\n\r\n")
	t.Run("poll", func(t *testing.T) { // is not asked; the next one is told
		r := newRig(t)
		r.turn("heartbeat.poll.interval", "7s")
		c := r.raw()
		c.ask("user=u")
		head, err := bufio.NewReader(c.response(200).Body).ReadString('\n')
		if err != nil || !strings.Contains(head, `"ping_ms":7000,`) {
			t.Errorf("hello %q, %v", head, err)
		}
	})
}

// A shorter timeout reaches the kernel, which watches for us, within a sweep.
func TestTheKernelIsToldOfATimeout(t *testing.T) {
	f := func(p push.Proto, before, after int) {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "heartbeat.ws.interval", "1s")
			r.reluctant(p, 16<<10)
			told := func() (ms int) {
				var err error
				r.do(func() {
					ms, err = unix.GetsockoptInt(int(r.table.conns[1].fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
				})
				if err != nil {
					t.Fatal(err)
				}
				return ms
			}
			if got := told(); got != before {
				t.Errorf("%d ms at first, want %d", got, before)
			}
			r.turn("heartbeat."+p.String()+".timeout", "50s")
			rounds := uint32(0)
			r.do(func() { rounds = r.table.sweeps + 3 })
			r.eventually("looked at", func() bool { return r.table.sweeps >= rounds })
			if got := told(); got != after {
				t.Errorf("%d ms after the knob was turned, want %d", got, after)
			}
		})
	}
	f(push.ProtoWS, 0, 0)
	f(push.ProtoSSE, 75_000, 50_000)
	f(push.ProtoStream, 75_000, 50_000)
	f(push.ProtoPoll, 0, 0)
}

func TestAnIntervalAsLongAsItsTimeoutIsRefused(t *testing.T) {
	r := newRig(t)
	f := func(name, value, want string) {
		t.Helper()
		_, err := r.knobs.Check(name, value)
		if got := fmt.Sprint(err); !strings.Contains(got, want) {
			t.Errorf("%s=%s: %s, want %s", name, value, got, want)
		}
	}
	for _, p := range []string{"ws", "sse", "stream"} {
		rule := fmt.Sprintf("heartbeat.%s.interval must be shorter than heartbeat.%s.timeout", p, p)
		f("heartbeat."+p+".interval", "75s", rule)
		f("heartbeat."+p+".timeout", "25s", rule)
		f("heartbeat."+p+".timeout", "26s", "nil")
	}
	f("heartbeat.poll.timeout", "5s", "nil")
	f("heartbeat.timeout", "90s", "heartbeat.")
}

func TestWhoLetsMessagesWaitIsClosed(t *testing.T) {
	r := newRig(t, "close.wait", "100ms")
	r.stuck("u")
	good := r.ws("user=good")
	for i := range 3 {
		r.send("u", fmt.Sprint(i), slab.Meta{})
	}
	r.eventually("they wait", func() bool { return r.table.Cols.Queued[1] == 4 })
	r.turn("slow.wait_max", "1s")
	r.eventually("closed", r.closed(push.CloseSlow))
	rows := r.s.Closed.List(push.CloseSlow, 0)
	if len(rows) != 1 || rows[0].User != "u" || rows[0].Queued != 4 || !strings.Contains(rows[0].Detail, "slow.wait_max is 1s") {
		t.Errorf("closed %+v, want u with 4 waiting and the knob's name", rows)
	}
	r.send("good", "1", slab.Meta{})
	good.expectData("1")
}

func TestAWaitTooShortToNoticeIsRefused(t *testing.T) {
	r := newRig(t)
	for value, fine := range map[string]bool{"0s": true, "999ms": false, "1s": true} {
		if _, err := r.knobs.Check("slow.wait_max", value); fine != (err == nil) {
			t.Errorf("slow.wait_max=%s: %v", value, err)
		}
	}
}

// What a queue does at its bounds once they and the policy of a class have been
// turned: least drops, as the kernel may yet take the frame under way, and
// whether the newest message is in the queue then.
func TestQueueBoundsAndPoliciesAreTurned(t *testing.T) {
	f := func(class push.Class, bound, value, policy string, want push.DropReason, least uint64, newest bool) {
		t.Run(class.String()+" "+policy, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			_, n := r.stuck("u")
			r.turn(bound, value)
			r.turn("queue."+class.String()+".policy", policy)
			for range 6 {
				r.send("u", `"`+pad(20_000)+`"`, slab.Meta{Class: class, Key: 1})
			}
			c := &r.table.conns[1]
			r.eventually("offered", func() bool { return int(c.queue.Seq) >= n+6 || c.state != StateOpen })
			r.do(func() {
				last := uint32(0)
				for m := r.table.queues.Head(&c.queue); m != nil; m = r.table.queues.After(m) {
					last = m.Seq
				}
				if got := r.table.queues.Dropped[want]; got < least || newest != (last == c.queue.Seq) {
					t.Errorf("%d dropped as %s, want %d or more; the last in the queue is %d of %d", got, want, least, last, c.queue.Seq)
				}
			})
		})
	}
	// The frame under way counts.
	f(push.ClassNormal, "queue.messages_max", "4", "drop-newest", push.DropOverflow, 2, false)
	f(push.ClassNormal, "queue.messages_max", "4", "coalesce", push.DropCoalesced, 5, true)
	f(push.ClassNormal, "queue.bytes_max", "64KiB", "drop-oldest", push.DropOverflow, 3, true)
	f(push.ClassVolatile, "queue.messages_max", "4", "drop-newest", push.DropOverflow, 2, false)
	f(push.ClassStored, "queue.messages_max", "4", "drop-oldest", push.DropOverflow, 2, true)
	f(push.ClassStored, "queue.messages_max", "4", "disconnect", push.DropDisconnect, 1, false)
}

// What a client might have sent at the rate before is no longer allowed.
func TestReadRateIsTurnedDown(t *testing.T) {
	r := newRig(t, "read.rate_max", "0")
	c := r.rawWS("user=u")
	f := func(n int) {
		t.Helper()
		for range n {
			c.say(`{"type":"ping"}`)
		}
	}
	f(300)
	for range 300 {
		c.frame()
	}
	r.turn("read.rate_max", "60000")
	f(1)
	c.frame()
	r.turn("read.rate_max", "2")
	r.do(func() { // no time passes for what comes in one turn
		conn := &r.table.conns[1]
		conn.readAt = r.table.nowMS
		for i, want := range []bool{true, true, false} {
			if got := r.table.allowed(1, conn); got != want {
				t.Errorf("message %d at 2/s: %v", i+1, got)
			}
		}
	})
	c.expectClose(push.CloseReadRate)
	c.Close()
	r.eventually("closed", r.closed(push.CloseReadRate))
}

// A broadcast that is held back by its pace goes on when the knob lets it.
func TestBroadcastPaceIsTurnedUp(t *testing.T) {
	r := newRig(t, "broadcast.rate_max", "1", "broadcast.slice", "12")
	var clients []*client
	for range 24 {
		clients = append(clients, r.ws("user=many"))
	}
	r.sendGroup(all, "1", 0)
	r.eventually("held back", func() bool { return r.table.totals.Offered == 12 && r.table.paced() })
	r.turn("broadcast.rate_max", "0")
	for _, c := range clients {
		c.expectData("1") // with the debt of 12 s it would be too late
	}
}

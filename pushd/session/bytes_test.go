package session

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pushfleet/internal/push"
	"pushfleet/pushd/slab"
	"pushfleet/pushd/wire"
	"pushfleet/pushd/wire/ws/wstest"
)

// randomData are JSON strings of 2 bytes to about 200 KB, small ones mostly.
func randomData(rnd *rand.Rand, n, total int) (list []string) {
	for len(list) < n {
		size := rnd.IntN(300)
		switch rnd.IntN(12) {
		case 0:
			size = rnd.IntN(200 << 10)
		case 1, 2:
			size = rnd.IntN(6 << 10)
		}
		if total -= size; total < 0 {
			size = 0
		}
		b := make([]byte, size)
		for i := range b {
			b[i] = 'a' + byte(rnd.IntN(26))
		}
		list = append(list, `"`+string(b)+`"`)
	}
	return list
}

// reluctant opens a client whose socket takes little and reads up to its hello.
func (r *rig) reluctant(p push.Proto, rcvbuf int) *raw {
	r.t.Helper()
	c := r.rawBuffer(rcvbuf)
	if p == push.ProtoWS {
		c.upgrade("user=u")
	} else {
		c.write(request(p, "user=u"))
		for line := ""; !strings.Contains(line, `"type":"hello"`); {
			var err error
			if line, err = c.br.ReadString('\n'); err != nil {
				r.t.Fatal(err)
			}
		}
		if p == push.ProtoSSE {
			_, _ = c.br.ReadString('\n')
		}
		_, _ = c.br.ReadString('\n') // end of the chunk
	}
	r.do(func() {
		fd := int(r.table.conns[1].fd)
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 1)
	})
	return c
}

// Whatever pieces the socket takes, the client reads the frames byte for byte.
func TestBytesThroughATightSocket(t *testing.T) {
	for _, p := range protos[:3] {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s/%d", p, seed), func(t *testing.T) { tight(t, p, seed) })
		}
	}
}

func tight(t *testing.T, p push.Proto, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 9))
	r := newRig(t, "queue.messages_max", "65536", "queue.bytes_max", "64MiB", "read.rate_max", "0")
	c := r.reluctant(p, []int{8 << 10, 32 << 10, 64 << 10}[seed])
	list := randomData(rnd, 400, 2<<20)
	var want bytes.Buffer
	for i, d := range list {
		f := wire.Frame{Seq: uint32(i + 1), Tail: []byte(`"data":` + d + `}`)}
		if p == push.ProtoSSE {
			f.Pos, f.Epoch = uint32(i+1), r.s.Epoch
		}
		head, foot := codecs[p].Head(nil, &f)
		want.Write(head)
		want.Write(f.Tail)
		want.WriteString(foot)
	}
	published := make(chan error, 1)
	go func() {
		for i, d := range list {
			if err := r.publish("u", d, slab.Meta{}); err != nil {
				published <- err
				return
			}
			if p == push.ProtoWS && i%5 == 0 {
				_, _ = c.Conn.Write(wstest.Frame(true, 0, wstest.PingOp, fmt.Sprint(i)))
			}
		}
		published <- nil
	}()
	in := &hesitant{r: c.br, rnd: rnd}
	if p == push.ProtoWS {
		readMixed(t, in, want.Bytes(), len(list))
	} else {
		got := make([]byte, want.Len())
		if _, err := io.ReadFull(in, got); err != nil {
			t.Fatal(err)
		}
		if i := differs(got, want.Bytes()); i >= 0 {
			t.Fatalf("byte %d of %d: %.80q, want %.80q", i, len(got), got[i:], want.Bytes()[i:])
		}
	}
	if err := <-published; err != nil {
		t.Error(err)
	}
	r.eventually("nothing waits", func() bool { return r.table.conns[1].queue.Count == 0 && r.table.conns[1].ctlLen == 0 })
	r.do(func() {
		conn := &r.table.conns[1]
		if int(conn.delivered) != len(list) || r.table.totals.WouldWait == 0 {
			t.Errorf("%d delivered of %d, the socket was full %d times", conn.delivered, len(list), r.table.totals.WouldWait)
		}
	})
}

// hesitant reads random pieces.
type hesitant struct {
	r   *bufio.Reader
	rnd *rand.Rand
}

func (h *hesitant) Read(b []byte) (int, error) {
	if h.rnd.IntN(3) == 0 {
		b = b[:min(len(b), 1+h.rnd.IntN(3000))]
	}
	return h.r.Read(b)
}

func differs(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

// readMixed reads frames in between which pongs may stand, in their order.
func readMixed(t *testing.T, in io.Reader, want []byte, n int) {
	t.Helper()
	pongs, last := 0, -1
	for got := 0; got < n || pongs < (n+4)/5; {
		var all bytes.Buffer
		f, err := wstest.ReadFrame(io.TeeReader(in, &all))
		if err != nil {
			t.Fatalf("after %d messages and %d pongs: %v", got, pongs, err)
		}
		if f.Op == wstest.PongOp {
			var i int
			if _, err := fmt.Sscan(string(f.Payload), &i); err != nil || i != last+5 && i != 0 {
				t.Fatalf("pong %q after %d", f.Payload, last)
			}
			last = i
			pongs++
			continue
		}
		if !bytes.HasPrefix(want, all.Bytes()) {
			t.Fatalf("message %d: %.80q, want %.80q", got, all.Bytes(), want)
		}
		want = want[all.Len():]
		got++
	}
}

package bench

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strconv"

	"golang.org/x/sys/unix"

	"pushfleet/internal/rawsys"
)

// floorServer is what a gateway costs at least on this machine: one thread,
// one epoll, one write per message, no queue, no checks, no statistics. It
// speaks just enough of the protocols to be driven like a node: WebSocket
// handshakes for users u-<n>, NDJSON publish streams, broadcasts.
type floorServer struct {
	epfd, ln int
	conns    []floorConn // by descriptor
	users    []int32     // descriptor of user n, 0 none
	buf      []byte
	frame    []byte
	dropped  uint64
	cast     []byte // frame of the broadcast under way
	casting  int    // descriptor it has reached
	caster   int    // connection that asked for it
	castN    uint64
}

type floorConn struct {
	kind  floorKind
	seq   uint32
	lines uint64 // published on it
	in    []byte // not yet parsed
}

type floorKind uint8

const (
	floorClosed floorKind = iota
	floorNew              // request not read
	floorClient           // WebSocket
	floorPublish
)

// floorSlice is the number of clients that get a broadcast between two looks
// at the sockets, floorUsers bounds the user numbers.
const (
	floorSlice = 64
	floorUsers = 1 << 20
)

// ServeFloor serves on addr until the process ends, after printing the address
// to ready. It turns the garbage collector off and keeps its thread, so it
// must be the only thing the process does.
func ServeFloor(addr netip.AddrPort, ready io.Writer) error {
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	s := &floorServer{buf: make([]byte, 256<<10), users: make([]int32, floorUsers)}
	bound, err := s.listen(addr)
	if err != nil {
		return fmt.Errorf("floor: %w", err)
	}
	if _, err := fmt.Fprintln(ready, bound); err != nil {
		return err
	}
	return s.loop()
}

func (s *floorServer) listen(addr netip.AddrPort) (bound netip.AddrPort, err error) {
	if s.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return
	}
	if s.ln, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return
	}
	if err = unix.Bind(s.ln, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}); err != nil {
		return
	}
	if err = unix.Listen(s.ln, 4096); err != nil {
		return
	}
	sa, err := unix.Getsockname(s.ln)
	if err != nil {
		return
	}
	in4 := sa.(*unix.SockaddrInet4)
	return netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), uint16(in4.Port)), s.watch(s.ln)
}

func (s *floorServer) watch(fd int) error {
	return unix.EpollCtl(s.epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

func (s *floorServer) loop() error {
	events := make([]unix.EpollEvent, 512)
	for {
		wait := -1
		if s.cast != nil {
			wait = 0
		}
		n, err := rawsys.BlockingEpollWait(s.epfd, events, wait)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("floor: wait: %w", err)
		}
		for i := range max(n, 0) {
			if fd := int(events[i].Fd); fd == s.ln {
				s.accept()
			} else {
				s.readable(fd)
			}
		}
		if s.cast != nil {
			s.castSlice()
		}
	}
}

func (s *floorServer) accept() {
	for {
		fd, _, err := unix.Accept4(s.ln, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		for fd >= len(s.conns) {
			s.conns = append(s.conns, make([]floorConn, len(s.conns)+1024)...)
		}
		s.conns[fd] = floorConn{kind: floorNew}
		if s.watch(fd) != nil {
			unix.Close(fd)
		}
	}
}

func (s *floorServer) close(fd int) {
	s.conns[fd] = floorConn{}
	unix.Close(fd)
}

func (s *floorServer) readable(fd int) {
	n, err := rawsys.RawRead(fd, s.buf)
	if err == unix.EAGAIN {
		return
	}
	if err != nil || n == 0 {
		s.close(fd)
		return
	}
	c := &s.conns[fd]
	switch c.kind {
	case floorNew:
		c.in = append(c.in, s.buf[:n]...)
		s.request(fd, c)
	case floorPublish:
		in := s.buf[:n]
		if len(c.in) > 0 {
			c.in = append(c.in, in...)
			in = c.in
		}
		rest := s.publish(fd, c, in)
		c.in = append(c.in[:0], rest...)
	}
}

// request answers a request whose head is complete.
func (s *floorServer) request(fd int, c *floorConn) {
	end := bytes.Index(c.in, []byte("\r\n\r\n"))
	if end < 0 {
		return
	}
	head, body := c.in[:end+2], c.in[end+4:]
	switch {
	case bytes.HasPrefix(head, []byte("GET /connect?user=u-")):
		user, _ := leadingInt(head[len("GET /connect?user=u-"):])
		sum := sha1.Sum(append(wsKey(head), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
		s.reply(fd, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
			base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n")
		c.kind, c.in = floorClient, nil
		if user < floorUsers {
			s.users[user] = int32(fd)
		}
	case bytes.HasPrefix(head, []byte("POST /v1/publish ")):
		s.reply(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		c.kind = floorPublish
		rest := s.publish(fd, c, body)
		c.in = append([]byte(nil), rest...)
	case bytes.HasPrefix(head, []byte("POST /v1/broadcast ")):
		s.broadcast(fd, c, head, body, end+4)
	default:
		s.reply(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
		s.close(fd)
	}
}

func (s *floorServer) reply(fd int, text string) { _, _ = rawsys.RawWrite(fd, []byte(text)) }

// wsKey returns a copy of the request's Sec-WebSocket-Key.
func wsKey(head []byte) []byte {
	_, rest, _ := bytes.Cut(head, []byte("Sec-WebSocket-Key: "))
	key, _, _ := bytes.Cut(rest, []byte("\r\n"))
	return bytes.Clone(key)
}

func leadingInt(b []byte) (n, digits int) {
	for digits < len(b) && digits < 9 && b[digits] >= '0' && b[digits] <= '9' {
		n = n*10 + int(b[digits]-'0')
		digits++
	}
	return n, digits
}

var userMark = []byte(`{"user":"u-`) // constant

// publish delivers whole lines and returns the rest. Chunk sizes are lines of
// their own, because a Publisher never splits a line over chunks; "0" ends.
func (s *floorServer) publish(fd int, c *floorConn, in []byte) []byte {
	for {
		i := bytes.IndexByte(in, '\n')
		if i < 0 {
			return in
		}
		line := in[:i]
		in = in[i+1:]
		if rest, ok := bytes.CutPrefix(line, userMark); ok {
			c.lines++
			if user, _ := leadingInt(rest); user < floorUsers && s.users[user] != 0 {
				s.send(int(s.users[user]), line)
			}
		} else if string(line) == "0\r" {
			done := fmt.Sprintf(`{"lines":%d,"delivered":%d,"done":true}`+"\n", c.lines, c.lines)
			s.reply(fd, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(done), done))
		}
	}
}

// send writes one frame: header, number, and the line as it came.
func (s *floorServer) send(fd int, line []byte) {
	c := &s.conns[fd]
	if c.kind != floorClient {
		return
	}
	c.seq++
	b := append(s.frame[:0], "____"+`{"seq":`...)
	b = append(strconv.AppendUint(b, uint64(c.seq), 10), ',')
	b = append(b, line[1:]...)
	s.frame = b
	if n, err := rawsys.RawWrite(fd, sealFrame(b)); err != nil || n == 0 {
		s.dropped++
	}
}

// sealFrame fills in the WebSocket header in the four bytes left for it and
// returns the frame, which begins two bytes later when the payload is short.
func sealFrame(b []byte) []byte {
	n := len(b) - 4
	if n < 126 {
		b[2], b[3] = 0x81, byte(n)
		return b[2:]
	}
	b[0], b[1] = 0x81, 126
	binary.BigEndian.PutUint16(b[2:], uint16(n))
	return b
}

// broadcast begins a broadcast of {"data":…}.
func (s *floorServer) broadcast(fd int, c *floorConn, head, body []byte, headLen int) {
	_, rest, _ := bytes.Cut(bytes.ToLower(head), []byte("content-length: "))
	want, _ := leadingInt(rest)
	if len(body) < want {
		return // the rest will come
	}
	s.cast = append([]byte(nil), bytes.TrimSpace(body[:want])...)
	s.casting, s.caster, s.castN = 0, fd, 0
	c.in = append(c.in[:0], c.in[headLen+want:]...)
}

// castSlice serves the next clients.
func (s *floorServer) castSlice() {
	for n := 0; s.casting < len(s.conns) && n < floorSlice; s.casting++ {
		if s.conns[s.casting].kind == floorClient {
			s.send(s.casting, s.cast)
			s.castN++
			n++
		}
	}
	if s.casting < len(s.conns) {
		return
	}
	s.cast = nil
	body := fmt.Sprintf(`{"delivered":%d}`, s.castN)
	s.reply(s.caster, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
}

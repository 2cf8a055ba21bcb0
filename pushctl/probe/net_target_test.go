package probe

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestHelperServer is a server in a process of its own, which does what it is
// told: one command a line, one answer in JSON for each.
func TestHelperServer(t *testing.T) {
	backlog, err := strconv.Atoi(os.Getenv("SERVER_BACKLOG"))
	if err != nil {
		t.Skip("runs for the tests of probe net only")
	}
	s := &server{t: t, listener: tcpSocket(t)}
	s.must(unix.Bind(s.listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	s.must(unix.Listen(s.listener, backlog))
	answer(portOf(t, s.listener))
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		command, arg, _ := strings.Cut(in.Text(), " ")
		n, _ := strconv.Atoi(arg)
		answer(s.obey(command, n))
	}
}

func answer(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	fmt.Printf("answer %s\n", b)
}

// server is the state of TestHelperServer.
type server struct {
	t        *testing.T
	listener int
	conns    []int
}

func (s *server) must(err error) {
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) obey(command string, n int) any {
	switch command {
	case "accept": // n connections
		for range n {
			fd, _, err := unix.Accept(s.listener)
			s.must(err)
			s.conns = append(s.conns, fd)
		}
	case "write": // n bytes to every connection
		for _, fd := range s.conns {
			s.write(fd, make([]byte, n))
		}
	case "fill": // every connection until it takes no more
		for _, fd := range s.conns {
			s.must(unix.SetNonblock(fd, true))
			for b := make([]byte, 1<<16); ; {
				if _, err := unix.Write(fd, b); err == unix.EAGAIN {
					break
				} else {
					s.must(err)
				}
			}
		}
	case "retransmits": // of all connections, by the kernel
		var n uint32
		for _, fd := range s.conns {
			info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			s.must(err)
			n += info.Total_retrans
		}
		return n
	case "unshare": // gives the connections to a thread with a table of its own
		done := make(chan error)
		go func() {
			runtime.LockOSThread()
			done <- unix.Unshare(unix.CLONE_FILES)
			<-done
		}()
		s.must(<-done)
		for _, fd := range s.conns {
			s.must(unix.Close(fd))
		}
	}
	return len(s.conns)
}

func (s *server) write(fd int, b []byte) {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		s.must(err)
		b = b[n:]
	}
}

func tcpSocket(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func portOf(t *testing.T, fd int) int {
	t.Helper()
	a, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return a.(*unix.SockaddrInet4).Port
}

// peer is a running TestHelperServer, and the ends of connections to it.
type peer struct {
	child
	port int
	ends []int
}

// serve starts a server in the network namespace of this thread.
func serve(t *testing.T, backlog int) *peer {
	t.Helper()
	p := &peer{child: child{t: t, cmd: exec.Command(os.Args[0], "-test.run=^TestHelperServer$", "-test.v")}}
	p.cmd.Env = append(os.Environ(), fmt.Sprintf("SERVER_BACKLOG=%d", backlog))
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.in, p.out = in, bufio.NewReader(out)
	t.Cleanup(p.stop)
	p.port = p.answer()
	return p
}

func (p *peer) answer() int {
	p.t.Helper()
	for {
		words, ok := strings.CutPrefix(p.line(), "answer ")
		if !ok {
			continue // what package testing says
		}
		n, err := strconv.Atoi(strings.TrimSpace(words))
		if err != nil {
			p.t.Fatal(err)
		}
		return n
	}
}

// do gives the server a command and returns its answer.
func (p *peer) do(format string, args ...any) int {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.in, format+"\n", args...); err != nil {
		p.t.Fatal(err)
	}
	return p.answer()
}

// dial connects n times.
func (p *peer) dial(n int) {
	p.t.Helper()
	for range n {
		fd := tcpSocket(p.t)
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: p.port}); err != nil {
			p.t.Fatal(err)
		}
		p.keep(fd)
	}
}

func (p *peer) keep(fd int) {
	p.ends = append(p.ends, fd)
	p.t.Cleanup(func() { unix.Close(fd) })
}

// read takes n bytes from every connection.
func (p *peer) read(n int) {
	p.t.Helper()
	b := make([]byte, n)
	for _, fd := range p.ends {
		for have := 0; have < n; {
			got, err := unix.Read(fd, b[have:])
			if err != nil || got == 0 {
				p.t.Fatalf("%d bytes of %d: %v", have, n, err)
			}
			have += got
		}
	}
}

// ownNet puts this test's thread into a network of its own, with a loopback,
// until the test ends: it may be the thread whose network is the process's.
func ownNet(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	before, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Skip(err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("a network namespace is not allowed here: %v", err)
	}
	t.Cleanup(func() {
		defer before.Close()
		if err := unix.Setns(int(before.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Errorf("back to the network of before: %v", err) // and the thread ends with the test
			return
		}
		runtime.UnlockOSThread()
	})
	command(t, "ip", "link", "set", "lo", "up")
}

// command runs a program in the network namespace of this thread.
func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

// netstat reads a counter of the TcpExt lines of this thread's network.
func netstat(t *testing.T, name string) uint64 {
	t.Helper()
	b, err := os.ReadFile("/proc/thread-self/net/netstat")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	i := slices.Index(strings.Fields(lines[0]), name)
	if i < 0 {
		t.Fatalf("%s is not in netstat", name)
	}
	n, err := strconv.ParseUint(strings.Fields(lines[1])[i], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// until waits for a condition, at most 20 s.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !f(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

package wstest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"
)

// Mode is how a scenario's bytes are cut into writes.
type Mode int

// The modes. A server must answer alike in all.
const (
	Whole  Mode = iota // all in one write
	Frames             // a write per frame
	Bytes              // a write per byte
	Chop               // writes of ChopBytes
)

// ChopBytes is the odd size by which the public suite cuts.
const ChopBytes = 997

func (m Mode) String() string { return [...]string{"whole", "frames", "bytes", "chop"}[m] }

// bytesMax is the size above which a scenario is not sent byte by byte.
const bytesMax = 4096

// Modes are the ways in which the scenario is worth sending.
func (s Scenario) Modes() []Mode {
	n := len(slices.Concat(s.Send...))
	modes := []Mode{Whole, Frames}
	if n <= bytesMax {
		modes = append(modes, Bytes)
	}
	if n > ChopBytes {
		modes = append(modes, Chop)
	}
	return modes
}

func (s Scenario) writes(m Mode) [][]byte {
	if m == Frames {
		return s.Send
	}
	all := slices.Concat(s.Send...)
	size := map[Mode]int{Whole: max(len(all), 1), Bytes: 1, Chop: ChopBytes}[m]
	return slices.Collect(slices.Chunk(all, size))
}

// Reply is one frame from the server.
type Reply struct {
	Op      byte
	Payload []byte
}

// Accepted judges the server's answer to a message that it must accept.
type Accepted func(want Want, got Reply) error

// Echo is the Accepted of a server that sends every message back.
func Echo(want Want, got Reply) error {
	if got.Op != want.Op || !bytes.Equal(got.Payload, want.Payload) {
		return fmt.Errorf("echo is opcode %d %.60q, want opcode %d %.60q", got.Op, got.Payload, want.Op, want.Payload)
	}
	return nil
}

// deadline bounds one scenario on a connection that can have one.
const deadline = 10 * time.Second

// lastPing proves at the end of a scenario that the connection is still open
// and that nothing else was on its way.
const lastPing = "wstest: still there?"

// Run plays one scenario on a new connection from open, whose handshake is
// done and from which everything the server sends by itself has been read.
func Run(t *testing.T, s Scenario, m Mode, open func(t *testing.T) io.ReadWriteCloser, accepted Accepted) {
	t.Helper()
	conn := open(t)
	defer conn.Close()
	if c, ok := conn.(interface{ SetDeadline(time.Time) error }); ok {
		if err := c.SetDeadline(time.Now().Add(deadline)); err != nil {
			t.Fatal(err)
		}
	}
	writes, wants := s.writes(m), s.Want
	if !s.Closes() {
		writes = append(slices.Clone(writes), whole(PingOp, lastPing))
		wants = append(slices.Clone(wants), pong(lastPing))
	}
	sent := make(chan error, 1) // ended by the last write, or by conn.Close
	go func() { sent <- send(conn, writes) }()
	for i, want := range wants {
		got, err := ReadFrame(conn)
		if err == nil {
			err = check(want, got, accepted)
		}
		if err != nil {
			t.Fatalf("answer %d of %d: %v", i+1, len(wants), err)
		}
	}
	if s.Closes() {
		if got, err := ReadFrame(conn); err == nil {
			t.Fatalf("after the close: opcode %d %.60q, want the end of the connection", got.Op, got.Payload)
		}
		return // a server that has closed need not read the rest
	}
	if err := <-sent; err != nil {
		t.Fatalf("write: %v", err)
	}
}

func send(w io.Writer, writes [][]byte) error {
	for _, b := range writes {
		if _, err := w.Write(slices.Clone(b)); err != nil {
			return err
		}
	}
	return nil
}

func check(want Want, got Reply, accepted Accepted) error {
	switch want.Kind {
	case Message:
		if got.Op == CloseOp || got.Op == PongOp {
			return fmt.Errorf("opcode %d %.60q, want an answer to a message", got.Op, got.Payload)
		}
		return accepted(want, got)
	case Pong:
		if got.Op != PongOp || !bytes.Equal(got.Payload, want.Payload) {
			return fmt.Errorf("opcode %d %.60q, want a pong with %.60q", got.Op, got.Payload, want.Payload)
		}
		return nil
	}
	code := uint16(0)
	if len(got.Payload) >= 2 {
		code = binary.BigEndian.Uint16(got.Payload)
	}
	if got.Op != CloseOp || !slices.Contains(want.Codes, code) {
		return fmt.Errorf("opcode %d %.60q, want a close with a code of %v", got.Op, got.Payload, want.Codes)
	}
	return nil
}

// ReadFrame reads one frame from a server and holds it to what this protocol
// sends: whole, not masked, no reserved bits, the shortest length.
func ReadFrame(r io.Reader) (Reply, error) {
	var head, long [8]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return Reply{}, err
	}
	if head[0]&0xf0 != 0x80 || head[1]&0x80 != 0 {
		return Reply{}, fmt.Errorf("frame header % x: want FIN, no reserved bits, no mask", head[:2])
	}
	size, extra, least := uint64(head[1]), 0, uint64(0)
	switch size {
	case 126:
		extra, least = 2, 126
	case 127:
		extra, least = 8, 1<<16
	}
	if extra > 0 {
		if _, err := io.ReadFull(r, long[8-extra:]); err != nil {
			return Reply{}, err
		}
		size = binary.BigEndian.Uint64(long[:])
	}
	if size < least {
		return Reply{}, errors.New("frame length is not in its shortest form")
	}
	payload := make([]byte, size)
	_, err := io.ReadFull(r, payload)
	return Reply{Op: head[0] & 0x0f, Payload: payload}, err
}

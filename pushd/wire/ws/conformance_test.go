package ws

import (
	"io"
	"net"
	"testing"

	"pushfleet/pushd/wire/ws/wstest"
)

// echoLimit lets the largest scenario through.
const echoLimit = 1 << 20

func TestConformance(t *testing.T) {
	count := 0
	for _, s := range wstest.All() {
		for _, m := range s.Modes() {
			count++
			t.Run(s.Group+"/"+s.Name+"/"+m.String(), func(t *testing.T) {
				wstest.Run(t, s, m, openEcho, wstest.Echo)
			})
		}
	}
	if count < 500 {
		t.Errorf("only %d conversations", count)
	}
}

// openEcho starts an echo server on a pipe. It ends when the scenario closes
// its side, or by itself after a Close.
func openEcho(t *testing.T) io.ReadWriteCloser {
	client, server := net.Pipe()
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		defer server.Close()
		echo(server)
	}()
	return client
}

// echo is the smallest server over a Decoder: it keeps what Next has left in
// front of what is read next.
func echo(conn net.Conn) {
	var (
		d       Decoder
		message []byte
		held    int
	)
	buf := make([]byte, echoLimit+ControlMax)
	for {
		n, err := conn.Read(buf[held:])
		if err != nil {
			return
		}
		in, out, closed := buf[:held+n], []byte(nil), false
		for !closed {
			ev, payload, used, err := d.Next(in, echoLimit)
			if err != nil {
				out, closed = Codec{}.Close(out, err.Reason), true
				break
			}
			in = in[used:]
			if ev == More {
				break
			}
			out, closed = answer(&d, out, ev, payload, &message)
		}
		if _, err := conn.Write(out); err != nil || closed {
			return
		}
		if held = copy(buf, in); held >= ControlMax {
			panic("Next left more than a caller must keep")
		}
	}
}

func answer(d *Decoder, out []byte, ev Event, payload []byte, message *[]byte) (_ []byte, closed bool) {
	switch ev {
	case Data:
		*message = append(*message, payload...)
	case End:
		op := byte(opText)
		if d.Binary() {
			op = opBinary
		}
		*message = append(*message, payload...)
		out = append(appendHeader(out, op, len(*message)), *message...)
		*message = nil
	case Ping:
		out = AppendPong(out, payload)
	case Close:
		return AppendCloseCode(out, CloseCode(payload)), true
	}
	return out, false
}

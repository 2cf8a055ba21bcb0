package session

import (
	"io"
	"testing"

	"pushfleet/internal/push"
)

// TestWhoTalksOnAfterTheGoodbyeIsCutOff has a client that was refused send on:
// it must not be read until close.wait.
func TestWhoTalksOnAfterTheGoodbyeIsCutOff(t *testing.T) {
	r := newRig(t, "close.wait", "1m")
	c := r.dial("")
	if _, err := io.WriteString(c, "NONSENSE\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r.eventually("the refusal", func() bool { return r.table.totals.Open[push.ProtoNone] == 1 && r.table.conns[1].state == StateClosing })
	junk := make([]byte, 64<<10)
	for sent := 0; sent < 64<<20; sent += len(junk) {
		if _, err := c.Write(junk); err != nil {
			r.eventually("closed", r.closed(push.CloseBadRequest))
			return
		}
	}
	t.Error("64 MiB were read after the goodbye")
}

// TestATalkativeClientIsReadOnOncePerTurn watches the list of clients whose
// input was left for the next turn: it must not grow with what they send.
func TestATalkativeClientIsReadOnOncePerTurn(t *testing.T) {
	r := newRig(t, "read.rate_max", "0", "read.message_bytes_max", "1MiB")
	c := r.stream("user=u", "*/*")
	sent := make(chan error, 1)
	go func() {
		junk := make([]byte, 1<<20)
		var err error
		for i := 0; i < 32 && err == nil; i++ {
			_, err = c.conn.Write(junk)
		}
		sent <- err
	}()
	for done := false; !done; {
		select {
		case err := <-sent:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		default:
		}
		r.do(func() {
			if n := len(r.table.again); n > 1 {
				t.Errorf("%d entries for one talkative client", n)
			}
		})
	}
}

package wire

import (
	"encoding/json"
	"testing"

	"pushfleet/internal/push"
)

func TestControlFrames(t *testing.T) {
	f := func(got []byte, want string) {
		t.Helper()
		if string(got) != want || !json.Valid(got) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	ref := json.RawMessage(`"r"`)
	f(Hello(nil, "3.1f20.2", 25000, "k3x9", ""), `{"type":"hello","conn":"3.1f20.2","ping_ms":25000,"epoch":"k3x9"}`)
	f(Hello(nil, "3.1f20.2", 25000, "k3x9", "k3x9-0"), `{"type":"hello","conn":"3.1f20.2","ping_ms":25000,"epoch":"k3x9","pos":"k3x9-0"}`)
	f(GapSeq(nil, 5, 9, 5, "overflow"), `{"type":"gap","from":5,"to":9,"count":5,"reason":"overflow"}`)
	f(GapReplay(nil, "k3-\"7", ""), `{"type":"gap","reason":"replay","after":"k3-\"7"}`)
	f(GapReplay(nil, "k3-7", "k4-2"), `{"type":"gap","reason":"replay","after":"k3-7","pos":"k4-2"}`)
	f(DrainMsg(nil, 1200), `{"type":"drain","after_ms":1200}`)
	f(OK(nil, ref), `{"type":"ok","ref":"r"}`)
	f(OK(nil, nil), `{"type":"ok"}`)
	f(Err(nil, json.RawMessage("1"), "bad_json", "a\tb\\"), `{"type":"error","ref":1,"code":"bad_json","message":"a\u0009b\\"}`)
	f(Err(nil, nil, "x", "\xff"), `{"type":"error","code":"x","message":"`+"\ufffd"+`"}`)
	f(Pong(nil, ref), `{"type":"pong","ref":"r"}`)
	f(CloseJSON(nil, push.CloseDrain), `{"type":"close","code":1012,"reason":"drain"}`)
}

func TestDataHead(t *testing.T) {
	f := func(frame Frame, want string) {
		t.Helper()
		if got := string(AppendDataHead(nil, &frame)); got != want || DataHeadLen(&frame) != len(want) {
			t.Errorf("%+v: %s of %d, want %s of %d", frame, got, DataHeadLen(&frame), want, len(want))
		}
	}
	f(Frame{Seq: 1}, `{"seq":1,`)
	f(Frame{Seq: 99, Epoch: "unused"}, `{"seq":99,`)
	f(Frame{Seq: 100, Pos: 10, Epoch: "k3"}, `{"seq":100,"pos":"k3-10",`)
	f(Frame{Seq: 1<<32 - 1, Pos: 1<<32 - 1, Epoch: "a"}, `{"seq":4294967295,"pos":"a-4294967295",`)
}

func TestChunkHead(t *testing.T) {
	f := func(n int, want string) {
		t.Helper()
		if got := string(AppendChunkHead(nil, n)); got != want+"\r\n" {
			t.Errorf("AppendChunkHead(%d) = %q, want %q", n, got, want)
		}
	}
	f(1, "1")
	f(15, "f")
	f(16, "10")
	f(255, "ff")
	f(256, "100")
	f(1<<24, "1000000")
	f(0xabcdef, "abcdef")
}

func TestParsePos(t *testing.T) {
	f := func(in, epoch string, n uint32, ok bool) {
		t.Helper()
		e, m, good := ParsePos(in)
		if e != epoch || m != n || good != ok {
			t.Errorf("ParsePos(%q) = %q, %d, %v; want %q, %d, %v", in, e, m, good, epoch, n, ok)
		}
		if ok && string(AppendPos(nil, e, m)) != in {
			t.Errorf("AppendPos(%q, %d) is not %q", e, m, in)
		}
	}
	f("k3x9-17", "k3x9", 17, true)
	f("0-0", "0", 0, true)
	f("0123456789abcdef-4294967295", "0123456789abcdef", 1<<32-1, true)
	for _, bad := range []string{"", "-", "a", "a-", "-1", "a--1", "a-+1", "a-01", "a-00", "a-1 ", "a-1-2", "A-1", "a.b-1", "a-4294967296", "0123456789abcdefg-1", "a-1_0"} {
		f(bad, "", 0, false)
	}
}

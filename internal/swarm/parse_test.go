package swarm

import (
	"fmt"
	"strings"
	"testing"

	"pushfleet/internal/push"
)

// offline is a worker with one open connection and no socket behind it.
func offline(proto push.Proto) (*worker, *record) {
	s := &Swarm{opts: Options{Conns: 1}}
	s.opts.defaults()
	s.plan.Workers = 1
	s.plan.PerWorker = 1
	w, err := newWorker(s, 0)
	if err != nil {
		panic(err)
	}
	w.free()
	c := &w.conns[0]
	c.fd, c.proto, c.state, c.parse = -1, proto, connOpen, parseChunkSize
	c.flags = flagSettled
	w.counts.Open = 1
	if proto == push.ProtoWS {
		c.parse = parseFrame
	}
	return w, c
}

// session is a stream of frames as a gateway sends it, with messages too long
// for the short frame form and for what is kept of a message.
func session(proto push.Proto) string {
	c := &fakeConn{proto: proto}
	var b strings.Builder
	b.WriteString(c.encode(`{"type":"hello","epoch":"e9","ping_ms":1}`, true))
	for i, size := range []int{0, 100, 200, 3000, 70_000, 10} {
		json := fmt.Sprintf(`{"seq":%d,"pos":"e9-%d","user":"u","data":{"t":5,"k":%d,"p":"%s"}}`, i+1, i+1, i%2, strings.Repeat("x", size))
		b.WriteString(c.encode(json, false))
	}
	b.WriteString(c.encode(`{"type":"gap","from":7,"to":9,"count":3,"reason":"overflow"}`, true))
	b.WriteString(c.encode(`{"seq":10,"data":{"t":5}}`, false))
	return b.String()
}

// TestParserDoesNotCareForPieces feeds the same bytes cut in every way.
func TestParserDoesNotCareForPieces(t *testing.T) {
	for _, proto := range []push.Proto{push.ProtoWS, push.ProtoSSE, push.ProtoStream, push.ProtoPoll} {
		in := session(proto)
		for _, size := range []int{1, 2, 3, 5, 7, 11, 64, 127, 1000, 4096, len(in)} {
			w, c := offline(proto)
			for off := 0; off < len(in); off += size {
				piece := []byte(in[off:min(off+size, len(in))])
				w.feed(0, c, piece)
			}
			got := w.counts
			if got.Received != 7 || got.Stamped != 7 || got.Control != 2 || got.Declared != 3 || got.Missing != 3 ||
				got.Lost+got.Duplicates+got.OutOfOrder+got.Malformed != 0 {
				t.Fatalf("%v in pieces of %d: %+v", proto, size, got)
			}
			if w.total.Kind[1].Count() != 3 || c.pos != 6 || w.epoch != "e9" || c.part != 0 {
				t.Fatalf("%v in pieces of %d: kind 1 %d times, pos %d, epoch %q, part %d",
					proto, size, w.total.Kind[1].Count(), c.pos, w.epoch, c.part)
			}
		}
	}
}

func TestParserRefuses(t *testing.T) {
	f := func(proto push.Proto, in, reason string) {
		t.Helper()
		w, c := offline(proto)
		w.feed(0, c, []byte(in))
		if w.counts.ClosedBy[reason] != 1 {
			t.Errorf("%v %q: closed by %v, want %q", proto, in, w.counts.ClosedBy, reason)
		}
	}
	f(push.ProtoWS, "\x01\x02hi", "malformed: bad frame")     // fragment
	f(push.ProtoWS, "\x81\x82....hi", "malformed: bad frame") // masked
	f(push.ProtoWS, "\x83\x00", "malformed: bad frame")       // unknown opcode
	f(push.ProtoSSE, "x\r\n", "malformed: bad chunk")
	f(push.ProtoSSE, "1111111111111111\r\n", "malformed: bad chunk")
	f(push.ProtoSSE, "0\r\n\r\n", "end of stream")
	f(push.ProtoStream, "0\r\nA: b\r\n\r\n", "end of stream")
	w, c := offline(push.ProtoWS)
	w.feed(0, c, []byte(wsFrame(opText, "[]")+wsFrame(opText, `{"seq":0}`)+wsFrame(opText, `{"seq":99999999999999999999}`)))
	if w.counts.Malformed != 3 {
		t.Errorf("%d malformed, want 3", w.counts.Malformed)
	}
}

func FuzzParser(f *testing.F) {
	for p := push.ProtoWS; p < push.ProtoCount; p++ {
		f.Add(uint8(p), uint8(7), []byte(session(p)[:600]))
	}
	f.Fuzz(func(t *testing.T, p, size uint8, in []byte) {
		w, c := offline(push.ProtoWS + push.Proto(p)%(push.ProtoCount-push.ProtoWS))
		for off := 0; off < len(in); off += int(size) + 1 {
			w.feed(0, c, append([]byte(nil), in[off:min(off+int(size)+1, len(in))]...))
			if c.state != connOpen {
				break
			}
		}
		if len(w.parts.bufs)-len(w.parts.free) > 1 || w.counts.Open < 0 {
			t.Errorf("%d buffers lent, open %d", len(w.parts.bufs)-len(w.parts.free), w.counts.Open)
		}
	})
}

package wstest

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// All is every scenario, a few hundred, in the order of the groups.
func All() []Scenario {
	return slices.Concat(framing(), pings(), reservedBits(), opcodes(), fragmentation(), utf8Scenarios(), closes(), automatic())
}

// group makes scenarios of one group.
type group struct {
	number string
	list   []Scenario
}

func (g *group) add(name string, send [][]byte, want ...Want) {
	g.list = append(g.list, Scenario{Group: g.number, Name: name, Send: send, Want: want})
}

// framing walks the lengths at which the header grows.
func framing() []Scenario {
	g := group{number: "1"}
	for _, n := range []int{0, 125, 126, 127, 128, 65535, 65536} {
		body := strings.Repeat("*", n)
		g.add(fmt.Sprintf("text of %d bytes", n), [][]byte{whole(Text, body)}, text(body))
		body = strings.Repeat("\xfe", n)
		g.add(fmt.Sprintf("binary of %d bytes", n), [][]byte{whole(Binary, body)}, binMsg(body))
	}
	for _, head := range [][]byte{
		{0x81, 0xfe, 0, 125},                            // 16 bits for what 7 can say
		{0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 125},          // 64 bits for what 7 can say
		{0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff},      // 64 bits for what 16 can say
		{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0},         // highest bit
		{0x81, 0x02, 'h', 'i'}, {0x89, 0}, {0x88, 0x00}, // not masked
	} {
		g.add(fmt.Sprintf("header % x", head), [][]byte{head}, violation)
	}
	for _, size := range []uint64{1 << 30, 1 << 40, 1<<63 - 1} {
		head := binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, size)
		g.add(fmt.Sprintf("header claims %d bytes", size), [][]byte{whole(Text, "before"), head},
			text("before"), Want{Kind: Close, Codes: []uint16{1009}})
	}
	return g.list
}

func pings() []Scenario {
	g := group{number: "2"}
	longest := strings.Repeat("\xfe", 125)
	for _, body := range []string{"", "Hello, world!", "\x00\xff\xfe\xfd\xfc\xfb\x00\xff", longest} {
		g.add(fmt.Sprintf("ping %+.20q of %d bytes", body, len(body)), [][]byte{whole(PingOp, body)}, pong(body))
	}
	g.add("ping of 126 bytes", [][]byte{whole(PingOp, longest+"\xfe")}, violation)
	g.add("unsolicited pong", [][]byte{whole(PongOp, "")})
	g.add("unsolicited pong with payload", [][]byte{whole(PongOp, "unsolicited")})
	g.add("unsolicited pong, then ping", [][]byte{whole(PongOp, "unsolicited"), whole(PingOp, "ping")}, pong("ping"))
	var ten [][]byte
	var answers []Want
	for i := range 10 {
		body := fmt.Sprintf("payload-%d", i)
		ten, answers = append(ten, whole(PingOp, body)), append(answers, pong(body))
	}
	g.add("ten pings", ten, answers...)
	return g.list
}

func reservedBits() []Scenario {
	g := group{number: "3"}
	for rsv := byte(1); rsv <= 7; rsv++ {
		for _, op := range []byte{Text, Binary, PingOp, PongOp, CloseOp} {
			name := fmt.Sprintf("RSV %d on opcode %d", rsv, op)
			bad := Frame(true, rsv, op, "*")
			g.add(name, [][]byte{bad}, violation)
			g.add(name+" after a good text", [][]byte{whole(Text, "good"), bad, whole(PingOp, "")}, text("good"), violation)
		}
		g.add(fmt.Sprintf("RSV %d on a continuation", rsv),
			[][]byte{part(Text, "a"), Frame(true, rsv, Continuation, "b")}, violation)
		g.add(fmt.Sprintf("RSV %d, first byte only", rsv), [][]byte{{0x81 | rsv<<4}}, violation)
	}
	return g.list
}

func opcodes() []Scenario {
	g := group{number: "4"}
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		for _, body := range []string{"", "reserved opcode payload"} {
			name := fmt.Sprintf("reserved opcode %d with %d bytes", op, len(body))
			g.add(name, [][]byte{whole(op, body)}, violation)
			g.add(name+" after a good text", [][]byte{whole(Text, "good"), whole(op, body), whole(PingOp, "")}, text("good"), violation)
		}
	}
	return g.list
}

func fragmentation() []Scenario {
	g := group{number: "5"}
	g.add("fragmented ping", [][]byte{part(PingOp, "frag"), whole(Continuation, "ment")}, violation)
	g.add("fragmented pong", [][]byte{part(PongOp, "frag"), whole(Continuation, "ment")}, violation)
	g.add("fragmented close", [][]byte{part(CloseOp, "\x03\xe8"), whole(Continuation, "bye")}, violation)
	g.add("text in two", [][]byte{part(Text, "frag"), whole(Continuation, "ment")}, text("fragment"))
	g.add("binary in two", [][]byte{part(Binary, "\xff"), whole(Continuation, "\xfe")}, binMsg("\xff\xfe"))
	g.add("ping in between", [][]byte{part(Text, "frag"), whole(PingOp, "now"), whole(Continuation, "ment")}, pong("now"), text("fragment"))
	g.add("pong in between", [][]byte{part(Text, "frag"), whole(PongOp, "now"), whole(Continuation, "ment")}, text("fragment"))
	g.add("ping answered before the message ends", [][]byte{part(Text, "frag"), whole(PingOp, "now")}, pong("now"))
	g.add("close in between", [][]byte{part(Text, "frag"), closing(1000, "")}, goodbye(1000))
	for _, fin := range []bool{true, false} {
		bad := Frame(fin, 0, Continuation, "nothing to continue")
		g.add(fmt.Sprintf("continuation of nothing, FIN %v", fin), [][]byte{bad, whole(Text, "hello")}, violation)
		g.add(fmt.Sprintf("continuation after a whole text, FIN %v", fin), [][]byte{whole(Text, "hello"), bad}, text("hello"), violation)
		g.add(fmt.Sprintf("continuation after a fragmented text, FIN %v", fin),
			[][]byte{part(Text, "a"), whole(Continuation, "b"), bad}, text("ab"), violation)
	}
	for _, op := range []byte{Text, Binary} {
		g.add(fmt.Sprintf("second fragment with opcode %d", op), [][]byte{part(Text, "frag"), whole(op, "ment")}, violation)
		g.add(fmt.Sprintf("new fragmented message with opcode %d", op), [][]byte{part(Text, "frag"), part(op, "ment")}, violation)
	}
	five := [][]byte{part(Text, "fragment1"), part(Continuation, "fragment2"), whole(PingOp, "ping1"),
		part(Continuation, "fragment3"), part(Continuation, "fragment4"), whole(PingOp, "ping2"), whole(Continuation, "fragment5")}
	g.add("five fragments with pings", five, pong("ping1"), pong("ping2"), text("fragment1fragment2fragment3fragment4fragment5"))
	g.add("five fragments with pings, twice", slices.Concat(five, five),
		pong("ping1"), pong("ping2"), text("fragment1fragment2fragment3fragment4fragment5"),
		pong("ping1"), pong("ping2"), text("fragment1fragment2fragment3fragment4fragment5"))
	g.add("five fragments, then a loose continuation", append(slices.Clone(five), part(Continuation, "fragment6")),
		pong("ping1"), pong("ping2"), text("fragment1fragment2fragment3fragment4fragment5"), violation)
	g.add("empty fragments only", [][]byte{part(Text, ""), part(Continuation, ""), whole(Continuation, "")}, text(""))
	g.add("empty first and last", [][]byte{part(Text, ""), part(Continuation, "middle"), whole(Continuation, "")}, text("middle"))
	return g.list
}

// automatic is group 10: a message as a client library cuts it by itself.
func automatic() []Scenario {
	g := group{number: "10"}
	body := strings.Repeat("*", 65536)
	op, rest := Text, body
	var send [][]byte
	for len(rest) > 1300 {
		send, op, rest = append(send, part(op, rest[:1300])), Continuation, rest[1300:]
	}
	g.add("65536 bytes in fragments of 1300", append(send, whole(op, rest)), text(body))
	return g.list
}

package wstest

import (
	"fmt"
	"strings"
)

func closes() []Scenario {
	g := group{number: "7"}
	bye := closing(1000, "")
	g.add("message, then close", [][]byte{whole(Text, "hello"), bye}, text("hello"), goodbye(1000))
	g.add("close twice", [][]byte{bye, bye}, goodbye(1000))
	g.add("ping after close", [][]byte{bye, whole(PingOp, "late")}, goodbye(1000))
	g.add("text after close", [][]byte{bye, whole(Text, "late")}, goodbye(1000))
	g.add("violation after close", [][]byte{bye, Frame(true, 7, 15, "late")}, goodbye(1000))
	g.add("fragment, close, last fragment", [][]byte{part(Text, "frag"), bye, whole(Continuation, "ment")}, goodbye(1000))
	long := strings.Repeat("a", 256<<10)
	g.add("256 KB, close, ping", [][]byte{whole(Text, long), bye, whole(PingOp, "late")}, text(long), goodbye(1000))

	g.add("no payload", [][]byte{whole(CloseOp, "")}, Want{Kind: Close, Codes: []uint16{0, 1000}})
	g.add("payload of one byte", [][]byte{whole(CloseOp, "a")}, violation)
	g.add("code only", [][]byte{bye}, goodbye(1000))
	g.add("code and reason", [][]byte{closing(1000, "Hello World!")}, goodbye(1000))
	g.add("reason of 123 bytes", [][]byte{closing(1000, strings.Repeat("*", 123))}, goodbye(1000))
	g.add("reason of 124 bytes", [][]byte{closing(1000, strings.Repeat("*", 124))}, violation)
	for _, s := range brokenText {
		g.add(fmt.Sprintf("reason %+q", s), [][]byte{closing(1000, s)}, notUTF8)
	}
	for _, s := range unfinishedText {
		g.add(fmt.Sprintf("reason %+q", s), [][]byte{closing(1000, s)}, notUTF8)
	}
	for _, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		g.add(fmt.Sprintf("valid code %d", code), [][]byte{closing(code, "reason")}, goodbye(code))
	}
	for _, code := range []uint16{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		g.add(fmt.Sprintf("invalid code %d", code), [][]byte{closing(code, "")}, violation)
		g.add(fmt.Sprintf("invalid code %d with reason", code), [][]byte{closing(code, "reason")}, violation)
	}
	return g.list
}

package wstest

import (
	"fmt"
	"strings"
)

// validText are texts a server must accept: boundary values of each length,
// non-characters, and text in several scripts (group 6.5 to 6.23).
var validText = []string{
	"Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "日本語", "\U0001F600", "\x00", "\x7f",
	"\u0080", "\u07ff", "\u0800", "\u0fff", "\u1000", "\uffff",
	"\U00010000", "\U000FFFFF", "\U00100000", "\U0010FFFF",
	"\ud7ff", "\ue000", "\ufffd", "\ufffe", "\ufdd0", "\ufdef", "\ufeff",
	"\U0001FFFE", "\U0001FFFF", "\U0002FFFE", "\U0003FFFE", "\U0008FFFF", "\U000FFFFE", "\U0010FFFE",
}

// brokenText are bytes that are never a part of UTF-8; a server must refuse
// them as soon as the last byte of the first bad sequence listed here is there.
var brokenText = []string{
	// lone continuation bytes
	"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80\xbf\x80\xbf\x80",
	// lead bytes followed by something else
	"\xc2 ", "\xdf ", "\xe0 ", "\xef ", "\xf0 ", "\xf4 ", "\xe2\x82 ", "\xf0\x9f\x98 ", "\xe2\x82\xe2", "\xf0\x9f\xf0",
	// bytes that never occur
	"\xfe", "\xff", "\xfe\xfe\xff\xff", "\xf5\x80\x80\x80", "\xf7\xbf\xbf\xbf",
	// five and six byte forms
	"\xf8\x88\x80\x80\x80", "\xfb\xbf\xbf\xbf\xbf", "\xfc\x84\x80\x80\x80\x80", "\xfd\xbf\xbf\xbf\xbf\xbf",
	// overlong forms
	"\xc0\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x80\xaf", "\xe0\x9f\xbf",
	"\xf0\x80\x80\x80", "\xf0\x80\x80\xaf", "\xf0\x8f\xbf\xbf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf",
	// surrogates, single and in pairs
	"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf",
	"\xed\xa0\x80\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf",
	// above U+10FFFF
	"\xf4\x90\x80\x80", "\xf4\xbf\xbf\xbf",
	// the classic of the public suite: text with a surrogate inside
	"κόσμε\xed\xa0\x80edited",
}

// unfinishedText begin a character and do not end it.
var unfinishedText = []string{
	"\xc2", "\xdf", "\xe0\xa0", "\xe1", "\xe1\x80", "\xed\x9f", "\xef\xbf", "\xf0\x90", "\xf0\x90\x80", "\xf1", "\xf4\x8f\xbf", "κόσμ\xce",
}

func utf8Scenarios() []Scenario {
	g := group{number: "6"}
	for _, s := range validText {
		name := fmt.Sprintf("valid %+q", s)
		g.add(name, [][]byte{whole(Text, s)}, text(s))
		g.add(name+" a byte per fragment", fragments(s), text(s))
		g.add(name+" within long text", [][]byte{whole(Text, pad+s+pad)}, text(pad+s+pad))
	}
	for _, s := range brokenText {
		name := fmt.Sprintf("broken %+q", s)
		g.add(name, [][]byte{whole(Text, s)}, notUTF8)
		g.add(name+" a byte per fragment", fragments(s), notUTF8)
		g.add(name+" fail fast", [][]byte{truncated(whole(Text, pad+s+pad), len(pad))}, notUTF8)
		g.add(name+" after a good text", [][]byte{whole(Text, "good"), part(Text, s), whole(PingOp, "")}, text("good"), notUTF8)
	}
	for _, s := range unfinishedText {
		name := fmt.Sprintf("unfinished %+q", s)
		g.add(name, [][]byte{whole(Text, s)}, notUTF8)
		g.add(name+" a byte per fragment", fragments(s), notUTF8)
		g.add(name+" then an empty fragment", [][]byte{part(Text, s), whole(Continuation, "")}, notUTF8)
		g.add(name+" waits for the rest", [][]byte{part(Text, s), whole(PingOp, "x")}, pong("x"))
	}
	g.add("split between characters", [][]byte{part(Text, "κό"), whole(Continuation, "σμε")}, text("κόσμε"))
	g.add("split within a character", [][]byte{part(Text, "κ\xcf"), whole(Continuation, "\x8cσμε")}, text("κόσμε"))
	g.add("ping within a character", [][]byte{part(Text, "\xce"), whole(PingOp, "\xff"), whole(Continuation, "\xba")}, pong("\xff"), text("κ"))
	g.add("next message starts anew", [][]byte{whole(Text, "κ"), whole(Binary, "\xff"), whole(Text, "λ")}, text("κ"), binMsg("\xff"), text("λ"))
	g.add("binary is not text", [][]byte{part(Binary, "\xce"), whole(Continuation, "\xff")}, binMsg("\xce\xff"))
	return g.list
}

// pad is longer than what word-wise code takes at once.
var pad = strings.Repeat("padding, ", 9)

func fragments(s string) [][]byte {
	var send [][]byte
	op := Text
	for i := range len(s) {
		send, op = append(send, Frame(i == len(s)-1, 0, op, s[i:i+1])), Continuation
	}
	return send
}

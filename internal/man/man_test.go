package man

import (
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	var b strings.Builder
	p := NewPage(&b, "pushd", 8, "0.1.0", "push gateway")
	p.Section("Options")
	p.Sub("Clients")
	p.Item("--listen", "IP:PORT", "client address")
	p.Item("--share-port", "", "share it")
	p.Text("First\nparagraph.\n\nSecond:\n  pushd --listen :7400 \\\n        --auth jwt\n\n'last'")
	const want = `.TH PUSHD 8 "" "pushfleet 0.1.0" pushfleet
.SH NAME
pushd \- push gateway
.SH OPTIONS
.SS Clients
.TP
\fB\-\-listen\fR \fIIP:PORT\fR
client address
.TP
\fB\-\-share\-port\fR
share it
.PP
First
paragraph.
.PP
Second:
.PP
.in +4n
.nf
pushd \-\-listen :7400 \e
      \-\-auth jwt
.fi
.in
.PP
\&\(aqlast\(aq
`
	if b.String() != want {
		t.Errorf("page\n%s\nwant\n%s", b.String(), want)
	}
}

func TestEscape(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("a-b", `a\-b`)
	f(".TH x", `\&.TH x`)
	f("a\n.so /etc/passwd", "a\n\\&.so /etc/passwd")
	f(`\fB`, `\efB`)
	f("'br", `\&\(aqbr`)
}

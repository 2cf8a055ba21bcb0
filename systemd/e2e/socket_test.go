//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// connect opens a stream as user $1 and prints the status line.
const connect = `trap '' PIPE
connect() {
	exec 3<>/dev/tcp/127.0.0.1/7400 || { echo refused; return; }
	printf 'GET /connect?user=%s HTTP/1.1\r\nHost: x\r\n\r\n' "$1" >&3 2>/dev/null || true
	read -r -t 30 line <&3 2>/dev/null || line=nothing
	echo "$line"
	exec 3>&-
}
`

// serving tells whether pushd says so to systemd, which it does behind its start.
func (m *machine) serving() bool {
	return strings.HasPrefix(m.show("pushd", "StatusText"), "serving on 127.0.0.1:7400, ")
}

func TestSocketStartsPushdAndOutlivesIt(t *testing.T) {
	m := install(t)
	m.run("systemctl enable --now pushd.socket")
	if s := m.show("pushd", "ActiveState"); s != "inactive" {
		t.Fatalf("pushd is %s before anybody has come", s)
	}
	m.says(connect+"connect alice", "HTTP/1.1 200 OK")
	m.until("the status is told", m.serving)
	// Clients come all the time while pushd restarts three times.
	out := m.run(connect + `
(for i in 1 2 3; do systemctl restart pushd; done; touch /tmp/done) &
while ! [ -e /tmp/done ]; do connect bob; done 2>/dev/null
connect bob
wait`)
	served, cut := 0, 0
	for line := range strings.SplitSeq(strings.TrimSpace(out), "\n") {
		switch {
		case strings.HasPrefix(line, "HTTP/1.1 200 OK"):
			served++
		case line == "refused":
			t.Error("a client was refused while the socket was systemd's")
		default:
			cut++
		}
	}
	// Whoever has connected but not asked yet when pushd stops is cut off.
	if served == 0 || cut > 3 {
		t.Errorf("%d served, %d cut off in three restarts:\n%s", served, cut, out)
	}
	t.Logf("%d served, %d cut off in three restarts", served, cut)
	m.says("ss -Hltnp sport = :7400", "systemd")
}

func TestPublicSocketNeedsAuth(t *testing.T) {
	m := install(t)
	m.run(`mkdir -p /etc/systemd/system/pushd.socket.d
printf '[Socket]\nListenStream=\nListenStream=0.0.0.0:7400\n' >/etc/systemd/system/pushd.socket.d/public.conf
systemctl daemon-reload; systemctl start pushd.socket`)
	if out, err := m.try("systemctl start pushd"); err == nil {
		t.Errorf("started: %s", out)
	}
	m.logs("-u pushd", "anybody could be any user", "set --auth jwt")
}

//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

func TestThreeInstancesShareAPortAndAKeeper(t *testing.T) {
	m := install(t)
	m.run("systemctl start keeper && systemctl start pushd@1 pushd@2 pushd@3")
	m.says("systemctl is-active pushd@1 pushd@2 pushd@3 keeper", "active\nactive\nactive\nactive")
	m.until("the keeper knows three nodes", m.alive("3 nodes, 3 alive"))
	m.says("pushctl knob set queue.messages_max 256 --why test", "3 of 3")
	m.run("pushctl bench soak --conns 60 --rate 50/s --for 2s --report '' --allow-invalid --allow-loss --node /run/pushd-1/admin.sock || true")
	for i := 1; i <= 3; i++ {
		node := fmt.Sprintf("--node /run/pushd-%d/admin.sock ", i)
		m.says("pushctl "+node+"knob list --local", "256")
		accepted := strings.TrimSpace(m.run("pushctl " + node + "stats -o json | grep -o '\"accepted\": [0-9]*' | tail -1"))
		if accepted == "" || accepted == `"accepted": 0` {
			t.Errorf("instance %d has accepted nobody: %q", i, accepted)
		}
		m.logs(fmt.Sprintf("-o cat PUSHD_INSTANCE=%d", i), "serving")
	}
	// The watchdog's probe finds its own process behind the shared port.
	m.until("all have their probe, and nobody else", func() bool {
		for i := 1; i <= 3; i++ {
			if m.open(fmt.Sprintf("--node /run/pushd-%d/admin.sock", i)) != 1 {
				return false
			}
		}
		return true
	})
	// One that does not share is refused, and says how to.
	if _, err := m.try("PUSHD_PRIVATE=127.0.0.1:7499 runuser -u pushd -- pushd --keeper off --admin-socket /tmp/a.sock --state-dir /tmp/s"); err == nil {
		t.Error("a process that does not share the port has taken it")
	}
	m.run("systemctl restart pushfleet.target && systemctl stop pushd@1 pushd@2 pushd@3 keeper")
}

func TestInstanceDoesNotTakeUsersFromAPushdThatSharesNothing(t *testing.T) {
	m := install(t)
	m.run("systemctl start pushd")
	if out, err := m.try("timeout 5 systemctl start pushd@1"); err == nil {
		t.Errorf("started: %s", out)
	}
	m.logs("-u pushd@1", "127.0.0.1:7400 is held by a pushd that does not share it: give that one --share-port too")
	m.run("systemctl stop pushd@1; echo 'share_port = true' >>/etc/pushd/pushd.toml; systemctl restart pushd; systemctl start pushd@1")
	m.says("systemctl is-active pushd pushd@1", "active\nactive")
	m.until("the keeper inside pushd serves both", m.alive("2 nodes, 2 alive"))
}

// alive tells whether the keeper counts its nodes so.
func (m *machine) alive(count string) func() bool {
	return func() bool {
		out, _ := m.try("pushctl nodes")
		return strings.Contains(out, count)
	}
}

//go:build e2e

package e2e

import (
	"encoding/json"
	"testing"
)

const loadConns = 300

// open is the number of connections of the node that the flags name.
func (m *machine) open(flags string) int {
	m.t.Helper()
	var s struct {
		Connections struct {
			Total int `json:"total"`
		} `json:"connections"`
	}
	out, err := m.try("pushctl stats -o json " + flags + " 2>/dev/null")
	if err != nil || json.Unmarshal([]byte(out), &s) != nil {
		return 0 // it is just restarting
	}
	return s.Connections.Total
}

func TestClientsComeBackAfterARestartAndAnUpgrade(t *testing.T) {
	m := install(t)
	m.run(`echo 'PUSHD_KNOB=drain.window=500ms' >>/etc/default/pushd; systemctl enable --now pushd.socket; systemctl start pushd`)
	load := m.command("exec pushctl bench flood --conns 300 --reconnect --for 10m")
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = load.Wait() }() // ended by the kill below
	defer func() { _ = load.Process.Kill(); <-ended }()
	all := func() bool {
		select {
		case <-ended:
			t.Fatal("the load has ended")
		default:
		}
		return m.open("") >= loadConns
	}
	m.until("all are connected", all)
	for _, script := range []string{"systemctl restart pushd", "systemctl kill -s KILL pushd", "dpkg -i /mnt/new.deb </dev/null"} {
		before := m.show("pushd", "MainPID")
		m.run(script)
		m.until("another process after "+script, func() bool {
			pid := m.show("pushd", "MainPID")
			return pid != before && pid != "0"
		})
		m.until("all are back after "+script, all)
	}
	m.logs("-u pushd", "msg=draining connections=30", "cut_off=0")
}

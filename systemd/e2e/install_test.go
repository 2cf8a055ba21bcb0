//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestInstalledPackageStartsWhenAsked(t *testing.T) {
	m := install(t)
	if s, _ := m.try("systemctl is-active pushd keeper"); strings.Contains(s, "\nactive") || strings.HasPrefix(s, "active") {
		t.Errorf("started without being asked: %s", s)
	}
	m.run("systemctl enable --now pushd")
	m.until("the status is told", m.serving)
	m.says("pushctl stats", "connections", "knobs r")
	m.says("pushctl version", "pushctl", "pushd")
	m.says(`pushctl knob set queue.messages_max 256 --why test`, "256", "1 of 1")
	m.says("pushctl knob list --local", "256")
	m.says("systemctl cat pushd && systemctl is-enabled pushd", "enabled")
	m.says("man -w pushd 2>/dev/null || ls /usr/share/man/man8/pushd.8.gz /usr/share/man/man1/pushctl.1.gz", "pushd.8.gz")
	// The probe came in by the client port and got its message.
	m.until("the watchdog's probe is connected", func() bool { return m.open("") == 1 })
	// What it held outlives a restart.
	m.run("systemctl restart pushd")
	m.says("pushctl knob list --local", "256")
}

func TestJournalHasFieldsAndPriorities(t *testing.T) {
	m := install(t)
	m.run("systemctl start pushd")
	const filters = "-o json PUSHD_INSTANCE=main SYSLOG_IDENTIFIER=pushd PUSHFLEET_PART=pushd"
	m.logs(filters, "serving")
	out := m.run("journalctl --no-pager " + filters + " | grep 'serving'")
	line, _, _ := strings.Cut(out, "\n")
	var entry struct {
		Message  string `json:"MESSAGE"`
		Priority string `json:"PRIORITY"`
		Unit     string `json:"_SYSTEMD_UNIT"`
	}
	if err := json.Unmarshal([]byte(line), &entry); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	if entry.Priority != "6" || entry.Unit != "pushd.service" || strings.Contains(entry.Message, "time=") {
		t.Errorf("entry %+v", entry)
	}
}

func TestWrongConfigurationIsSaidOnceAndNotTriedAgain(t *testing.T) {
	m := install(t)
	m.run(`echo 'listen = ["0.0.0.0:7400"]' >>/etc/pushd/pushd.toml`)
	if out, err := m.try("systemctl start pushd"); err == nil {
		t.Errorf("started: %s", out)
	}
	m.until("the unit has failed", func() bool { return m.show("pushd", "ActiveState") == "failed" })
	if n := m.show("pushd", "NRestarts"); n != "0" {
		t.Errorf("%s restarts", n)
	}
	m.logs("-u pushd", "anybody could be any user", "set --auth jwt")
}

func TestConfigurationOutlivesAnUpgradeAndNothingAPurge(t *testing.T) {
	m := install(t)
	m.run(`systemctl enable --now pushd
systemctl enable pushd@2
sed -i 's/^#node_name = .*/node_name = "mine"/' /etc/pushd/pushd.toml`)
	before := m.show("pushd", "MainPID")
	m.run("dpkg -i /mnt/new.deb </dev/null")
	m.says("dpkg-query -W pushfleet", "9.9.9")
	if after := m.show("pushd", "MainPID"); after == before || after == "0" {
		t.Errorf("process %s before the upgrade, %s after", before, after)
	}
	m.says("pushctl stats", "mine")

	m.run("dpkg -r pushfleet")
	m.says("cat /etc/pushd/pushd.toml", `node_name = "mine"`)
	if out, _ := m.try("pgrep -a 'pushd|keeper'"); out != "" {
		t.Errorf("still running: %s", out)
	}
	m.run("dpkg -P pushfleet")
	left := m.run(`find / -xdev \( -path /proc -o -path /sys -o -path /mnt \) -prune -o \
		\( -name '*pushd*' -o -name '*pushctl*' -o -name '*pushfleet*' -o -name 'keeper*' \) -print; getent passwd pushd keeper || true; getent group pushd keeper || true`)
	if left != "" {
		t.Errorf("left after a purge:\n%s", left)
	}
}

func TestDoctorKnowsTheRunningUnit(t *testing.T) {
	m := install(t)
	m.run("systemctl start pushd")
	m.says("pushctl doctor --conns 10", "of the running pushd", "pushd[")
	// The container's own limit is below what the unit asks for, so that it was
	// silently lowered.
	limit := strings.TrimSpace(m.run("awk '/Max open files/ {print $5}' /proc/$(systemctl show -P MainPID pushd)/limits"))
	out, err := m.try("pushctl doctor --conns 2m")
	if err == nil || !strings.Contains(out, "LimitNOFILE=2097152") {
		t.Errorf("with a limit of %s: %v\n%s", limit, err, out)
	}
}

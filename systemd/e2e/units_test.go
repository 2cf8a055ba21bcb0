//go:build e2e

package e2e

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const exposureMax = 1.6

func TestUnitsAreWellFormedAndLockedUp(t *testing.T) {
	m := install(t)
	for _, unit := range []string{"pushd.service", "pushd@1.service", "pushd.socket", "keeper.service", "pushfleet.target"} {
		// It prints what it does not understand and yet succeeds.
		if out, err := m.try("systemd-analyze verify --man=no " + unit); err != nil || out != "" {
			t.Errorf("verify %s: %v\n%s", unit, err, out)
		}
	}
	overall := regexp.MustCompile(`Overall exposure level for (\S+): ([0-9.]+) `)
	for _, unit := range []string{"pushd.service", "pushd@1.service", "keeper.service"} {
		out := m.run("systemd-analyze security --no-pager " + unit)
		found := overall.FindStringSubmatch(out)
		if found == nil {
			t.Fatalf("security %s:\n%s", unit, out)
		}
		level, err := strconv.ParseFloat(found[2], 64)
		if err != nil || level > exposureMax {
			t.Errorf("%s has an exposure of %s, at most %g is allowed:\n%s", unit, found[2], exposureMax, out)
		}
		t.Logf("%s: exposure %s", unit, found[2])
	}
}

func TestNothingOfTheUnitsIsIgnored(t *testing.T) {
	m := install(t)
	m.run("systemctl start keeper pushd@1 && systemctl stop keeper pushd@1 && systemctl start pushd")
	out := m.run("journalctl --sync; journalctl --no-pager -o cat _PID=1")
	for line := range strings.SplitSeq(out, "\n") {
		if strings.Contains(line, "ignoring") && (strings.Contains(line, "pushd") || strings.Contains(line, "keeper")) {
			t.Errorf("systemd says: %s", line)
		}
	}
}

func TestLockedUpPushdSeesTheMachineAndMayUnshareItsFiles(t *testing.T) {
	m := install(t)
	m.run("systemctl start pushd")
	// What the recorder reads, from inside the unit's mounts and as its user.
	m.says(`nsenter -t $(systemctl show -P MainPID pushd) -m -- runuser -u pushd -- cat /proc/stat /proc/net/netstat /proc/meminfo /proc/loadavg`,
		"cpu0", "ListenOverflows", "MemAvailable")
	m.run("echo PUSHD_UNSHARE_FILES=true >>/etc/default/pushd; systemctl restart pushd")
	m.says("pushctl stats", "healthy")
	m.run("systemctl stop pushd; systemctl start pushd.socket")
	m.says(connect+"connect alice", "HTTP/1.1 200 OK")
}

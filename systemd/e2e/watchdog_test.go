//go:build e2e

package e2e

import (
	"testing"
)

// quick sets the watchdog to 10 s, which a busy machine does not pass by itself,
// and for a unit that hangs on SIGABRT too the time until it is killed.
const quick = `mkdir -p /etc/systemd/system/$U.d
printf '[Service]\nWatchdogSec=10\nTimeoutAbortSec=30\n' >/etc/systemd/system/$U.d/quick.conf
systemctl daemon-reload
`

func TestWatchdogRestartsAHungProcess(t *testing.T) {
	f := func(unit, client string) {
		t.Helper()
		m := install(t)
		m.run("U=" + unit + "\n" + quick + "systemctl start " + unit)
		before := m.show(unit, "MainPID")
		m.run("kill -STOP " + before)
		m.until("restarted", func() bool {
			return m.show(unit, "NRestarts") != "0" && m.show(unit, "ActiveState") == "active"
		})
		if after := m.show(unit, "MainPID"); after == before || after == "0" {
			t.Errorf("process %s before, %s after", before, after)
		}
		m.logs("-u "+unit, "Watchdog timeout", "SIGABRT: abort", "goroutine 1 ")
		m.says(client)
	}
	f("pushd.service", "pushctl stats")
	f("keeper.service", "pushctl keeper status")
}

func TestProcessThatServesIsLeftAlone(t *testing.T) {
	m := install(t)
	m.run("U=pushd.service\n" + quick + "systemctl start pushd")
	// Full, and throttled: alive all the same.
	m.run("pushctl knob set conns.max 1 --why test && pushctl knob set accept.rate_max 1 --why test")
	began := m.show("pushd", "WatchdogTimestampMonotonic")
	m.until("the watchdog was fed since", func() bool { return m.show("pushd", "WatchdogTimestampMonotonic") != began })
	began = m.show("pushd", "WatchdogTimestampMonotonic")
	m.until("and again", func() bool { return m.show("pushd", "WatchdogTimestampMonotonic") != began })
	if n := m.show("pushd", "NRestarts"); n != "0" {
		t.Errorf("%s restarts\n%s", n, m.journal())
	}
}

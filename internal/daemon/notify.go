package daemon

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Notifier tells systemd how the process is, as sd_notify(3) does. A nil
// Notifier tells nobody. Its methods may be called from any goroutine; what
// cannot be sent is lost, for there is nothing to be done about it.
type Notifier struct {
	conn     *net.UnixConn
	watchdog time.Duration
}

// NewNotifier returns nil when the process was not started by systemd with
// Type=notify.
func NewNotifier(getenv func(string) string) (*Notifier, error) {
	path := getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil, nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("notify socket of systemd: %w", err)
	}
	return &Notifier{conn, watchdogInterval(getenv)}, nil
}

// watchdogInterval reads WatchdogSec= of the unit as sd_watchdog_enabled(3)
// does.
func watchdogInterval(getenv func(string) string) time.Duration {
	us, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || us <= 0 {
		return 0
	}
	if pid := getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

// WatchdogInterval is how often Watchdog must be called; 0 = never.
func (n *Notifier) WatchdogInterval() time.Duration {
	if n == nil {
		return 0
	}
	return n.watchdog
}

// Ready says that the process serves, after the start or a reload.
func (n *Notifier) Ready() { n.send("READY=1") }

// Reloading says that a reload begins; Ready ends it.
func (n *Notifier) Reloading() {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) == nil {
		n.send(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", ts.Nano()/1000))
	}
}

// Stopping says that the process ends, and needs at most limit for it.
func (n *Notifier) Stopping(limit time.Duration) {
	n.send(fmt.Sprintf("STOPPING=1\nEXTEND_TIMEOUT_USEC=%d", limit.Microseconds()))
}

// Status sets the line that systemctl status shows.
func (n *Notifier) Status(line string) {
	n.send("STATUS=" + strings.ReplaceAll(line, "\n", " "))
}

// Watchdog says that the process is well.
func (n *Notifier) Watchdog() { n.send("WATCHDOG=1") }

// Close gives the socket back.
func (n *Notifier) Close() error {
	if n == nil {
		return nil
	}
	return n.conn.Close()
}

func (n *Notifier) send(message string) {
	if n != nil {
		_, _ = n.conn.Write([]byte(message)) // the poller waits when the socket is full
	}
}

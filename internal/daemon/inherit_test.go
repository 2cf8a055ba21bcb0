package daemon

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

func TestInheritedSockets(t *testing.T) {
	f := func(pid, fds, names, want string) {
		t.Helper()
		env := map[string]string{"LISTEN_PID": pid, "LISTEN_FDS": fds, "LISTEN_FDNAMES": names}
		got, err := InheritedSockets(func(k string) string { return env[k] })
		if s := fmt.Sprint(got, err != nil); s != want {
			t.Errorf("LISTEN_PID=%s LISTEN_FDS=%s LISTEN_FDNAMES=%s: %s, want %s", pid, fds, names, s, want)
		}
	}
	us := strconv.Itoa(os.Getpid())
	f("", "", "", "[] false")
	f("1", "2", "", "[] false") // meant for another process
	f(us, "0", "", "[] false")
	f(us, "1", "clients", "[{3 clients}] false")
	f(us, "2", "clients:proxy", "[{3 clients} {4 proxy}] false")
	f(us, "2", "", "[{3 } {4 }] false")
	f(us, "x", "", "[] true")
	f(us, "-1", "", "[] true")
	f(us, "100000", "", "[] true")
}

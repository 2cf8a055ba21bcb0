package probe

import (
	"strings"
	"testing"

	"pushfleet/pushctl/probe/gobin"
)

func TestSite(t *testing.T) {
	f := func(stack, want string) {
		t.Helper()
		var s Stack
		for fn := range strings.FieldsSeq(stack) {
			s = append(s, gobin.Frame{Func: fn})
		}
		if got := s.Site().Func; got != want {
			t.Errorf("%s: %s, want %s", stack, got, want)
		}
	}
	f("internal/sync.(*Mutex).lockSlow internal/sync.(*Mutex).Lock sync.(*Mutex).Lock a/router.bind main.main", "a/router.bind")
	f("internal/runtime/syscall/linux.Syscall6 syscall.Syscall golang.org/x/sys/unix.EpollWait a/rawsys.(*Poller).Wait", "a/rawsys.(*Poller).Wait")
	f("runtime.futex runtime.mstart", "runtime.futex")
	f("syncer.run", "syncer.run")
	f("", "unknown")
}

package probe

import (
	"strings"
	"testing"
)

func TestReadCounter(t *testing.T) {
	f := func(in string, want uint64, ok bool) {
		t.Helper()
		got, err := readCounter(strings.NewReader(in), "TcpExt:", "ListenDrops")
		if got != want || (err == nil) != ok {
			t.Errorf("%q: %d, %v", in, got, err)
		}
	}
	f("TcpExt: A ListenDrops B\nTcpExt: 1 22 3\nIpExt: X\nIpExt: 1\n", 22, true)
	f("IpExt: ListenDrops\nIpExt: 9\nTcpExt: ListenDrops\nTcpExt: 7\n", 7, true)
	f("TcpExt: A ListenDrops\nTcpExt: 1\n", 0, false)
	f("TcpExt: ListenDrops\nTcpExt: x\n", 0, false)
	f("TcpExt: ListenDrops\n", 0, false)
	f("", 0, false)
}

func FuzzReadCounter(f *testing.F) {
	f.Add("TcpExt: A ListenDrops B\nTcpExt: 1 22 3\n")
	f.Fuzz(func(t *testing.T, in string) {
		if n, err := readCounter(strings.NewReader(in), "TcpExt:", "ListenDrops"); err != nil && n != 0 && !strings.Contains(err.Error(), "out of range") {
			t.Errorf("%d with %v", n, err)
		}
	})
}

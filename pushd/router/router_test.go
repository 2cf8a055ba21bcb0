package router

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"pushfleet/internal/push"
)

func TestLoginRefuses(t *testing.T) {
	b := newBench(t, 100, "conn.users_max", "2", "user.sessions_max", "2")
	defer b.close()
	f := func(user string, slot uint32, head Link, want error) Link {
		t.Helper()
		l, err := b.Login(user, h(slot), head, nil)
		if !errors.Is(err, want) {
			t.Errorf("Login(%.20q, slot %d) = %v, want %v", user, slot, err, want)
		}
		return l
	}
	f("", 1, 0, ErrName)
	f(strings.Repeat("x", push.UserIDMax+1), 1, 0, ErrName)
	head := f("a", 1, 0, nil)
	head = f("b", 1, head, nil)
	f("c", 1, head, ErrUsers)
	f("a", 1, head, nil) // again
	f("a", 2, 0, nil)
	f("a", 3, 0, ErrSessions)
}

// Every shard fills up and says so; what it refused leaves nothing behind.
func TestTableFull(t *testing.T) {
	b := newBench(t, 64)
	defer b.close()
	heads := map[push.Handle]Link{}
	full := 0
	for i := range 40_000 {
		l, err := b.Login(fmt.Sprintf("a-long-name-that-needs-blocks-%d", i), h(uint32(i)), 0, nil)
		if err == nil {
			heads[h(uint32(i))] = l
		} else if full++; !errors.Is(err, ErrFull) || l != 0 {
			t.Fatal(l, err)
		}
	}
	c := b.Counts()
	if full == 0 || c.Users != int64(len(heads)) || c.Links != c.Users {
		t.Fatalf("%d refused, %d logged in, counts %+v", full, len(heads), c)
	}
	for h, l := range heads {
		b.Drop(h, l)
	}
	if c := b.Counts(); c != (Counts{}) {
		t.Fatalf("left: %+v", c)
	}
}

// A table that grows and is deleted from at random agrees with a map.
func TestTableAgainstMap(t *testing.T) {
	b := newBench(t, 1<<16)
	defer b.close()
	rnd := rand.New(rand.NewPCG(1, 2))
	heads := map[int]Link{}
	name := func(i int) string {
		return fmt.Sprintf("%.*s%d", i%40, "prefix-prefix-prefix-prefix-prefix-prefix-", i)
	}
	for step := range 200_000 {
		i := rnd.IntN(20_000)
		if l, ok := heads[i]; ok && rnd.IntN(3) == 0 {
			b.Drop(h(uint32(i)), l)
			delete(heads, i)
		} else if !ok {
			heads[i], _ = b.Login(name(i), h(uint32(i)), 0, nil)
		}
		j := rnd.IntN(20_000)
		got, _, _ := b.Route([]byte(name(j)), 0, nil)
		if _, ok := heads[j]; ok != (len(got) == 1) || ok && got[0] != h(uint32(j)) {
			t.Fatalf("step %d: %q routes to %v, logged in: %v", step, name(j), got, ok)
		}
	}
	for i, l := range heads {
		b.Drop(h(uint32(i)), l)
	}
	if c := b.Counts(); c != (Counts{}) {
		t.Fatalf("left: %+v", c)
	}
}

// Loops log in and out, publishers route, others look: for the race detector.
func TestConcurrent(t *testing.T) {
	b := newBench(t, 1000, "replay.ttl", "0", "replay.bytes_max", "8KiB")
	defer b.close()
	var loops, others sync.WaitGroup
	stop := make(chan struct{})
	var shown sync.Map
	for loop := range 3 {
		loops.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(loop), 0))
			for i := range 2000 {
				c := push.MakeHandle(0, uint8(loop), uint32(i%7), uint16(i))
				var head Link
				for range rnd.IntN(5) {
					q := &Resume{}
					if rnd.IntN(2) == 0 {
						q = nil
					}
					head, _ = b.Login(fmt.Sprint("user", rnd.IntN(20)), c, head, q)
				}
				shown.Store(loop, [2]uint64{uint64(c), uint64(head)})
				head, _ = b.Logout(fmt.Sprint("user", rnd.IntN(20)), c, head)
				b.Drop(c, head)
			}
		})
	}
	for i := range 2 {
		others.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			for {
				select {
				case <-stop:
					return
				default:
				}
				b.publish(fmt.Sprint("user", rnd.IntN(20)), strings.Repeat("x", 300), 0)
				shown.Range(func(_, v any) bool {
					p := v.([2]uint64)
					b.Users(push.Handle(p[0]), Link(p[1]))
					return true
				})
				b.Expire(1)
				b.Counts()
			}
		})
	}
	loops.Wait()
	close(stop)
	others.Wait()
	if c := b.Counts(); c != (Counts{}) {
		t.Fatalf("left: %+v", c)
	}
}

func TestRecordsStaySmall(t *testing.T) {
	f := func(name string, got, want uintptr) {
		t.Helper()
		if got != want {
			t.Errorf("%s has %d bytes, want %d", name, got, want)
		}
	}
	f("slot", unsafe.Sizeof(slot{}), 8)
	f("user", unsafe.Sizeof(user{}), 36)
	f("link", unsafe.Sizeof(link{}), 20)
	f("block", unsafe.Sizeof(block{}), 32)
	f("ring", unsafe.Sizeof(ring{}), 52)
	f("node", unsafe.Sizeof(node{}), 8)
	f("member", unsafe.Sizeof(member{}), 16)
}

// bytesPerUser is what a user with one session and a name of up to 15 bytes
// may cost, all told: pages that exist, not bytes handed out.
const bytesPerUser = 64

func TestMemoryPerUser(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 200_000
	}
	b := newBench(t, 2*n)
	defer b.close()
	for i := range n {
		if _, err := b.Login(fmt.Sprintf("user-%d", i), h(uint32(i)), 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	per := float64(b.MemoryBytes()) / float64(n)
	t.Logf("%.1f bytes per user at %d users", per, n)
	if per > bytesPerUser {
		t.Errorf("%.1f bytes per user, want at most %d", per, bytesPerUser)
	}
}

func TestRouteAllocatesNothing(t *testing.T) {
	b := newBench(t, 100)
	defer b.close()
	b.login(t, "plain", 1, nil)
	b.login(t, "ring", 2, &Resume{})
	dst := make([]push.Handle, 0, 4)
	msg := b.message("x", 0)
	f := func(user string) {
		t.Helper()
		name := []byte(user)
		if n := testing.AllocsPerRun(100, func() { b.Route(name, msg, dst[:0]) }); n != 0 {
			t.Errorf("Route(%s): %v allocations", user, n)
		}
	}
	f("plain")
	f("ring")
	f("absent")
}

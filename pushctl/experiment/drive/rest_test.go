package drive

import (
	"fmt"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
)

// What is sent between two polls waits for the second, as in production.
func TestPollsResume(t *testing.T) {
	n, f := shadow(t, nil), newFeed(t)
	d := drive(t, n, f, nil, Options{Amplify: 2, ConnsMax: 4})
	open := func(conn uint64, user string) {
		f.open(teewire.Open{Conn: conn, Proto: push.ProtoPoll, Users: []string{user}, Poll: 200 * time.Second, Resume: true})
	}
	for i := range 3 {
		open(uint64(i), "a")
		if i == 0 {
			n.Eventually("both polls", func(s *pushdapi.Stats) bool { return s.Connections.ByProto["poll"] == 2 })
			f.to("a", `1`)
		}
		d.eventually("answered", func(c *Counts) bool { return c.Frames == uint64(2*i+2) && c.Sockets == 0 })
		f.close(uint64(i), push.ClosePollDone)
		f.to("a", `1`)
		d.eventually("sent to nobody", func(c *Counts) bool { return c.Replayed["publish"] == uint64(i+2) })
	}
	// Who has rested longest gives way.
	open(7, "b")
	open(8, "c")
	c := d.eventually("both open", func(c *Counts) bool { return c.Open == 2 })
	f.close(7, push.CloseGone)
	f.close(8, push.CloseGone)
	c = d.finish()
	if c.EndedThere["poll_done"] != 3 || dropped(&c) != 0 {
		t.Errorf("counts %+v", c)
	}
}

func TestRestingIsBounded(t *testing.T) {
	r := resting{of: map[string]int32{}}
	for i := range int32(10_000) {
		if freed := r.put(fmt.Sprint("u", i%10), i); freed != i-10 && i >= 10 {
			t.Fatalf("freed %d instead of %d", freed, i-10)
		}
	}
	if len(r.order) > 100 || len(r.of) != 10 {
		t.Errorf("%d in order, %d kept", len(r.order), len(r.of))
	}
	if n, ok := r.take("u3"); n != 9993 || !ok {
		t.Errorf("took %d, %v", n, ok)
	}
	for i := range int32(9) {
		want := 9990 + i
		if i >= 3 {
			want++
		}
		if n, ok := r.oldest(); n != want || !ok {
			t.Errorf("oldest is %d, %v, want %d", n, ok, want)
		}
	}
	if _, ok := r.oldest(); ok {
		t.Error("one is left")
	}
}

package drive

import (
	"strings"
	"testing"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
	"pushfleet/internal/testnode"
)

// A client that does not read in production makes the shadow's queue grow and
// shrink as it did there. It may be behind by what lies between both ends here,
// until production's socket has taken as much.
func TestPace(t *testing.T) {
	f := func(joined bool, unsent string) {
		t.Helper()
		n := shadow(t, func(c *testnode.Config) { c.Knobs["socket.unsent_bytes_max"] = unsent })
		f := newFeed(t)
		d := drive(t, n, f, nil, Options{Amplify: 2})
		const messages, size = 400, 1000
		f.open(teewire.Open{Conn: 1, Users: []string{"a"}, Joined: joined, Blocked: joined, Queued: 7})
		d.eventually("open", func(c *Counts) bool { return c.Open == 1 && c.Sockets == 2 })
		between := d.between
		if !joined {
			f.out(teewire.Out{Conn: 1, Frames: 1, Bytes: 50, Queued: 1, Blocked: true})
		}
		d.eventually("held", func(c *Counts) bool { return c.Held == 1 })
		data := `"` + strings.Repeat("x", size-48) + `"`
		for range messages {
			f.to("a", data)
		}
		d.eventually("published", func(c *Counts) bool { return c.Published == 2*messages })
		var waits int64 // of each copy
		atRest := func(s *pushdapi.Stats) bool {
			waits = s.Queued.Messages / 2
			return s.Queued.Messages+int64(s.Totals.Delivered) == 2*messages
		}
		still := 0 // looks in which nothing was written, and in each of which the loops had their turn
		n.Eventually("all queued or written", func(s *pushdapi.Stats) bool {
			before := waits
			if still++; !atRest(s) || waits != before {
				still = 0
			}
			return still == 10
		})
		behind := int64(messages-waits) * size
		t.Logf("joined %v, unsent %s: %d of %d messages wait, the queue is %d bytes behind, reckoned %d", joined, unsent, waits, messages, behind, between)
		if off := behind - int64(between); off > 24<<10 || off < -24<<10 {
			t.Errorf("%d bytes behind, reckoned %d", behind, between)
		}
		// Production's socket takes what waited there before the tee, and then
		// 200 messages.
		if joined {
			f.out(teewire.Out{Conn: 1, Frames: 7, Bytes: 9999, Queued: messages, Blocked: true})
		}
		before := d.Counts().Bytes
		for i := range 20 {
			f.out(teewire.Out{Conn: 1, Frames: 10, Bytes: 10 * size, Queued: uint32(messages - 10*i), Blocked: true})
		}
		granted := uint64(200*size - int64(between))
		d.eventually("what was granted is read", func(c *Counts) bool { return c.Bytes == before+2*granted })
		n.Eventually("the queue is as long as in production", func(s *pushdapi.Stats) bool {
			return atRest(s) && waits >= 200-25 && waits <= 200+25
		})
		f.out(teewire.Out{Conn: 1, Frames: 200, Bytes: 200 * size})
		d.eventually("all read", func(c *Counts) bool { return c.Held == 0 && c.Frames == 2*messages })
		if c := d.finish(); dropped(&c) > 0 {
			t.Errorf("counts %+v", c)
		}
	}
	f(false, "32KiB")
	f(false, "8KiB")
	f(true, "32KiB")
}

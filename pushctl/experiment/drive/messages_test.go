package drive

import (
	"strings"
	"testing"
	"time"

	"pushfleet/internal/teewire"
	"pushfleet/internal/testnode"
)

// Each message that the shadow refuses is booked as refused, however many they
// are before it has answered one.
func TestManyMessagesAreRefused(t *testing.T) {
	n, f := shadow(t, func(c *testnode.Config) { c.Knobs["message.bytes_max"] = "1KiB" }), newFeed(t)
	d := drive(t, n, f, nil, Options{Amplify: 2, LateMax: time.Minute})
	f.open(teewire.Open{Conn: 1, Users: []string{"a"}, Groups: []string{"g"}})
	d.eventually("open", func(c *Counts) bool { return c.Open == 1 && c.Sockets == 2 })
	const each = 500
	small, large := []byte(`"x"`), []byte(`"`+strings.Repeat("x", 2000)+`"`)
	f.batch(2, func(b *teewire.Batch) {
		for range each {
			b.Publish(&teewire.Message{At: f.now(), User: []byte("a"), Data: small})
			b.Publish(&teewire.Message{At: f.now(), User: []byte("a"), Data: large})
			b.Publish(&teewire.Message{At: f.now(), Group: []byte("g"), Data: large})
			b.Publish(&teewire.Message{At: f.now(), Group: []byte("g"), Data: small})
		}
	}, kinds(teewire.KindPublish, 4*each)...)
	d.eventually("the others delivered", func(c *Counts) bool { return c.Frames == 4*each })
	c := d.finish()
	if c.Replayed["publish"] != 2*each || c.Dropped["publish"][DropRefused] != 2*each || dropped(&c) != 2*each || c.Published != 3*each {
		t.Errorf("counts %+v", c)
	}
}

func kinds(k teewire.Kind, n int) (list []teewire.Kind) {
	for range n {
		list = append(list, k)
	}
	return list
}

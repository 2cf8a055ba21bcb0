package drive

import (
	"bytes"
	"io"
	"path/filepath"
	"testing"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/internal/teewire"
)

// recording is one of a batch for each function, which is given an instant so
// far before mono.
func recording(t *testing.T, parts map[time.Duration]func(b *teewire.Batch, at int64), order ...time.Duration) *teewire.Files {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r.tee")
	w, err := teewire.Create(path, teewire.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, ago := range order {
		b, at := teewire.Batch{Source: 1}, mono-int64(ago)
		if i == 0 {
			b.Head(&teewire.Head{Version: teewire.Version, Node: "prod", Build: "test", Wall: time.Now().Add(-ago), Mono: at, Sample: 100})
		}
		parts[ago](&b, at)
		if err := w.Write(bytes.Clone(b.Seal())); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := teewire.OpenFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	return files
}

// Who begins in the middle of a recording finds connections with the users and
// groups that their clients have given them before, and does not wait for what
// was left out.
func TestFromTheMiddle(t *testing.T) {
	const early, middle, late = 1000 * time.Second, 500 * time.Second, time.Second
	files := recording(t, map[time.Duration]func(b *teewire.Batch, at int64){
		early: func(b *teewire.Batch, at int64) {
			open := func(conn uint64, p push.Proto, user, group string) {
				b.Open(&teewire.Open{At: at, Conn: conn, Proto: p, Users: []string{user}, Groups: []string{group}, Resume: p == push.ProtoSSE})
			}
			open(1, push.ProtoWS, "a", "news")
			open(2, push.ProtoSSE, "c", "g")
			open(3, push.ProtoWS, "d", "g")
			open(4, push.ProtoWS, "gone", "g")
			open(5, push.ProtoWS, "torn", "g")
			b.In(at, 1, []byte(`{"type":"bind","group":"h"}`))
			b.In(at, 1, []byte(`{"type":"bind","group":"g","ref":1}`))
		},
		middle: func(b *teewire.Batch, at int64) {
			b.In(at, 1, []byte(`{"type":"unbind","group":"h"}`))
			b.In(at, 1, []byte(`{"type":"login","user":"b"}`))
			b.In(at, 3, []byte(`{"type":"logout","user":"d"}`))
			b.Close(&teewire.Close{At: at, Conn: 4, Reason: push.CloseClient})
			b.Torn(&teewire.Torn{At: at, User: "torn", Why: teewire.DropBuffer})
		},
		late: func(b *teewire.Batch, at int64) { b.In(at, 3, []byte(`{"type":"bind","group":"k"}`)) },
	}, early, middle, late)
	if err := files.SeekTo(t.Context(), mono-int64(late)); err != nil {
		t.Fatal(err)
	}
	n, f := shadow(t, nil), feedFrom(t, files)
	d := drive(t, n, f, nil, Options{LateMax: time.Minute})
	n.Eventually("all as it was", func(s *pushdapi.Stats) bool {
		return s.Connections.Total == 3 && s.Users == 3 && s.Groups == 3 && user(t, n, "b").Online && !user(t, n, "d").Online
	})
	group := func(g string) { f.publish(teewire.Message{Group: []byte(g), Data: []byte(`1`)}) }
	group("g") // to 1, 2 and 3
	group("h") // to nobody
	group("k") // to 3
	f.to("b", `1`)
	f.to("torn", `1`)
	d.eventually("messages", func(c *Counts) bool { return c.Frames == 5 })
	f.close(3, push.CloseClient)
	c := d.finish()
	if c.Frames != 5 || c.Joined != 3 || c.Gaps != 0 || c.Published != 4 || c.Dropped["publish"][DropTorn] != 1 || dropped(&c) != 1 {
		t.Errorf("counts %+v", c)
	}
}

// feedFrom is a feed that begins with what files hold from where they stand.
func feedFrom(t *testing.T, files *teewire.Files) *feed {
	t.Helper()
	f := &feed{t: t, start: time.Now(), ch: make(chan []byte, 1<<12), wrote: map[string]uint64{}}
	t.Cleanup(f.end)
	r := teewire.NewReader(passed{files, f})
	for {
		k, _, err := r.Next()
		if err == io.EOF {
			return f
		}
		if err != nil {
			t.Fatal(err)
		}
		f.wrote[k.String()]++
	}
}

// passed gives a feed all batches that it is asked for.
type passed struct {
	from teewire.Batches
	to   *feed
}

// NextBatch implements teewire.Batches.
func (p passed) NextBatch() ([]byte, error) {
	b, err := p.from.NextBatch()
	if err == nil {
		p.to.ch <- bytes.Clone(b)
	}
	return b, err
}

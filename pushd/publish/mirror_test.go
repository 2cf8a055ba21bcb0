package publish

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"pushfleet/internal/knob"
	"pushfleet/internal/teewire"
	"pushfleet/pushd/tap"
)

// withTee gives a rig a tap that a tee reads; end returns the messages.
func withTee(t testing.TB, r *rig) (end func() []string) {
	t.Helper()
	base := time.Now().Add(-time.Second)
	r.Tap = tap.New(tap.Config{Knobs: tap.NewKnobs(knob.NewRegistry()), Loops: 1, Node: "test", Build: "test",
		Clock: func() int64 { return int64(time.Since(base)) }, Wall: func(ns int64) time.Time { return base.Add(time.Duration(ns)) }})
	var all memory
	ended := make(chan error, 1)
	go func() { // ended by end
		ended <- r.Tap.Run(context.Background(), tap.Options{Sample: 100, Redact: teewire.RedactOff}, &all)
	}()
	for !r.Tap.Active() {
		<-time.After(time.Millisecond)
	}
	return func() []string {
		r.Tap.Stop(tap.EndStopped)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		return messages(&all.Buffer)
	}
}

// memory is a sink of the one goroutine that writes to it.
type memory struct{ bytes.Buffer }

func (m *memory) Write(b []byte) error {
	m.Buffer.Write(b)
	return nil
}

func messages(in io.Reader) (list []string) {
	r := teewire.NewReader(teewire.NewStream(in))
	for {
		k, _, err := r.Next()
		if err != nil {
			return list
		}
		if p := &r.Publish; k == teewire.KindPublish {
			list = append(list, fmt.Sprintf("%s/%s %s %s %s %s %s", p.User, p.Group, p.ID, p.Key, p.Class, p.TTL, p.Data))
		}
	}
}

// Messages are mirrored as the node was given them: those to users without a
// connection and duplicates too, what is no message not.
func TestMessagesAreMirrored(t *testing.T) {
	r := newRig(t)
	end := withTee(t, r)
	post := func(path, body string) {
		t.Helper()
		w := httptest.NewRecorder()
		r.mux.ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader(body)))
		if w.Code == http.StatusNotFound {
			t.Fatal(path)
		}
	}
	post("/v1/send", `{"user":"ann","id":"1","key":"k","class":"volatile","ttl":"5s","data":{"a":
 1}}`)
	post("/v1/send", `{"user":"ann","id":"1","data":2}`)
	post("/v1/send", `{"users":["bob","n\u006fbody"],"data":3}`)
	post("/v1/send", `{"user":"bob"}`)
	post("/v1/broadcast", `{"group":"g","data":4}`)
	post("/v1/broadcast", `{"data":5}`)
	got := end()
	want := []string{`ann/ 1 k volatile 5s {"a":  1}`, `ann/ 1  normal 0s 2`, `bob/   normal 0s 3`, `nobody/   normal 0s 3`,
		`/g   normal 0s 4`, `/   normal 0s 5`}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	post("/v1/send", `{"user":"ann","data":6}`) // to nobody
}

func TestMirroringAllocatesNothing(t *testing.T) {
	r, run := rigBatch(t, 1000, 100)
	end := withTee(t, r)
	for range 200 {
		run()
	}
	if n := testing.AllocsPerRun(50, run); n > 2 { // chunks of the tap, now and then
		t.Errorf("%v allocations per 100 lines", n)
	}
	end()
}

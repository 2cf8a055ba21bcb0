package publish

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
	"pushfleet/pushd/reactor"
	"pushfleet/pushd/router"
)

func (r *rig) call(method, path, body string) (int, string) {
	w := httptest.NewRecorder()
	r.mux.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestSend(t *testing.T) {
	r := newRig(t)
	f := func(path, body string, status int, want string) {
		t.Helper()
		if code, got := r.call("POST", path, body); code != status || got != want {
			t.Errorf("POST %s %s: %d %s, want %d %s", path, body, code, got, status, want)
		}
	}
	f("/v1/send", `{"user":"ann","data":1}`, 200, `{"delivered":2}`)
	f("/v1/send", `{"user":"nobody","data":1}`, 200, `{"delivered":0,"absent":1}`)
	f("/v1/send", `{"users":["ann","nobody","bob"],"data":1}`, 200, `{"delivered":3,"absent":1}`)
	f("/v1/broadcast", `{"data":1}`, 200, `{"delivered":10}`)
	f("/v1/broadcast", `{"group":"g","data":1}`, 200, `{"delivered":0}`)
	if _, err := r.Router.GroupJoin("g", 1); err != nil {
		t.Fatal(err)
	}
	f("/v1/broadcast", `{"group":"g","data":1}`, 200, `{"delivered":5}`)
	f("/v1/send", `{"group":"g","data":1}`, 200, `{"delivered":5}`)
	f("/v1/send", `{"user":"bob","id":"a","data":1}`, 200, `{"delivered":1}`)
	f("/v1/send", `{"user":"bob","id":"a","data":1}`, 200, `{"delivered":0,"dropped":{"duplicate":1}}`)
	f("/v1/send", `{"users":["ann","bob"],"id":"a","data":1}`, 200, `{"delivered":2,"dropped":{"duplicate":1}}`)
	f("/v1/send", `{"user":"nobody","id":"b","data":1}`, 200, `{"delivered":0,"absent":1}`)
	f("/v1/send", `{"user":"nobody","id":"b","data":1}`, 200, `{"delivered":0,"absent":1}`) // may be tried again
	c := r.Snapshot()
	if c.Published != 13 || c.Absent != 4 || c.Dropped[push.DropDuplicate] != 2 {
		t.Errorf("counts %+v", c)
	}
}

func TestSendWhatIsSent(t *testing.T) {
	r := newRig(t)
	r.call("POST", "/v1/send", `{"user":"carl","id":"i","class":"volatile","ttl":10,"key":"k","data":{"a":1}}`)
	r.call("POST", "/v1/send", `{"user":"bob","key":"k","data":2}`)
	r.call("POST", "/v1/broadcast", "{\"data\":[1,\n2]}")
	want := []string{`0.2.1 "id":"i","user":"carl","data":{"a":1}}`, `0.1.1 "user":"bob","data":2}`, `0.0.0 "data":[1, 2]}`, `0.0.0 "data":[1, 2]}`}
	if !slices.Equal(r.loops.got, want) {
		t.Errorf("got %q\nwant %q", r.loops.got, want)
	}
	if r.loops.items[0].Pos != 1 || r.loops.items[1].Pos != 0 || r.loops.items[2].Kind != reactor.KindAll {
		t.Errorf("items %+v", r.loops.items)
	}
}

func TestMeta(t *testing.T) {
	r := newRig(t)
	r.loops.hold = true
	r.call("POST", "/v1/send?wait=0", `{"user":"carl","class":"volatile","ttl":10,"key":"k","data":1}`)
	r.call("POST", "/v1/send?wait=0", `{"user":"bob","key":"k","data":1}`)
	r.call("POST", "/v1/send?wait=0", `{"user":"bob","key":"k","data":2}`)
	m := func(i int) (key, left uint32, c push.Class) {
		meta := r.Messages.Meta(r.loops.held[i].Msg)
		return meta.Key, meta.Deadline - reactor.MS(meta.At), meta.Class
	}
	carl, left, class := m(0)
	bob, _, _ := m(1)
	again, _, _ := m(2)
	if left < 9999 || left > 10001 || class != push.ClassVolatile {
		t.Errorf("deadline in %d ms, class %v", left, class)
	}
	if carl == 0 || carl == bob || bob != again {
		t.Errorf("keys %d, %d, %d: the same key of one user and of no other", carl, bob, again)
	}
	r.loops.releaseHeld()
}

func TestSendRefuses(t *testing.T) {
	r := newRig(t, "message.bytes_max", "1KiB", "send.body_bytes_max", "4KiB", "send.users_max", "2")
	f := func(path, body string, status int, code string) {
		t.Helper()
		got, text := r.call("POST", path, body)
		var e pushdapi.Error
		if err := json.Unmarshal([]byte(text), &e); err != nil || got != status || e.Code != code || e.Message == "" {
			t.Errorf("POST %s %.40s: %d %s, want %d %s", path, body, got, text, status, code)
		}
	}
	f("/v1/send", `{"user":"u"`, 400, "bad_json")
	f("/v1/send", `{"data":1}`, 400, "no_target")
	f("/v1/send", `{"users":["a","b","c"],"data":1}`, 400, "bad_field")
	f("/v1/broadcast", `{"user":"u","data":1}`, 400, "bad_target")
	f("/v1/send?wait=1h", `{"user":"u","data":1}`, 400, "bad_wait")
	f("/v1/publish?results=all", `{"user":"u","data":1}`, 400, "bad_results")
	f("/v1/send", `{"user":"bob","data":"`+strings.Repeat("x", 1025)+`"}`, 413, "oversize")
	f("/v1/send", strings.Repeat(" ", 5000), 413, "oversize")
	f("/v1/users/bob/sessions", "", 405, "method")
	r.memory = 0
	f("/v1/send", `{"user":"bob","id":"x","data":1}`, 503, "memory")
	r.memory = 1 << 20
	if code, text := r.call("POST", "/v1/send", `{"user":"bob","id":"x","data":1}`); text != `{"delivered":1}` {
		t.Errorf("the same id after it could not be taken: %d %s", code, text)
	}
	r.Drain()
	f("/v1/send", `{"user":"bob","data":1}`, 503, "draining")
	f("/v1/publish", ``, 503, "draining")
}

func TestSendWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.loops.hold = true
		start := time.Now()
		if _, got := r.call("POST", "/v1/send", `{"user":"ann","data":1}`); got != `{"delivered":0,"pending":2}` {
			t.Errorf("got %s", got)
		}
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("waited %v, want publish.wait", d)
		}
		if _, got := r.call("POST", "/v1/send?wait=0", `{"user":"ann","data":1}`); got != `{"delivered":0,"pending":2}` || time.Since(start) != 2*time.Second {
			t.Errorf("wait=0: %s after %v", got, time.Since(start))
		}
		r.loops.releaseHeld()
	})
}

func TestInboxFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.loops.let(1)
		start := time.Now()
		if _, got := r.call("POST", "/v1/send", `{"users":["bob","carl","bob"],"data":1}`); got != `{"delivered":1,"dropped":{"inbox_full":2}}` {
			t.Errorf("got %s", got)
		}
		if d := time.Since(start); d < time.Second || d > 1100*time.Millisecond {
			t.Errorf("held back for %v, want publish.inbox_wait", d)
		}
		go func() {
			time.Sleep(100 * time.Millisecond)
			r.loops.let(-1)
		}()
		if _, got := r.call("POST", "/v1/send", `{"users":["bob","carl","bob"],"data":1}`); got != `{"delivered":3}` {
			t.Errorf("room in time: %s", got)
		}
	})
}

func TestUsers(t *testing.T) {
	r := newRig(t)
	f := func(method, path, want string) {
		t.Helper()
		code, got := r.call(method, path, "")
		if code != http.StatusOK || !strings.Contains(got, want) {
			t.Errorf("%s %s: %d %s, want %s", method, path, code, got, want)
		}
	}
	f("GET", "/v1/users/bob", `"online":true,"sessions":[{"conn":"0.1.1"`)
	f("GET", "/v1/users/bob", `"queued":7`)
	f("GET", "/v1/users/no%2Fbody", `{"user":"no/body","online":false,"sessions":[],"replay":0}`)
	f("DELETE", "/v1/users/ann/sessions", `{"kicked":1}`) // the other one is gone
	f("DELETE", "/v1/users/nobody/sessions", `{"kicked":0}`)
	if _, err := r.Router.Login("dora", push.MakeHandle(0, 2, 1, 1), 0, nil); err != nil {
		t.Fatal(err)
	} // on a loop that does not answer
	f("GET", "/v1/users/dora", `{"user":"dora","online":true,"sessions":[],"unanswered":1`)
	f("DELETE", "/v1/users/dora/sessions", `{"kicked":0,"unanswered":1}`)
}

func TestTrace(t *testing.T) {
	r := newRig(t)
	var got []string
	r.SetTrace(func(user []byte, m *Send, to []push.Handle, o router.Outcome, why push.DropReason) {
		got = append(got, strings.Join([]string{string(user), string(m.Data), why.String()}, " "))
	})
	r.call("POST", "/v1/send", `{"users":["ann","nobody"],"id":"x","data":1}`)
	r.call("POST", "/v1/send", `{"user":"ann","id":"x","data":2}`)
	r.SetTrace(nil)
	r.call("POST", "/v1/send", `{"user":"ann","data":3}`)
	if want := []string{"ann 1 none", "nobody 1 none", "ann 2 duplicate"}; !slices.Equal(got, want) {
		t.Errorf("traced %q, want %q", got, want)
	}
}

func TestDedup(t *testing.T) {
	d := newDedup(8)
	f := func(hash uint64, now uint32, want bool) {
		t.Helper()
		if got := d.seen(hash, now, 100); got != want {
			t.Errorf("seen(%d) at %d = %v, want %v", hash, now, got, want)
		}
	}
	start := ^uint32(0) - 50 // the clock wraps in the test
	f(1, start, false)
	f(1, start+99, true)
	f(1, start+100, false)
	f(1, start+150, true)
	d.forget(1)
	f(1, start+151, false)
	for i := uint64(2); i <= 8; i++ {
		f(i, start+150+uint32(i), false)
	}
	f(9, start+160, false) // a ninth: the oldest gives way
	f(1, start+161, false)
	f(8, start+162, true)
}

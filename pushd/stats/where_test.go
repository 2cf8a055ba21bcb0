package stats

import (
	"strings"
	"testing"

	"pushfleet/internal/pushdapi"
)

func TestWhereMatches(t *testing.T) {
	row := pushdapi.ConnRow{Conn: "3.1f20.2", User: "u-88121", Proto: "ws", AgeSeconds: 7260, Queued: 1024,
		Bytes: 214_000, In: 25.1, Out: 9.8, Peak: 1024, Drops: 311, RTTSeconds: 0.212,
		Wait: pushdapi.Estimate{State: "known", Seconds: 104}, Drain: pushdapi.Estimate{State: "growing"}}
	f := func(text string, want bool) {
		t.Helper()
		w, err := ParseWhere(text)
		if err != nil {
			t.Errorf("ParseWhere(%q): %v", text, err)
			return
		}
		if got := w.Match(&row); got != want {
			t.Errorf("%q matches: %v, want %v", text, got, want)
		}
	}
	f("queued > 1000", true)
	f("queued > 1_023 and queued < 1e4", true)
	f("in > 25 and out < 10", true)
	f("out < in", true)
	f("(in) > 30 or not (in > 20)", false)
	f(`user in ["u-1", "u-88121"]`, true)
	f(`user not in ["u-1", "u-88121"]`, false)
	f("not (in < 20)", true)
	f(`proto == "ws" && conn startsWith '3.'`, true)
	f(`user matches "^u-8+1"`, true)
	f(`user == "10s in 5m"`, false)
	f("wait > 1m40s", true)
	f("wait > 1m45s", false)
	f("age >= 2h1m and age < 2.5h", true)
	f("rtt > 200ms and rtt < 0.3", true)
	f("bytes > 200KB and bytes < 210KiB", true)
	f("drain > 1d", true) // growing
	f("peak == 1024 ? drops > 300 : false", true)
	row.Drain.State = "unsure"
	f("drain > 0 or drain <= 0", false)
	row.User = "(" // a pattern that does not compile cannot match
	f("conn matches user", false)
}

func TestWhereRefuses(t *testing.T) {
	f := func(text, say string) {
		t.Helper()
		_, err := ParseWhere(text)
		if err == nil {
			t.Errorf("ParseWhere(%q) took it", text)
			return
		}
		if !strings.Contains(err.Error(), say) || !strings.Contains(err.Error(), WhereFields) {
			t.Errorf("ParseWhere(%q): %q, want it to say %q and name the fields", text, err, say)
		}
	}
	f("", "")
	f("queue > 5", "queue")
	f("queued", "bool")
	f("queued > ", "")
	f(`queued > "x"`, "invalid operation")
	f("queued > 5 and", "")
	f("queued > 5x", `"5x"`)
	f("wait > 5 s", "")
	f("len(user) > 5", "functions")
	f(`user in map(1..1000000, "a")`, "")
	f("queued in 1..1000000", "ranges")
	f("any([1,2], # > 1)", "only")
	f("let x = queued; x > 1", "only")
	f(`{"a": queued}.a > 1`, "only")
	f(`user[0:3] == "u-8"`, "only")
	f("queued > 1 | queued", "")
	f(strings.Repeat("not ", 200)+"(queued > 1)", "longer")
	f(`user == "abc`, "")
	f(strings.Repeat("(", 400), "")
}

func TestParseQuery(t *testing.T) {
	f := func(by string, window, n int, where, wantErr string) Query {
		t.Helper()
		q, err := ParseQuery(by, window, n, where)
		if (err == nil) != (wantErr == "") || err != nil && !strings.Contains(err.Error(), wantErr) {
			t.Errorf("ParseQuery(%q, %d, %d, %q): %v, want %q", by, window, n, where, err, wantErr)
		}
		return q
	}
	if q := f("", 0, 0, " ", ""); q.By != ByWait || q.Window != 10 || q.N != 20 || q.Where != nil {
		t.Errorf("defaults: %+v", q)
	}
	if q := f("drain", 100, 1000, "queued > 1", ""); q.By != ByDrain || q.Where.String() != "queued > 1" {
		t.Errorf("all given: %+v", q)
	}
	f("cpu", 0, 0, "", "queued, bytes, wait")
	f("in", 5, 0, "", "1, 10 or 100")
	f("in", 1, 1001, "", "1000")
	f("in", 1, -1, "", "1000")
	f("in", 1, 5, "x > 1", "fields are")
	for _, by := range allBy {
		if q := f(by.String(), 1, 1, "", ""); q.By != by {
			t.Errorf("%s parses as %s", by, q.By)
		}
	}
}

func FuzzWhere(f *testing.F) {
	f.Add(`queued > 100 and (wait > 5s or user in ["a", 'b']) and not in > 3`)
	f.Add("1m30s+64KiB*in<rtt?true:1..2==[3]")
	row := pushdapi.ConnRow{User: "u", Queued: 3}
	f.Fuzz(func(t *testing.T, text string) {
		if w, err := ParseWhere(text); err == nil {
			w.Match(&row)
		}
	})
}

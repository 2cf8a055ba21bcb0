package publish

import (
	"bufio"
	"net"
	"net/http/httputil"
	"testing"
	"testing/synctest"
	"time"

	"pushfleet/internal/push"
	"pushfleet/pushd/receipt"
)

// Counts come 50 ms after something happened, bad lines at once, and while
// nothing happens no timer runs.
func TestResultsRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		rcpt := receipt.NewTable(1).Open()
		w := newResults(ours, rcpt)
		start := time.Now()
		var got []string
		go func() { // ends with Close
			for sc := bufio.NewScanner(httputil.NewChunkedReader(theirs)); sc.Scan(); {
				got = append(got, time.Since(start).String()+" "+sc.Text())
			}
		}()
		f := func(after time.Duration, want ...string) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			w.mu.Lock()
			defer w.mu.Unlock()
			if len(got) != len(want) {
				t.Fatalf("results %q, want %q", got, want)
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("result %q, want %q", got[i], want[i])
				}
			}
			got = nil
			if rests := rcpt.Pending() == 0; w.armed == rests {
				t.Errorf("timer armed %v with %d pending", w.armed, rcpt.Pending())
			}
		}
		f(time.Second)
		rcpt.Expect(2)
		w.add(2, &tally{absent: 1})
		w.add(1, &tally{})
		f(120*time.Millisecond, `1.05s {"lines":3,"delivered":0,"absent":1}`)
		rcpt.Settle(push.DropNone, 1)
		rcpt.Settle(push.DropOverflow, 1)
		f(130*time.Millisecond, `1.15s {"delivered":1,"dropped":{"overflow":1}}`)
		w.add(1, &tally{})
		w.badLine(5, badJSON("no"))
		f(0, `1.25s {"line":5,"delivered":0,"code":"bad_json","error":"no"}`, `1.25s {"lines":2,"delivered":0}`)
		f(time.Hour)
		w.finish("")
		synctest.Wait()
		if len(got) != 1 || got[0] != `1h0m1.25s {"lines":5,"delivered":1,"absent":1,"dropped":{"overflow":1},"error":"1 of 5 lines were not accepted","done":true}` {
			t.Errorf("last result %q", got)
		}
	})
}

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// shadowed connects clients of a tee to a shadow and sends each of them ten
// messages a second, as an experiment does, until the returned function is
// called.
func (f *fleet) shadowed(node string, users int) (end func()) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	for i := range users {
		work.Go(func() { // ended by end
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/connect?user=u%d&tee=1", client(node), i), nil)
			if err != nil {
				return
			}
			if resp, err := http.DefaultClient.Do(req); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body) // until end
				resp.Body.Close()
			}
		})
	}
	work.Go(func() { // ended by end
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if resp, err := http.Post("http://"+private(node)+"/v1/broadcast", "application/json", strings.NewReader(`{"data":"a message"}`)); err == nil {
				resp.Body.Close()
			}
		}
	})
	end = sync.OnceFunc(func() { cancel(); work.Wait() })
	f.t.Cleanup(end)
	f.holds(node, users)
	return end
}

// experiment tries a knob on a shadow that is fed by a node, until the test
// ends.
func (f *fleet) experiment(from, to string) {
	f.holds(from, 100)
	start(f.t, []string{"HOME=" + f.dir}, f.program("pushctl"), "tee", "run", "--from", private(from), "--to", private(to), "--sample", "50%",
		"--set", "gc.percent=400", "--aa", "1m", "--for", "10m", "--report", "none")
}

// unread begins a tee of all connections of a node and never reads it.
func (f *fleet) unread(node string) {
	f.t.Helper()
	f.ctlOf(node, "knob", "set", "tap.buffer_bytes_max", "1MiB", "--why", "test")
	f.ctlOf(node, "knob", "set", "tap.stall_timeout", "10m", "--why", "test")
	c, err := net.Dial("tcp", private(node))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Close() })
	if err := c.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		f.t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET /v1/tee?sample=100 HTTP/1.1\r\nHost: node\r\n\r\n"); err != nil {
		f.t.Fatal(err)
	}
	eventually(f.t, "the tee of "+node+" has begun", func() bool { return f.metric(node, "pushd_tap_active ") == 1 })
}

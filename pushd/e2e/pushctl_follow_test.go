package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"pushfleet/internal/pushdapi"
)

// follow runs a pushctl that goes on and gives the lines it prints. end waits
// for its end and returns its exit code; interrupt presses ctrl-C before.
func follow(t *testing.T, args ...string) (lines <-chan string, end func(interrupt bool) int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := pushctlCmd(ctx, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := make(chan string, 4096)
	code := make(chan int, 1)
	go func() { // ends with pushctl
		defer close(c)
		for s := bufio.NewScanner(out); s.Scan(); {
			c <- s.Text()
		}
		code <- exitCode(t, cmd.Wait())
	}()
	t.Cleanup(cancel)
	return c, func(interrupt bool) int {
		if interrupt {
			_ = cmd.Process.Signal(syscall.SIGINT)
		}
		late := time.AfterFunc(patience, cancel)
		defer late.Stop()
		for range c {
		}
		return <-code
	}
}

// TestPushctlListen receives over each transport, through a break.
func TestPushctlListen(t *testing.T) {
	n := startPushd(t)
	for _, proto := range []string{"ws", "sse", "stream", "poll"} {
		t.Run(proto, func(t *testing.T) {
			t.Parallel()
			user := "l-" + proto
			lines, end := follow(t, "listen", user, "--addr", n.client[0], "--proto", proto, "--count", "20", "-o", "ndjson")
			online(t, n.API, user)
			for i := 1; i <= 20; i++ {
				// A poll is away between two requests, and the message waits for it;
				// one that meets a poll just answered is gone for that request only.
				r, err := n.API.Send(context.Background(), numbered(user, i))
				if err != nil || r.Delivered+r.Kept != 1 && (proto != "poll" || r.Dropped["gone"] != 1) {
					t.Fatalf("message %d: %+v, %v", i, r, err)
				}
			}
			for want := 1; want <= 20; {
				l := line(t, lines, `{`)
				if strings.HasPrefix(l, `"type"`) {
					continue
				}
				if got := frameNumber(t, []byte("{"+l)); got != want {
					t.Fatalf("got %d, want %d", got, want)
				}
				want++
			}
			if code := end(false); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// TestPushctlListenKicked: who is kicked does not come back, and says so.
func TestPushctlListenKicked(t *testing.T) {
	n := startPushd(t)
	_, end := follow(t, "listen", "a", "--addr", n.client[0], "-o", "ndjson")
	online(t, n.API, "a")
	kick(t, n.API, "a")
	offline(t, n.API, "a")
	if code := end(false); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
}

// TestPushctlTrace sees one message from the offer to the socket.
func TestPushctlTrace(t *testing.T) {
	n := startPushd(t)
	lines := curl(t, "http://"+n.client[0]+"/connect?user=a")
	line(t, lines, `{"type":"hello"`)
	events, end := follow(t, "--node", n.admin, "trace", "a", "-o", "ndjson")
	got := map[string]bool{}
	shown := func(event string) bool {
		for {
			select {
			case l := <-events:
				var e pushdapi.TraceEvent
				if err := json.Unmarshal([]byte(l), &e); err != nil || e.User != "a" {
					t.Fatalf("trace prints %q: %v", l, err)
				}
				got[e.Event] = true
			default:
				return got[event]
			}
		}
	}
	// Nothing says from when on it follows, so send until a message shows.
	i := 0
	eventually(t, "a message is seen", func() bool {
		i++
		pushNumbers(t, n.API, "a", i, i, false)
		return shown("write") && got["offer"] // it may begin between the two
	})
	kick(t, n.API, "a")
	eventually(t, "the close is seen", func() bool { return shown("close") })
	if code := end(true); code != 0 {
		t.Errorf("exit code %d after ctrl-C", code)
	}
}

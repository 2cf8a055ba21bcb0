package e2e

import (
	"bufio"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// curl runs curl until the test ends, or for ten minutes, and gives the lines it
// prints.
func curl(t *testing.T, args ...string) <-chan string {
	t.Helper()
	cmd := exec.Command(tool(t, "curl"), append([]string{"-sS", "-N", "--max-time", "600"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 4096)
	go func() { // ends with curl
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for range lines {
		}
	})
	return lines
}

// line waits for the next line that begins with a prefix and returns the rest.
func line(t *testing.T, lines <-chan string, prefix string) string {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		select {
		case l, ok := <-lines:
			if !ok {
				t.Fatalf("curl ended before a line with %q", prefix)
			}
			if rest, ok := strings.CutPrefix(l, prefix); ok {
				return rest
			}
		case <-limit.C:
			t.Fatalf("no line with %q", prefix)
		}
	}
}

// TestCurlSSE reads each message before the next is sent: nothing is held back.
func TestCurlSSE(t *testing.T) {
	n := startPushd(t)
	lines := curl(t, "-H", "Accept: text/event-stream", "http://"+n.client[0]+"/connect?user=a")
	line(t, lines, "event: hello")
	id := ""
	for want := 1; want <= 20; want++ {
		pushNumbers(t, n.API, "a", want, want, false)
		id = line(t, lines, "id: ")
		if got := frameNumber(t, []byte(line(t, lines, "data: "))); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
	}
	again := curl(t, "-H", "Accept: text/event-stream", "-H", "Last-Event-ID: "+id[:strings.IndexByte(id, '-')]+"-15",
		"http://"+n.client[0]+"/connect?user=a")
	line(t, again, "event: hello") // behind its id, which is the position asked for
	for want := 16; want <= 20; want++ {
		line(t, again, "id: ")
		if got := frameNumber(t, []byte(line(t, again, "data: "))); got != want {
			t.Fatalf("resumed behind 15: got %d, want %d", got, want)
		}
	}
	kickAll(t, n.API, "a", 2)
	line(t, lines, "event: close")
}

func TestCurlStream(t *testing.T) {
	n := startPushd(t)
	lines := curl(t, "http://"+n.client[0]+"/connect?user=a&user=b")
	line(t, lines, `{"type":"hello"`)
	for want := 1; want <= 20; want++ {
		pushNumbers(t, n.API, string("ab"[want%2]), want, want, false)
		if got := frameNumber(t, []byte(`{"seq":`+line(t, lines, `{"seq":`))); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
	}
	kick(t, n.API, "b")
	line(t, lines, `{"type":"close","code":4001`)
	for l := range lines {
		t.Errorf("after close came %q", l)
	}
}

// TestCurlPoll has one curl poll again and again over one connection. What is
// sent between two polls is not lost, because each names its position.
func TestCurlPoll(t *testing.T) {
	n := startPushd(t)
	base := "http://" + n.client[0] + "/connect?user=a&poll=30"
	first := curl(t, base)
	_, epoch, _ := strings.Cut(line(t, first, `{"type":"hello"`), `"epoch":"`)
	epoch, _, _ = strings.Cut(epoch, `"`)
	online(t, n.API, "a")
	pushNumbers(t, n.API, "a", 1, 1, false)
	if got := frameNumber(t, []byte(`{"seq":`+line(t, first, `{"seq":`))); got != 1 {
		t.Fatalf("the first poll got %d", got)
	}
	for l := range first {
		t.Errorf("behind the message came %s", l)
	}
	offline(t, n.API, "a")

	pushNumbers(t, n.API, "a", 2, 4, true)
	var args []string
	for _, last := range []int{1, 4, 5} { // the first is answered at once, the others wait
		args = append(args, "-N", "-w", "\nconnects %{num_connects}\n", fmt.Sprintf("%s&last=%s-%d", base, epoch, last), "--next")
	}
	lines := curl(t, args[:len(args)-1]...)
	for want := 2; want <= 6; want++ {
		if want > 4 {
			online(t, n.API, "a")
			pushNumbers(t, n.API, "a", want, want, false)
		}
		if got := frameNumber(t, []byte(`{"seq":`+line(t, lines, `{"seq":`))); got != want {
			t.Fatalf("polls got %d, want %d", got, want)
		}
		switch want {
		case 4:
			wantLine(t, lines, "connects ", "1")
		case 5, 6:
			wantLine(t, lines, "connects ", "0")
		}
	}
}

func wantLine(t *testing.T, lines <-chan string, prefix, want string) {
	t.Helper()
	if got := line(t, lines, prefix); got != want {
		t.Errorf("%s%s, want %s", prefix, got, want)
	}
}

// TestCurlPollTimesOut: a poll that gets nothing ends by itself.
func TestCurlPollTimesOut(t *testing.T) {
	n := startPushd(t)
	lines := curl(t, "-w", "status %{http_code}\\n", "http://"+n.client[0]+"/connect?user=a&poll=1")
	line(t, lines, `{"type":"hello"`)
	if got := line(t, lines, "status "); got != "200" {
		t.Errorf("status %s", got)
	}
}

// TestCurlServerAPI sends as the page for servers shows it.
func TestCurlServerAPI(t *testing.T) {
	n := startPushd(t)
	lines := curl(t, "http://"+n.client[0]+"/connect?user=alice")
	line(t, lines, `{"type":"hello"`)
	private := n.API.Addr()
	answer := curl(t, private+"/v1/send", "-d", `{"user":"alice","data":{"n":1},"id":"order-9"}`)
	if got := line(t, answer, ""); got != `{"delivered":1}` {
		t.Errorf("answer %q", got)
	}
	if got := line(t, lines, `{"seq":`); got != `1,"id":"order-9","user":"alice","data":{"n":1}}` {
		t.Errorf("frame %q", got)
	}
	line(t, curl(t, "--unix-socket", n.admin, "http://x/v1/stats"), `{`)
}

package e2e

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestBrowser has one page of another origin hold a WebSocket, an EventSource
// and a fetch stream at once.
func TestBrowser(t *testing.T) {
	chromium, node := tool(t, "chromium"), tool(t, "node")
	modules(t)
	site := httptest.NewServer(http.FileServer(http.Dir(".")))
	t.Cleanup(site.Close)
	n := startPushd(t, "--cors-allow-origins", site.URL)
	d := drive(t, []string{"CHROMIUM=" + chromium}, node, "browser.mjs", site.URL+"/page.html?node="+n.client[0])

	if e := d.next("ws", "open"); e.Protocol != "push.v1" {
		t.Errorf("WebSocket opened with subprotocol %q, want push.v1", e.Protocol)
	}
	d.next("sse", "open")
	if e := d.next("fetch", "open"); e.Code != 200 || !strings.HasPrefix(e.Text, "application/x-ndjson") {
		t.Errorf("fetch: %v", e)
	}
	users := map[string]string{"ws": "b-ws", "sse": "b-sse", "fetch": "b-stream"}
	for client, user := range users {
		if e := d.next(client, "control"); !strings.Contains(string(e.Frame), `"hello"`) {
			t.Errorf("%s begins with %s, want hello", client, e.Frame)
		}
		pushNumbers(t, n.API, user, 1, 20, false)
	}
	for client := range users {
		for want := 1; want <= 20; want++ {
			if got := d.number(client); got != want {
				t.Fatalf("%s got %d, want %d", client, got, want)
			}
		}
	}
	t.Run("EventSourceResumes", func(t *testing.T) { browserResumes(t, n, d) })
	t.Run("CloseCodes", func(t *testing.T) { browserCloses(t, n, d) })
}

// browserResumes cuts the EventSource off; it comes back by itself, after a
// second.
func browserResumes(t *testing.T, n *process, d *driver) {
	cutOff(t, n.API, "b-sse")
	if e := d.next("sse", "control"); !strings.Contains(string(e.Frame), `"code":4001`) {
		t.Errorf("before the end: %s, want close 4001", e.Frame)
	}
	pushAway(t, n.API, "b-sse", 21, 25)
	d.next("sse", "open")
	pushNumbers(t, n.API, "b-sse", 26, 30, false)
	id := ""
	for want := 21; want <= 30; want++ {
		e := d.next("sse", "data")
		if got := frameNumber(t, e.Frame); got != want {
			t.Fatalf("after the break came %d, want %d", got, want)
		}
		if e.ID == "" || e.ID == id {
			t.Errorf("message %d has id %q, the one before %q", want, e.ID, id)
		}
		id = e.ID
	}
	for _, e := range d.early {
		if e.Client == "sse" && strings.Contains(string(e.Frame), `"gap"`) {
			t.Errorf("a gap was told: %s", e.Frame)
		}
	}
}

// browserCloses checks what each client learns of its end.
func browserCloses(t *testing.T, n *process, d *driver) {
	kick(t, n.API, "b-ws")
	if e := d.next("ws", "close"); e.Code != 4001 || e.Text != "kicked" {
		t.Errorf("WebSocket: %v, want 4001 kicked", e)
	}
	kick(t, n.API, "b-stream")
	if e := d.next("fetch", "control"); !strings.Contains(string(e.Frame), `"code":4001`) {
		t.Errorf("stream: %s, want close 4001", e.Frame)
	}
	d.next("fetch", "close")
}

// TestBrowserOfUnknownOrigin is the counterpart: an origin that is not listed
// may not read.
func TestBrowserOfUnknownOrigin(t *testing.T) {
	n := startPushd(t, "--cors-allow-origins", "https://shop.example")
	f := func(origin, want string) {
		t.Helper()
		req, _ := http.NewRequest(http.MethodGet, "http://"+n.client[0]+"/connect?user=a&poll=1", nil)
		req.Header.Set("Origin", origin)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("origin %s is allowed as %q, want %q", origin, got, want)
		}
	}
	f("https://shop.example", "https://shop.example")
	f("https://evil.example", "")
	f("http://"+net.JoinHostPort("127.0.0.1", "80"), "")
}

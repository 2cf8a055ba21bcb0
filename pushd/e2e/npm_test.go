package e2e

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// npmClients starts the driver of the ws and eventsource modules.
func npmClients(t *testing.T, env ...string) *driver {
	node := tool(t, "node")
	modules(t)
	return drive(t, env, node, "clients.mjs")
}

// openWS connects a ws client and waits for hello.
func openWS(d *driver, client, url string) {
	d.t.Helper()
	d.do(map[string]any{"do": "ws", "client": client, "url": url, "protocols": []string{"push.v1"}})
	if e := d.next(client, "open"); e.Protocol != "push.v1" {
		d.t.Fatalf("%s opened with subprotocol %q", client, e.Protocol)
	}
	if e := d.next(client, "control"); !strings.Contains(string(e.Frame), `"hello"`) {
		d.t.Fatalf("%s begins with %s", client, e.Frame)
	}
}

// TestNpmWS checks the WebSocket side of the protocol with the ws module.
func TestNpmWS(t *testing.T) {
	d := npmClients(t)
	n := startPushd(t, "--knob", "heartbeat.ws.interval=1s")
	url := "ws://" + n.client[0] + "/connect?user=a"
	openWS(d, "a", url)

	pushNumbers(t, n.API, "a", 1, 200, false)
	for want := 1; want <= 200; want++ {
		if got := d.number("a"); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
	}
	d.do(map[string]any{"do": "ping", "client": "a", "text": "are you there"})
	if e := d.next("a", "pong"); e.Text != "are you there" {
		t.Errorf("pong carries %q", e.Text)
	}
	if e := d.next("a", "ping"); e.Text != "" { // after a second of silence
		t.Errorf("the node's ping carries %q, want nothing", e.Text)
	}
	ref := 0
	command := func(want string, parts ...string) {
		t.Helper()
		ref++
		parts[len(parts)-1] += fmt.Sprintf(`,"ref":%d}`, ref)
		d.do(map[string]any{"do": "send", "client": "a", "parts": parts})
		if e := d.next("a", "control"); !strings.Contains(string(e.Frame), want) || !strings.Contains(string(e.Frame), fmt.Sprint(ref)) {
			t.Errorf("%q is answered %s, want %s with ref %d", parts, e.Frame, want, ref)
		}
	}
	command(`"pong"`, `{"type":"ping"`)
	command(`"ok"`, `{"type":"bind"`, `,"group`, `":"news"`)
	command(`"ok"`, `{"type":"login",`, `"user":"`+"b"+`"`)
	command(`"no_uplink"`, `{"type":"up","data":"`, strings.Repeat("x", 40_000), `"`)
	pushNumbers(t, n.API, "b", 201, 201, false)
	if got := d.number("a"); got != 201 {
		t.Errorf("after login as b: %d, want 201", got)
	}
	d.do(map[string]any{"do": "close", "client": "a", "code": 1000})
	if e := d.next("a", "close"); e.Code != 1000 {
		t.Errorf("our own goodbye is answered %v, want 1000", e)
	}
}

// TestNpmWSCloseCodes checks what the module is told when the node hangs up.
func TestNpmWSCloseCodes(t *testing.T) {
	d := npmClients(t)
	n := startPushd(t)
	f := func(client string, command map[string]any, code int, text string) {
		t.Helper()
		openWS(d, client, "ws://"+n.client[0]+"/connect?user="+client)
		if command == nil {
			kick(t, n.API, client)
		} else {
			command["client"] = client
			d.do(command)
		}
		if e := d.next(client, "close"); e.Code != code || e.Text != text {
			t.Errorf("%s: %v, want %d %s", client, e, code, text)
		}
	}
	f("kicked", nil, 4001, "kicked")
	f("invalid-utf8", map[string]any{"do": "text", "hex": "ff"}, 1007, "utf8")
	f("too-large", map[string]any{"do": "send", "parts": []string{strings.Repeat("x", 70_000)}}, 1009, "oversize")
	f("too-large-in-parts", map[string]any{"do": "send", "parts": []string{strings.Repeat("x", 40_000), strings.Repeat("x", 40_000)}}, 1009, "oversize")
	f("unmasked", map[string]any{"do": "raw", "hex": hex.EncodeToString([]byte{0x81, 1, 'x'})}, 1002, "protocol")
	f("reserved-bit", map[string]any{"do": "raw", "hex": "d18000000000"}, 1002, "protocol")

	d.do(map[string]any{"do": "ws", "client": "nobody", "url": "ws://" + n.client[0] + "/connect", "protocols": []string{"push.v1"}})
	if e := d.next("nobody", "error"); e.Code < 400 || e.Code > 499 {
		t.Errorf("without a user: %v, want a 4xx", e)
	}
}

// TestNpmWSBinary: commands are text; a binary one is refused in words and the
// connection lives on.
func TestNpmWSBinary(t *testing.T) {
	d := npmClients(t)
	n := startPushd(t)
	openWS(d, "a", "ws://"+n.client[0]+"/connect?user=a")
	d.do(map[string]any{"do": "binary", "client": "a", "hex": "00ff"})
	if e := d.next("a", "control"); !strings.Contains(string(e.Frame), `"binary"`) {
		t.Errorf("binary is answered %s", e.Frame)
	}
	pushNumbers(t, n.API, "a", 1, 1, false)
	if d.number("a") != 1 {
		t.Error("nothing comes after a binary message")
	}
}

// TestNpmWSResume comes back with ?last= as PROTOCOL.md shows it.
func TestNpmWSResume(t *testing.T) {
	d := npmClients(t)
	n := startPushd(t)
	url := "ws://" + n.client[0] + "/connect?user=a&resume=1"
	openWS(d, "first", url)
	pushNumbers(t, n.API, "a", 1, 5, false)
	pos := ""
	for want := 1; want <= 5; want++ {
		e := d.next("first", "data")
		_, rest, _ := strings.Cut(string(e.Frame), `"pos":"`)
		pos, _, _ = strings.Cut(rest, `"`)
		if got := frameNumber(t, e.Frame); got != want || pos == "" {
			t.Fatalf("%s, want %d with a position", e.Frame, want)
		}
	}
	kick(t, n.API, "a")
	d.next("first", "close")
	offline(t, n.API, "a")
	pushNumbers(t, n.API, "a", 6, 9, true)
	openWS(d, "second", url+"&last="+pos)
	for want := 6; want <= 9; want++ {
		if got := d.number("second"); got != want {
			t.Fatalf("after the break %d, want %d", got, want)
		}
	}
}

// TestNpmEventSource is cut off twice and misses nothing.
func TestNpmEventSource(t *testing.T) {
	d := npmClients(t)
	n := startPushd(t)
	d.do(map[string]any{"do": "sse", "client": "es", "url": "http://" + n.client[0] + "/connect?user=a"})
	next := 1
	for round := range 3 {
		d.next("es", "open")
		if e := d.next("es", "control"); !strings.Contains(string(e.Frame), `"hello"`) {
			t.Fatalf("round %d begins with %s", round, e.Frame)
		}
		pushNumbers(t, n.API, "a", next+5*min(round, 1), next+9, false)
		for end := next + 10; next < end; next++ {
			if got := d.number("es"); got != next {
				t.Fatalf("round %d: got %d, want %d", round, got, next)
			}
		}
		if round == 2 {
			break
		}
		cutOff(t, n.API, "a") // for a second
		if e := d.next("es", "control"); !strings.Contains(string(e.Frame), `"close"`) {
			t.Errorf("round %d ends with %s", round, e.Frame)
		}
		pushAway(t, n.API, "a", next, next+4)
	}
}

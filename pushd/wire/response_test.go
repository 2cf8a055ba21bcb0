package wire

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
)

func TestHTTPError(t *testing.T) {
	origin := ""
	f := func(status int, headers map[string]string) {
		t.Helper()
		e := &HTTPError{Status: status, Code: "word", Message: "say \"what\"\nto do"}
		resp, body := readResponse(t, AppendHTTPError([]byte{}, e, origin))
		if resp.StatusCode != status || !resp.Close || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("status %d: %+v", status, resp)
		}
		for key, want := range headers {
			if got := resp.Header.Get(key); got != want {
				t.Errorf("status %d: %s %q, want %q", status, key, got, want)
			}
		}
		var got map[string]string
		if err := json.Unmarshal(body, &got); err != nil || got["code"] != e.Code || got["error"] != e.Message {
			t.Errorf("status %d: body %q: %v", status, body, err)
		}
	}
	f(400, map[string]string{"Access-Control-Allow-Origin": ""})
	f(401, map[string]string{"WWW-Authenticate": "Bearer"})
	f(404, map[string]string{"Allow": ""})
	f(405, map[string]string{"Allow": "GET"})
	f(426, map[string]string{"Upgrade": "websocket", "Sec-Websocket-Version": "13"})
	f(503, nil)
	f(505, nil)
	origin = "https://a.example"
	f(401, map[string]string{"Access-Control-Allow-Origin": origin, "Vary": "Origin", "WWW-Authenticate": "Bearer"})
}

func TestPreflight(t *testing.T) {
	f := func(origin string, want map[string]string) {
		t.Helper()
		resp, body := readResponse(t, AppendPreflight(nil, &Request{Preflight: true, AllowOrigin: origin}))
		if resp.StatusCode != 204 || len(body) > 0 || !resp.Close {
			t.Errorf("origin %q: %+v with body %q", origin, resp, body)
		}
		for key, value := range want {
			if got := resp.Header.Get(key); got != value {
				t.Errorf("origin %q: %s %q, want %q", origin, key, got, value)
			}
		}
	}
	const allow, headers = "Access-Control-Allow-Origin", "Access-Control-Allow-Headers"
	f("", map[string]string{allow: "", headers: ""})
	f("*", map[string]string{allow: "*", headers: "Authorization, Last-Event-ID", "Vary": ""})
	f("https://a.example", map[string]string{allow: "https://a.example", "Vary": "Origin"})
}

func TestNoOriginIsAllowedByItself(t *testing.T) {
	resp, _ := readResponse(t, append(AppendOK(nil, &Request{Origin: "https://a.example"}, "x/y", true), LastChunk...))
	if got := resp.Header.Values("Access-Control-Allow-Origin"); len(got) > 0 {
		t.Errorf("allows %q though the session did not", got)
	}
}

// readResponse reads one response, which must be all that there is.
func readResponse(t *testing.T, b []byte) (*http.Response, []byte) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(b))
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Fatalf("%q follows the response", rest)
	}
	return resp, body
}

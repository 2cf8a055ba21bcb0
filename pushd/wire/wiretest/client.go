package wiretest

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Body reads a chunked 200 response with net/http's parser, checks the headers
// that every such transport sends, and returns the body; contentType is what
// the response must be of. Bytes after the last chunk fail the test.
func Body(t *testing.T, stream []byte, contentType, connection string) string {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(stream))
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("response head: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("chunked body: %v", err)
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Fatalf("%d bytes after the last chunk: %.100q", len(rest), rest)
	}
	if resp.StatusCode != http.StatusOK || len(resp.TransferEncoding) != 1 || resp.Close != (connection == "close") {
		t.Errorf("status %d, transfer encoding %v, close %v", resp.StatusCode, resp.TransferEncoding, resp.Close)
	}
	for key, want := range map[string]string{
		"Content-Type":                contentType,
		"Cache-Control":               "no-cache, no-transform",
		"X-Accel-Buffering":           "no",
		"Access-Control-Allow-Origin": "*",
	} {
		if got := resp.Header.Get(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	return string(body)
}

// Lines is the client of a transport with one JSON object per line.
func Lines(t *testing.T, body string) []Event {
	t.Helper()
	if body != "" && !strings.HasSuffix(body, "\n") {
		t.Fatalf("the last line has no end: %.100q", body[strings.LastIndexByte(body, '\n')+1:])
	}
	var events []Event
	ended := false
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		kind := KindObject
		switch {
		case ended:
			t.Fatalf("line after the close line: %.100q", line)
		case line == `{"type":"ping"}`:
			kind, line = KindPing, ""
		case strings.HasPrefix(line, `{"type":"close"`):
			kind, ended = KindClose, true
		}
		events = append(events, Event{Kind: kind, JSON: line})
	}
	if !ended {
		events = append(events, Event{Kind: KindEnd})
	}
	return events
}

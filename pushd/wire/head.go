package wire

import (
	"fmt"
	"net/http"
	"strings"
)

// headEnd is the empty line that ends a request head.
const headEnd = "\r\n\r\n"

// checkStart refuses at once what can never become a request, so that a TLS or
// binary client is told before the handshake times out.
func checkStart(head []byte) *HTTPError {
	switch {
	case len(head) == 0 || head[0] >= 'A' && head[0] <= 'Z':
		return nil
	case string(head) == "\r": // half of the empty line before a request
		return nil
	case head[0] == 0x16:
		return bad("tls", "this listener speaks plaintext HTTP: use http:// or ws://, or connect through the proxy that ends TLS")
	}
	return bad("not_http", "this is not an HTTP/1.1 request: open GET "+Path)
}

// cleanLines holds the head to what every HTTP parser on the way reads alike:
// lines that end in CRLF, no other CR or LF, no NUL, and no header folded over
// two lines (RFC 9112 sections 2.2 and 5.2).
func cleanLines(head []byte) bool {
	for i, c := range head {
		switch c {
		case 0:
			return false
		case '\r':
			if i+1 == len(head) || head[i+1] != '\n' {
				return false
			}
		case '\n':
			if i == 0 || head[i-1] != '\r' || i+1 < len(head) && (head[i+1] == ' ' || head[i+1] == '\t') {
				return false
			}
		}
	}
	return true
}

// checkNames refuses header names that are no tokens. net/http leaves this to
// its server; a name with a space before the colon, as in "Content-Length : 5",
// is read differently by different proxies.
func checkNames(h http.Header) *HTTPError {
	for name := range h {
		if strings.ContainsFunc(name, func(c rune) bool { return !isTokenChar(c) }) {
			return bad("bad_head", fmt.Sprintf("header name %q is not a token: send a well-formed HTTP/1.1 request", name))
		}
	}
	return nil
}

// isTokenChar is tchar of RFC 9110 section 5.6.2.
func isTokenChar(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", c)
}

// checkHead refuses what is not GET Path over HTTP/1.1 without a body.
func checkHead(h *http.Request) *HTTPError {
	preflight := h.Method == http.MethodOptions && h.Header.Get("Access-Control-Request-Method") != ""
	switch {
	case h.ProtoMajor != 1 || h.ProtoMinor < 1:
		return &HTTPError{Status: http.StatusHTTPVersionNotSupported, Code: "http_version",
			Message: fmt.Sprintf("%s is not supported: use HTTP/1.1; a proxy in front must be told so (nginx: proxy_http_version 1.1)", h.Proto)}
	case h.URL.Path != Path:
		return &HTTPError{Status: http.StatusNotFound, Code: "not_found", Message: "there is only GET " + Path + " here; the server API is on the private listener"}
	case h.Method != http.MethodGet && !preflight:
		return &HTTPError{Status: http.StatusMethodNotAllowed, Code: "method", Message: "use GET " + Path}
	case h.Host == "":
		return bad("no_host", "the Host header is missing: HTTP/1.1 demands it")
	case h.ContentLength != 0 || len(h.TransferEncoding) > 0:
		return bad("body", "the request has a body: send GET "+Path+" without one")
	}
	return nil
}

func bad(code, message string) *HTTPError {
	return &HTTPError{Status: http.StatusBadRequest, Code: code, Message: message}
}

package wire

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// Subprotocol is the WebSocket subprotocol that is selected when offered.
const Subprotocol = "push.v1"

// tokenProtocol is the prefix of a subprotocol entry that carries a token. A
// browser cannot set headers on a WebSocket; it offers both this and
// Subprotocol, and only the latter is answered.
const tokenProtocol = "push.token."

const lostUpgrade = "the WebSocket upgrade did not arrive whole (Upgrade: websocket and Connection: Upgrade are both needed): " +
	"tell the proxy in front to pass them on"

// readUpgrade checks a WebSocket handshake (RFC 6455 section 4.2.1).
func readUpgrade(r *Request, h http.Header) *HTTPError {
	if !hasToken(h, "Upgrade", "websocket") || !hasToken(h, "Connection", "upgrade") {
		return bad("upgrade", lostUpgrade)
	}
	if v := h.Values("Sec-Websocket-Version"); len(v) != 1 || strings.TrimSpace(v[0]) != "13" {
		return &HTTPError{Status: http.StatusUpgradeRequired, Code: "ws_version", Message: "only WebSocket version 13 (RFC 6455) is spoken: send Sec-WebSocket-Version: 13"}
	}
	keys := h.Values("Sec-Websocket-Key")
	if len(keys) != 1 || !validKey(keys[0]) {
		return bad("ws_key", "Sec-WebSocket-Key must be one base64 value of 16 bytes: use a WebSocket client")
	}
	r.WSKey = keys[0]
	if hasExact(h, Subprotocol) {
		r.WSProtocol = Subprotocol
	}
	return nil
}

func validKey(key string) bool {
	var nonce [18]byte
	if len(key) != base64.StdEncoding.EncodedLen(16) {
		return false
	}
	n, err := base64.StdEncoding.Decode(nonce[:], []byte(key))
	return err == nil && n == 16
}

// hasExact looks for an offered subprotocol; they are compared case by case.
func hasExact(h http.Header, name string) bool {
	found := false
	offered(h, func(p string) { found = found || p == name })
	return found
}

// protocolToken is the first token among the offered subprotocols.
func protocolToken(h http.Header) string {
	token := ""
	offered(h, func(p string) {
		if t, ok := strings.CutPrefix(p, tokenProtocol); ok && token == "" {
			token = t
		}
	})
	return token
}

func offered(h http.Header, f func(string)) {
	for _, line := range h.Values("Sec-Websocket-Protocol") {
		for p := range strings.SplitSeq(line, ",") {
			f(strings.TrimSpace(p))
		}
	}
}

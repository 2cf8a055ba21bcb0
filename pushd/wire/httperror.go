package wire

import (
	"net/http"
	"strconv"
)

// HTTPError refuses a request before it has become a session.
type HTTPError struct {
	Status  int    // HTTP status
	Code    string // one word, stable
	Message string // says what to do
	Origin  string // of the page that asks, if the head could be read that far
}

func (e *HTTPError) Error() string { return e.Message }

// AppendHTTPError appends the whole response for e, which ends the connection.
// Its body is {"code":…,"error":…}, as the server API's errors are. Without its
// origin in allowOrigin a page cannot read it, and takes a token that has
// expired for a node that is down.
func AppendHTTPError(dst []byte, e *HTTPError, allowOrigin string) []byte {
	body := appendString([]byte(`{"code":`), e.Code)
	body = appendString(append(body, `,"error":`...), e.Message)
	body = append(body, "}\n"...)

	dst = strconv.AppendInt(append(dst, "HTTP/1.1 "...), int64(e.Status), 10)
	dst = append(append(dst, ' '), http.StatusText(e.Status)...)
	dst = append(append(dst, "\r\n"...), errorHeaders(e.Status)...)
	dst = appendAllowOrigin(dst, allowOrigin)
	dst = append(dst, "Content-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	return append(append(dst, "\r\n\r\n"...), body...)
}

// errorHeaders are the headers that RFC 9110 and RFC 6455 demand with a status.
func errorHeaders(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "Connection: close\r\nWWW-Authenticate: Bearer\r\n"
	case http.StatusMethodNotAllowed:
		return "Connection: close\r\nAllow: GET\r\n"
	case http.StatusUpgradeRequired:
		return "Connection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	}
	return "Connection: close\r\n"
}

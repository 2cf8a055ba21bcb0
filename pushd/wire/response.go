package wire

// AppendOK appends the head of a 200 response with a chunked body. The headers
// tell caches and proxies in front to pass each chunk on at once; there is no
// Date, because a codec has no clock. The connection is kept after the body
// only if keep is set.
func AppendOK(dst []byte, r *Request, contentType string, keep bool) []byte {
	dst = append(dst, "HTTP/1.1 200 OK\r\nContent-Type: "...)
	dst = append(dst, contentType...)
	dst = append(dst, "\r\nCache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\nConnection: "...)
	if keep {
		dst = append(dst, "keep-alive\r\n"...)
	} else {
		dst = append(dst, "close\r\n"...)
	}
	return append(appendAllowOrigin(dst, r.AllowOrigin), "\r\n"...)
}

// AppendPreflight appends the whole answer to a CORS preflight. A browser
// sends one before a fetch with an Authorization or Last-Event-ID header; a
// plain EventSource or WebSocket needs none. If r.AllowOrigin is empty the
// browser will refuse the request that was to follow.
func AppendPreflight(dst []byte, r *Request) []byte {
	dst = append(dst, "HTTP/1.1 204 No Content\r\nConnection: close\r\n"...)
	if r.AllowOrigin != "" {
		dst = append(dst, "Access-Control-Allow-Methods: GET\r\nAccess-Control-Allow-Headers: Authorization, Last-Event-ID\r\nAccess-Control-Max-Age: 7200\r\n"...)
	}
	return append(appendAllowOrigin(dst, r.AllowOrigin), "\r\n"...)
}

func appendAllowOrigin(dst []byte, origin string) []byte {
	if origin == "" {
		return dst
	}
	dst = append(append(dst, "Access-Control-Allow-Origin: "...), origin...)
	if origin != "*" {
		dst = append(dst, "\r\nVary: Origin"...)
	}
	return append(dst, "\r\n"...)
}

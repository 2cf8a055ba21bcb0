package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gobwas/ws"
)

// connectWS runs one WebSocket to its end.
func (l *listener) connectWS(ctx context.Context) ending {
	var refused *refusal
	d := ws.Dialer{
		Timeout: l.timeout, Protocols: []string{"push.v1"},
		OnStatusError: func(status int, _ []byte, resp io.Reader) {
			refused = readRefusal(status, resp)
		},
	}
	if l.token != "" {
		d.Header = ws.HandshakeHeaderHTTP{"Authorization": []string{"Bearer " + l.token}}
	}
	scheme := "ws://"
	if l.secure {
		scheme = "wss://"
	}
	conn, early, _, err := d.Dial(ctx, scheme+l.base+l.path())
	if refused != nil {
		return ending{err: refused}
	}
	if err != nil {
		return ending{err: err}
	}
	defer conn.Close()
	// The only goroutine beside the reader: it ends with this function.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	r := &wsReader{conn: conn, in: conn}
	if early != nil {
		r.in = early
	}
	return l.readWS(r)
}

// readRefusal reads the HTTP response that came in place of a handshake.
func readRefusal(status int, resp io.Reader) *refusal {
	b, _ := io.ReadAll(io.LimitReader(resp, 64<<10))
	head, body, _ := bytes.Cut(b, []byte("\r\n\r\n"))
	after := ""
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		k, v, _ := bytes.Cut(line, []byte(":"))
		if http.CanonicalHeaderKey(string(k)) == "Retry-After" {
			after = string(bytes.TrimSpace(v))
		}
	}
	return newRefusal(status, after, body)
}

func (l *listener) readWS(r *wsReader) ending {
	for {
		msg, end := r.next(l.silence())
		if end != nil {
			return *end
		}
		_, err := l.frame(msg)
		if err != nil {
			r.leave()
			return ending{err: err}
		}
	}
}

// wsReader reads whole messages and answers control frames by itself.
type wsReader struct {
	conn net.Conn
	in   io.Reader
	msg  []byte // of fragments read so far
}

// next returns one message, or how the connection ended.
func (r *wsReader) next(silence time.Duration) ([]byte, *ending) {
	for {
		r.conn.SetReadDeadline(time.Now().Add(silence))
		f, err := r.read()
		if err != nil {
			return nil, &ending{err: err}
		}
		switch f.Header.OpCode {
		case ws.OpPing:
			if err := r.write(ws.NewPongFrame(f.Payload)); err != nil {
				return nil, &ending{err: err}
			}
		case ws.OpClose:
			code, reason := ws.ParseCloseFrameData(f.Payload)
			_ = r.write(ws.NewCloseFrame(f.Payload)) // best effort: the connection is over
			return nil, &ending{code: int(code), reason: reason}
		case ws.OpText, ws.OpBinary, ws.OpContinuation:
			if len(r.msg)+len(f.Payload) > frameMax {
				return nil, &ending{err: fmt.Errorf("message larger than %d bytes", frameMax)}
			}
			r.msg = append(r.msg, f.Payload...)
			if f.Header.Fin {
				msg := r.msg
				r.msg = nil
				return msg, nil
			}
		}
	}
}

func (r *wsReader) read() (ws.Frame, error) {
	h, err := ws.ReadHeader(r.in)
	if err != nil {
		return ws.Frame{}, err
	}
	if h.Length > frameMax {
		return ws.Frame{}, fmt.Errorf("frame larger than %d bytes", frameMax)
	}
	f := ws.Frame{Header: h, Payload: make([]byte, h.Length)}
	_, err = io.ReadFull(r.in, f.Payload)
	return f, err
}

func (r *wsReader) write(f ws.Frame) error {
	r.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	return ws.WriteFrame(r.conn, ws.MaskFrame(f))
}

// leave says goodbye.
func (r *wsReader) leave() {
	_ = r.write(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "")))
}

package keeperapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// handshakeMax bounds what a keeper may say before the session, in bytes.
const handshakeMax = 5 << 20

// link is one connection with a keeper that has taken the upgrade.
type link struct {
	conn  *quietConn
	lines *bufio.Reader
}

// quietConn gives up reading and writing when nothing moves for as long as
// patience says.
type quietConn struct {
	net.Conn
	mu       sync.Mutex // a read that begins meanwhile must not bring the old patience back
	patience time.Duration
}

func (c *quietConn) Read(p []byte) (int, error) {
	if err := c.expect(0); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// expect renews the time that reading may take, a read under way included, and
// changes it unless it is 0.
func (c *quietConn) expect(patience time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if patience > 0 {
		c.patience = patience
	}
	return c.SetReadDeadline(time.Now().Add(c.patience))
}

func (c *quietConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	err := c.SetWriteDeadline(time.Now().Add(c.patience))
	c.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// dialSession connects and asks for the upgrade; a refusal is an *Error.
func (c *Client) dialSession(ctx context.Context, to *site, patience time.Duration) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	bare, err := to.dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { bare.Close() })
	l, err := c.upgrade(ctx, to, bare)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		bare.Close()
		return nil, err
	}
	return l, nil
}

func (c *Client) upgrade(ctx context.Context, to *site, bare net.Conn) (*link, error) {
	conn := &quietConn{Conn: bare, patience: c.o.Timeout}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.base+"/v1/session", nil)
	if err != nil {
		return nil, err
	}
	c.sign(req.Header)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", SessionProtocol)
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	bounded := &io.LimitedReader{R: conn, N: handshakeMax}
	lines := bufio.NewReaderSize(bounded, 64<<10)
	resp, err := http.ReadResponse(lines, req)
	if err != nil {
		return nil, fmt.Errorf("no keeper's answer: %w", err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols || !strings.EqualFold(resp.Header.Get("Upgrade"), SessionProtocol) {
		defer resp.Body.Close()
		return nil, errorOf(resp)
	}
	bounded.N = math.MaxInt64
	return &link{conn: conn, lines: lines}, nil
}

// write sends one frame.
func (l *link) write(f NodeFrame) error {
	b, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode frame: %w", err)
	}
	if len(b) > FrameMax {
		return fmt.Errorf("a frame of %d bytes is above the bound of %d", len(b), FrameMax)
	}
	_, err = l.conn.Write(append(b, '\n'))
	return err
}

// read passes on what the keeper says, an empty frame for a sign of life, until
// the connection ends, and then why; done releases it before that.
func (l *link) read(frames chan<- KeeperFrame, ended chan<- error, done <-chan struct{}) {
	var buf []byte
	for {
		var f KeeperFrame
		line, err := readLine(l.lines, buf)
		if err == nil && len(line) > 0 {
			if err = json.Unmarshal(line, &f); err != nil {
				err = fmt.Errorf("the keeper sent what is no frame: %w", err)
			}
		}
		if err != nil {
			ended <- err // has room for the one error
			return
		}
		if buf = line; cap(buf) > 1<<20 { // a fleet's first frame is not worth its memory
			buf = nil
		}
		select {
		case frames <- f:
		case <-done:
			return
		}
	}
}

// readLine reads one line without its end into buf, or a larger one.
func readLine(r *bufio.Reader, buf []byte) ([]byte, error) {
	buf = buf[:0]
	for {
		part, err := r.ReadSlice('\n')
		if len(buf)+len(part) > FrameMax+1 {
			return nil, fmt.Errorf("the keeper sent a line above the bound of %d bytes", FrameMax)
		}
		buf = append(buf, part...)
		switch {
		case err == nil:
			return buf[:len(buf)-1], nil
		case errors.Is(err, io.EOF):
			return nil, errors.New("the keeper closed the connection")
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, silence(err)
		}
	}
}

// silence says what a timeout while reading means.
func silence(err error) error {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return fmt.Errorf("the keeper is silent: %w", err)
	}
	return err
}

// leave says goodbye and waits for the keeper to have read it: closing at once,
// with something unread, would take the goodbye back.
func (l *link) leave(gone <-chan error, frames <-chan KeeperFrame) {
	if l.conn.expect(leaveMax) != nil || l.write(NodeFrame{Leave: true}) != nil {
		return
	}
	if half, ok := l.conn.Conn.(interface{ CloseWrite() error }); ok {
		if half.CloseWrite() != nil {
			return
		}
	}
	late := time.NewTimer(leaveMax)
	defer late.Stop()
	for {
		select {
		case <-frames:
		case <-gone:
			return
		case <-late.C:
			return
		}
	}
}

package pushdapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Send publishes one message to users or a group.
func (c *Client) Send(ctx context.Context, s Send) (*Result, error) {
	return c.publishOne(ctx, "/v1/send", s)
}

// Broadcast publishes one message to everyone, or to s.Group.
func (c *Client) Broadcast(ctx context.Context, s Send) (*Result, error) {
	return c.publishOne(ctx, "/v1/broadcast", s)
}

func (c *Client) publishOne(ctx context.Context, path string, s Send) (*Result, error) {
	var r Result
	if err := c.do(ctx, http.MethodPost, path, nil, s, &r); err != nil {
		return nil, err
	}
	return &r, nil
}

// Publisher is one stream of messages to POST /v1/publish. Its methods are for
// one goroutine.
type Publisher struct {
	w    *bufio.Writer
	pipe *io.PipeWriter
	done chan struct{} // closed when the answer has been read

	// Set before done is closed.
	last PublishResult
	err  error
}

// Publish opens a stream. onResult (may be nil) gets each line that the node
// answers, on a goroutine that ends with Close or ctx; each asks for one
// answer per message instead of counts every 50 ms.
func (c *Client) Publish(ctx context.Context, each bool, onResult func(PublishResult)) *Publisher {
	q := url.Values{}
	if each {
		q.Set("results", "each")
	}
	return c.publish(ctx, q, onResult)
}

// PublishStrict is Publish with counts, and each line that the node refuses is
// answered before it is counted, not only the first 100: the node waits for
// onResult.
func (c *Client) PublishStrict(ctx context.Context, onResult func(PublishResult)) *Publisher {
	return c.publish(ctx, url.Values{"results": {"refused"}}, onResult)
}

func (c *Client) publish(ctx context.Context, q url.Values, onResult func(PublishResult)) *Publisher {
	r, w := io.Pipe()
	p := &Publisher{w: bufio.NewWriterSize(w, 64<<10), pipe: w, done: make(chan struct{})}
	go func() { // ended by Close or ctx
		defer close(p.done)
		p.last, p.err = c.publishStream(ctx, q, r, onResult)
		// A sender that is still writing must learn that nobody reads.
		r.CloseWithError(cmpErr(p.err, io.ErrClosedPipe))
	}()
	return p
}

func (c *Client) publishStream(ctx context.Context, q url.Values, body io.Reader, onResult func(PublishResult)) (last PublishResult, err error) {
	resp, err := c.open(ctx, http.MethodPost, "/v1/publish", q, body)
	if err != nil {
		return last, err
	}
	defer resp.Body.Close()
	err = lines(resp.Body, func(line []byte) error {
		last = PublishResult{}
		if err := json.Unmarshal(line, &last); err != nil {
			return fmt.Errorf("answer to publish: %w", err)
		}
		if onResult != nil {
			onResult(last)
		}
		return nil
	})
	if err == nil && !last.Done {
		err = fmt.Errorf("publish stream: %w before the last result", io.ErrUnexpectedEOF)
	}
	return last, err
}

// Send writes one message; it may stay in a buffer until Flush.
func (p *Publisher) Send(s *Send) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	return p.SendLine(b)
}

// SendLine writes one encoded message, without its newline.
func (p *Publisher) SendLine(line []byte) error {
	if _, err := p.w.Write(line); err != nil {
		return err
	}
	return p.w.WriteByte('\n')
}

// Flush hands buffered messages to the connection.
func (p *Publisher) Flush() error { return p.w.Flush() }

// Close ends the stream, waits for the node's last line and returns it: counts
// of the whole stream.
func (p *Publisher) Close() (PublishResult, error) {
	ferr := p.w.Flush()
	p.pipe.Close()
	<-p.done
	return p.last, cmpErr(p.err, ferr)
}

// cmpErr returns the first error that is not nil.
func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// lines calls f with each line of r that is not empty.
func lines(r io.Reader, f func([]byte) error) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 64<<10), LineMax)
	for s.Scan() {
		line := bytes.TrimSpace(s.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := f(line); err != nil {
			return err
		}
	}
	return s.Err()
}

package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// etcdCrowd are clients of etcd that each watch one key over a connection of
// their own. It speaks the two calls of etcd's gRPC that it needs by hand: the
// official client brings a hundred packages for them.
type etcdCrowd struct {
	urls   []string
	round  atomic.Pointer[round]
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	size   int
	puts   []*http.Client
	turn   atomic.Int64
	pids   []int
}

const etcdKey = "bench"

func newEtcdCrowd(urls []string) *etcdCrowd {
	c := &etcdCrowd{}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	for _, u := range urls {
		u = strings.TrimSuffix(u, "/")
		if !strings.Contains(u, "://") {
			u = "http://" + u
		}
		c.urls, c.puts = append(c.urls, u), append(c.puts, plainHTTP2())
		if pid := findPID("tcp", strings.TrimPrefix(u, "http://")); pid != 0 {
			c.pids = append(c.pids, pid)
		}
	}
	return c
}

// plainHTTP2 is a client with a connection of its own.
func plainHTTP2() *http.Client {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: p, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext}}
}

func (c *etcdCrowd) name() string    { return "etcd" }
func (c *etcdCrowd) expect(r *round) { c.round.Store(r) }
func (c *etcdCrowd) cpu() float64    { return cpuOf(c.pids) }

func (c *etcdCrowd) grow(ctx context.Context, n int) error {
	for ; c.size < n; c.size++ {
		created, err := make(chan error, 1), error(nil)
		url := c.urls[c.size%len(c.urls)]
		c.work.Go(func() { c.watch(url, created) }) // ended by close
		select {
		case err = <-created:
		case <-time.After(10 * time.Second):
			err = errors.New("no answer to a watch")
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// call is a gRPC request; its body stays open for a stream.
func call(ctx context.Context, c *http.Client, url string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("TE", "trailers")
	resp, err := c.Do(r)
	if err == nil && resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("etcd answers %s", resp.Status)
	}
	return resp, err
}

func (c *etcdCrowd) watch(url string, created chan<- error) {
	out, in := io.Pipe()
	defer in.Close()
	go func() { _, _ = in.Write(frame(field(1, field(1, []byte(etcdKey))))) }() // ends when it is read, or with in
	client := plainHTTP2()
	defer client.CloseIdleConnections()
	resp, err := call(c.ctx, client, url+"/etcdserverpb.Watch/Watch", out)
	if err != nil {
		created <- err
		return
	}
	defer resp.Body.Close()
	defer in.Close() // before the answer is closed, which waits for the end of the request
	lines := bufio.NewReader(resp.Body)
	for first := true; ; first = false {
		msg, err := readFrame(lines)
		if first {
			created <- err
		}
		if err != nil {
			return
		}
		each(msg, func(number int, event []byte) {
			if number == 11 {
				each(event, func(number int, kv []byte) {
					if number == 2 {
						each(kv, func(number int, v []byte) {
							if number == 5 {
								c.round.Load().saw(string(v))
							}
						})
					}
				})
			}
		})
	}
}

func (c *etcdCrowd) set(ctx context.Context, value int, _ bool) error {
	i := int(c.turn.Add(1)) % len(c.urls)
	put := append(field(1, []byte(etcdKey)), field(2, []byte(strconv.Itoa(value)))...)
	resp, err := call(ctx, c.puts[i], c.urls[i]+"/etcdserverpb.KV/Put", bytes.NewReader(frame(put)))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	status := resp.Trailer.Get("Grpc-Status") + resp.Header.Get("Grpc-Status")
	if status != "0" {
		return fmt.Errorf("etcd answers status %s: %s", status, resp.Trailer.Get("Grpc-Message"))
	}
	return nil
}

// close ends the watches. An open stream may keep its goroutine until the server
// hangs up: it is waited for briefly only.
func (c *etcdCrowd) close() {
	c.cancel()
	ended := make(chan struct{})
	go func() { c.work.Wait(); close(ended) }() // ends with the last watch, at the latest with the process
	select {
	case <-ended:
	case <-time.After(2 * time.Second):
	}
}

// field is one length-delimited field of a protocol buffer.
func field(number int, v []byte) []byte {
	b := binary.AppendUvarint([]byte{byte(number<<3 | 2)}, uint64(len(v)))
	return append(b, v...)
}

// frame is one gRPC message, not compressed.
func frame(msg []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(msg))), msg...)
}

func readFrame(r io.Reader) ([]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if head[0] != 0 || n > 1<<20 {
		return nil, errors.New("etcd sends a message of no sense")
	}
	msg := make([]byte, n)
	_, err := io.ReadFull(r, msg)
	return msg, err
}

// each calls f for every length-delimited field of a message; numbers are
// skipped. A message that is cut off ends it.
func each(msg []byte, f func(number int, v []byte)) {
	for len(msg) > 0 {
		key, n := binary.Uvarint(msg)
		if n <= 0 {
			return
		}
		msg = msg[n:]
		v, n := binary.Uvarint(msg)
		if n <= 0 {
			return
		}
		msg = msg[n:]
		if key&7 == 0 {
			continue
		}
		if key&7 != 2 || v > uint64(len(msg)) {
			return
		}
		f(int(key>>3), msg[:v])
		msg = msg[v:]
	}
}

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pushfleet/internal/keeperapi"
)

// patience bounds every wait of the tests.
const patience = 10 * time.Second

// page is an output that is read while it is written.
type page struct {
	mu   sync.Mutex
	text strings.Builder
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func (p *page) until(t *testing.T, line string) {
	t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(p.String(), line+"\n"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never says %q:\n%s", line, p)
		}
	}
}

// keeper takes one node and gives it one value; what the node says comes out
// of the channel.
func keeper(t *testing.T) (addr string, said <-chan keeperapi.NodeFrame) {
	frames := make(chan keeperapi.NodeFrame, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, lines, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", keeperapi.SessionProtocol)
		serve(t, conn, lines.Reader, frames)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), frames
}

func serve(t *testing.T, conn net.Conn, lines *bufio.Reader, frames chan<- keeperapi.NodeFrame) {
	in, out := json.NewDecoder(lines), json.NewEncoder(conn)
	for {
		var f keeperapi.NodeFrame
		if err := in.Decode(&f); err != nil {
			if err != io.EOF {
				t.Error(err)
			}
			return
		}
		if f.Hello != nil {
			out.Encode(keeperapi.KeeperFrame{NowMS: 1, Welcome: &keeperapi.Welcome{Member: "k1", Cluster: "test", BeatMS: 60_000}})
			out.Encode(keeperapi.KeeperFrame{NowMS: 1, Knobs: &keeperapi.Effective{Revision: 12, Position: 12, Knobs: map[string]keeperapi.Held{
				"shop.timeout": {Value: "250ms", Layer: keeperapi.LayerFleet, Scope: keeperapi.Fleet, Revision: 12},
			}}})
		}
		frames <- f
	}
}

func TestProgramObeysAKeeper(t *testing.T) {
	addr, said := keeper(t)
	ctx, stop := context.WithCancel(t.Context())
	out, ended := &page{}, make(chan error)
	go func() { // ends with stop
		ended <- run(ctx, []string{"--keeper", addr, "--config", "settings.toml", "--dir", t.TempDir(), "--id", "shop-1"}, out)
	}()
	out.until(t, "change shop.timeout 150ms → 250ms (fleet r12)")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	out.until(t, "start  shop.pace=50 (config) shop.retry=off (default) shop.timeout=150ms (config)")
	out.until(t, "stop   shop.pace=50 (config) shop.retry=off (default) shop.timeout=250ms (fleet r12)")
	var hello, ack, beat, leave bool
	for !leave {
		select {
		case f := <-said:
			hello = hello || f.Hello != nil && f.Hello.ID == "shop-1" && f.Hello.Labels["app"] == "shop"
			ack = ack || f.Ack != nil && f.Ack.Applied == 12
			if f.Beat != nil {
				_, beat = f.Beat.Figures["failed.10s"]
			}
			leave = f.Leave
		case <-time.After(patience):
			t.Fatal("no goodbye")
		}
	}
	if !hello || !ack || !beat {
		t.Errorf("hello %t, ack %t, beat with figures %t", hello, ack, beat)
	}
}

func TestProgramRefuses(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "settings.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	f := func(part string, args ...string) {
		t.Helper()
		ctx, stop := context.WithTimeout(t.Context(), patience)
		defer stop()
		if err := run(ctx, args, &page{}); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v: %v, want %q", args, err, part)
		}
	}
	f("did you mean shop.pace?", "--config", file("[knobs]\nshop.pase = 3"))
	f("out of range", "--config", file("[knobs.shop]\ntimeout = \"1h\""))
	f("no such file", "--config", "not there")
	f("no such file", "--token-file", "not there")
	f("not defined", "--nonsense")
}

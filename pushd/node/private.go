package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"pushfleet/pushd/admin"
)

// private is the side that clients do not see: server API, admin, metrics.
type private struct {
	addr    string
	servers []*http.Server
}

func (n *Node) startPrivate() error {
	mux := http.NewServeMux()
	admin.New(admin.Config{Source: n, Knobs: n.knobs.registry, Closed: n.shared.Closed, Version: n.version(),
		Ready: n.Ready, Histograms: n.histograms, Log: n.log, Limits: n.knobs.admin}).Register(mux)
	n.publish.api.Handle(mux)

	tcp, err := net.Listen("tcp", n.cfg.Private)
	if err != nil {
		return fmt.Errorf("private listener: %w; choose another address with --private", err)
	}
	n.private.addr = tcp.Addr().String()
	n.serve(tcp, mux)
	unix, err := listenUnix(n.cfg.AdminSocket)
	if err != nil {
		return err
	}
	n.serve(unix, mux)
	return nil
}

func (n *Node) serve(l net.Listener, h http.Handler) {
	// Without it any web page could have a browser on this machine publish.
	h = http.NewCrossOriginProtection().Handler(h)
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	n.private.servers = append(n.private.servers, s)
	n.running.Add(1)
	go func() { // ended by closePrivate
		defer n.running.Done()
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("private side ended", "addr", l.Addr().String(), "err", err)
		}
	}()
}

// listenUnix takes the place of a socket that a dead node left behind, but not
// that of a living one.
func listenUnix(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("admin socket: %w; choose another place with --admin-socket", err)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, fmt.Errorf("admin socket %s is in use: another pushd is running; choose another place with --admin-socket", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w; choose another place with --admin-socket", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	return l, nil
}

// closePrivate ends the private side: requests under way have until ctx is
// done, long streams are told to end.
func (n *Node) closePrivate(ctx context.Context) {
	_ = n.publish.api.Close(ctx)
	for _, s := range n.private.servers {
		short, cancel := context.WithTimeout(ctx, time.Second)
		if s.Shutdown(short) != nil {
			s.Close()
		}
		cancel()
	}
}

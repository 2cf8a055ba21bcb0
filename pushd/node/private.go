package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"pushfleet/internal/daemon"
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
		Ready: n.Ready, Histograms: n.histograms, Recorder: n.recorder, Tap: mirror{n.tap}, Watcher: n, Keeper: n.keeperMetrics(), Log: n.log, Limits: n.knobs.admin}).Register(mux)
	n.publish.api.Handle(mux)

	tcp, err := net.Listen("tcp", n.cfg.Private)
	if err != nil {
		return fmt.Errorf("private listener: %w; choose another address with --private", err)
	}
	n.private.addr = tcp.Addr().String()
	n.serve(tcp, mux)
	unix, err := daemon.ListenUnix(n.cfg.AdminSocket, "admin socket")
	if err != nil {
		return fmt.Errorf("%w with --admin-socket", err)
	}
	n.serve(unix, mux)
	return nil
}

func (n *Node) serve(l net.Listener, h http.Handler) {
	// Without it any web page could have a browser on this machine publish.
	pages := http.NewCrossOriginProtection()
	pages.SetDenyHandler(http.HandlerFunc(refusePage))
	s := &http.Server{Handler: pages.Handler(h), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	n.private.servers = append(n.private.servers, s)
	n.running.Add(1)
	go func() { // ended by closePrivate
		defer n.running.Done()
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("private side ended", "addr", l.Addr().String(), "err", err)
		}
	}()
}

func refusePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusForbidden)
	_, _ = io.WriteString(w, `{"code":"cross_origin","error":"a web page asks; publish from a server"}`+"\n")
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

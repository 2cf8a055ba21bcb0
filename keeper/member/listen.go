package member

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"pushfleet/internal/daemon"
	"pushfleet/keeper/api"
)

// door is a listener and how those who come through it say who they are.
type door struct {
	net.Listener
	kind api.Door
}

// listen opens the API's addresses and socket.
func (m *Member) listen() ([]door, error) {
	var doors []door
	fail := func(err error) ([]door, error) {
		for _, d := range doors {
			err = errors.Join(err, d.Close())
		}
		return nil, err
	}
	for _, address := range m.cfg.API {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return fail(fmt.Errorf("keeper's API: %w; is another keeper running? choose another address", err))
		}
		kind, err := doorOf(l, m.cfg.APITLS)
		doors = append(doors, door{l, kind})
		if err != nil {
			return fail(err)
		}
		if m.addr == "" {
			m.addr = l.Addr().String()
		}
		if m.cfg.APITLS != nil {
			doors[len(doors)-1].Listener = tls.NewListener(l, m.cfg.APITLS)
		}
	}
	if m.cfg.Socket != "" {
		l, err := daemon.ListenUnix(m.cfg.Socket, "keeper's socket")
		if err != nil {
			return fail(err)
		}
		doors = append(doors, door{l, api.DoorUnix})
	}
	return doors, nil
}

// doorOf refuses a plain listener that others can reach.
func doorOf(l net.Listener, secure *tls.Config) (api.Door, error) {
	a, ok := l.Addr().(*net.TCPAddr)
	local := ok && a.IP.IsLoopback()
	switch {
	case local:
		return api.DoorLocal, nil
	case secure == nil:
		return 0, fmt.Errorf("keeper's API on %s can be reached from other machines without TLS: give a certificate and key, or listen on 127.0.0.1", l.Addr())
	}
	return api.DoorTCP, nil
}

func (m *Member) serve(doors []door) {
	handler := m.api.Handler()
	for _, d := range doors {
		s := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
			ConnContext: api.ConnContext(d.kind), ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelDebug)}
		s.Protocols = new(http.Protocols)
		s.Protocols.SetHTTP1(true) // a session takes the connection over, which HTTP/2 cannot give away
		m.servers = append(m.servers, s)
		m.serving.Go(func() { // ended by Stop
			if err := s.Serve(d.Listener); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				m.log.Error("keeper's API ended", "addr", d.Addr().String(), "err", err)
			}
		})
	}
}

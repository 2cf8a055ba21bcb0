package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	"pushfleet/internal/keeperapi"
)

// newLink carries requests to the leader over the link between members. A
// connection belongs to the leader that it was made to: idle ones are kept
// briefly, and one to a former leader is answered with not_leader.
func newLink(m Member) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c, err := m.DialLeader(ctx)
			if err != nil {
				return nil, &undialled{err}
			}
			return c, nil
		},
		IdleConnTimeout: time.Second, MaxIdleConnsPerHost: 16, DisableCompression: true,
	}
}

// undialled is the error of a request that was sent to nobody.
type undialled struct{ error }

func (e *undialled) Unwrap() error { return e.error }

// newForward has the leader answer.
func newForward(link *http.Transport, log *slog.Logger) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", "leader"
			p.Out.Host = "leader"
			p.SetXForwarded()
		},
		Transport: link,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			log.Debug("leader not reached", "path", r.URL.Path, "err", err)
			e := refuse(keeperapi.CodeNoLeader, "the leader cannot be reached from this keeper (%s); try again, or ask another", err)
			// What has a body is never sent twice, so it was not sent before.
			_, unsent := errors.AsType[*undialled](err)
			if r.Method != http.MethodGet && (!unsent || r.ContentLength == 0) {
				e.Code = keeperapi.CodeUnknownState
				e.Message = "the leader was lost while it worked on the change, which may have been made: look before trying again (" + err.Error() + ")"
			}
			writeError(w, e)
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// pass has the leader answer a request. What came from a member is not passed
// on: two members that each take the other for the leader would play ping-pong.
func (s *Server) pass(w http.ResponseWriter, r *http.Request, who identity) error {
	if e, _ := r.Context().Value(doorKey{}).(entry); e.door == DoorLink {
		return refuse(keeperapi.CodeNotLeader, "this keeper does not lead any more; try again")
	}
	b, err := json.Marshal(who)
	if err != nil {
		return err
	}
	out := r.Clone(r.Context())
	out.Header.Set(identityHeader, string(b))
	out.Header.Del("Authorization")
	s.forward.ServeHTTP(w, out)
	return nil
}

// ask reads one of the leader's answers, as a member.
func (s *Server) ask(ctx context.Context, path string, out any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://leader"+path, nil)
	if err != nil {
		return err
	}
	who, err := json.Marshal(identity{Who: "member", From: "link", Role: keeperapi.RoleRead})
	if err != nil {
		return err
	}
	r.Header.Set(identityHeader, string(who))
	resp, err := s.link.RoundTrip(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refuse(keeperapi.CodeNoLeader, "the leader answered %s", resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, bodyMax)).Decode(out)
}

// place remembers where the leader's API is.
type place struct {
	mu     sync.Mutex
	leader string // id
	term   uint64
	api    string
}

// LeaderAPI is where nodes reach the leader, "" if that is not known.
func (s *Server) LeaderAPI(ctx context.Context) string {
	if s.cfg.Member.Leads() {
		return s.cfg.Advertise
	}
	st := s.cfg.Member.Status()
	if st.LeaderID == "" || st.LeaderID == st.ID {
		return ""
	}
	s.place.mu.Lock()
	defer s.place.mu.Unlock()
	if s.place.leader != st.LeaderID || s.place.term != st.Term {
		var at whereabouts
		if err := s.ask(ctx, "/v1/where", &at); err != nil {
			s.cfg.Log.Debug("leader's API not known", "leader", st.LeaderID, "err", err)
			return ""
		}
		s.place.leader, s.place.term, s.place.api = st.LeaderID, st.Term, at.API
	}
	return s.place.api
}

// whereabouts is the answer to GET /v1/where.
type whereabouts struct {
	API      string `json:"api"`
	Revision uint64 `json:"revision"`
}

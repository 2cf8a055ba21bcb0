// Package api serves a keeper's HTTP API: it knows who asks and what he may,
// sends to the leader what only the leader can answer, turns what people write
// into commands, and has nodes asked before a commit.
package api

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/prom"
	"pushfleet/keeper/nodes"
	"pushfleet/keeper/state"
	"pushfleet/keeper/watch"
)

// Member is what the API needs of the member it belongs to.
type Member interface {
	Status() keeperapi.Status
	// Leads tells whether this member leads.
	Leads() bool
	// Linearize returns once the state holds all that was acknowledged
	// anywhere before; an *Error of not_leader or no_leader otherwise.
	Linearize(context.Context) error
	// Propose commits a command and stamps its time. Errors are *Error.
	Propose(context.Context, state.Command) (keeperapi.Result, error)
	// DialLeader opens a stream to the leader's API.
	DialLeader(context.Context) (net.Conn, error)
	Remove(ctx context.Context, id string) error
	Transfer(ctx context.Context, id string) error
	Snapshot(context.Context) error
}

// Config is what a Server needs; it does not change.
type Config struct {
	Member    Member
	Advertise string // where nodes reach this member's API
	State     *state.State
	Hub       *watch.Hub
	Desk      *nodes.Desk
	Now       func() keeperapi.Time
	Figures   func() Figures // of the member, for metrics; nil: none
	Log       *slog.Logger
}

// Server answers requests. Its handlers may run on any goroutine.
type Server struct {
	cfg      Config
	forward  http.Handler
	link     *http.Transport // to the leader
	place    place
	changes  chan struct{} // one per change under way
	watchers atomic.Int64
	requests requests
	floor    prom.Floor      // of the page of /metrics
	began    time.Time       // a start that trembles looks like restarts
	ctx      context.Context // ends streams
	end      context.CancelFunc
}

// Bounds of one member.
const (
	changesMax  = 256
	watchersMax = 10_000
	bodyMax     = 4 << 20 // bytes
	readWait    = 5 * time.Second
	changeWait  = 10 * time.Second // beside what the asker waits for nodes
)

// New returns a server; Close ends its streams.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, changes: make(chan struct{}, changesMax), requests: newRequests(), began: time.Now()}
	s.ctx, s.end = context.WithCancel(context.Background())
	s.link = newLink(cfg.Member)
	s.forward = newForward(s.link, cfg.Log)
	return s
}

// Close ends watches and sessions.
func (s *Server) Close() {
	s.end()
	s.link.CloseIdleConnections()
}

// Watchers returns how many streams of GET /v1/watch are open.
func (s *Server) Watchers() int { return int(s.watchers.Load()) }

// route is one method of one path.
type route struct {
	method, path string
	role         keeperapi.Role // that it takes; "" for everybody
	serve        handler
}

// handler answers a request, or returns an error with nothing written.
type handler func(w http.ResponseWriter, r *http.Request, who identity) error

func (s *Server) routes() []route {
	const read, operate, admin = keeperapi.RoleRead, keeperapi.RoleOperate, keeperapi.RoleAdmin
	return []route{
		{"GET", "/healthz", "", s.healthz},
		{"GET", "/readyz", "", s.readyz},
		{"GET", "/metrics", read, s.metrics},
		{"GET", "/v1/status", read, s.status},
		{"GET", "/v1/where", read, s.where},
		{"GET", "/v1/whoami", read, s.whoami},
		{"GET", "/v1/knobs", read, s.linear(s.knobs)},
		{"GET", "/v1/knobs/{name}", read, s.linear(s.knob)},
		{"GET", "/v1/knobs/{name}/history", read, s.linear(s.history)},
		{"GET", "/v1/knobs/{name}/explain", read, s.linear(s.explain)},
		{"GET", "/v1/freezes", read, s.linear(s.freezes)},
		{"GET", "/v1/rollouts", read, s.linear(s.rollouts)},
		{"GET", "/v1/rollouts/{id}", read, s.linear(s.rollout)},
		{"GET", "/v1/nodes", read, s.linear(s.nodes)},
		{"GET", "/v1/nodes/{id}/knobs", read, s.linear(s.held)},
		{"GET", "/v1/audit", read, s.linear(s.audit)},
		{"GET", "/v1/limits", read, s.linear(s.limits)},
		{"GET", "/v1/tokens", admin, s.linear(s.tokens)},
		{"GET", "/v1/watch", read, s.watch},
		{"GET", "/v1/session", operate, s.session},
		{"POST", "/v1/txn", operate, s.leader(s.txn)},
		{"POST", "/v1/rollback", operate, s.leader(s.rollback)},
		{"POST", "/v1/freeze", operate, s.leader(s.freeze)},
		{"POST", "/v1/rollouts", operate, s.leader(s.startRollout)},
		{"POST", "/v1/rollouts/{id}/advance", operate, s.leader(s.advanceRollout)},
		{"POST", "/v1/rollouts/{id}/abort", operate, s.leader(s.abortRollout)},
		{"DELETE", "/v1/nodes/{id}", operate, s.leader(s.forgetNode)},
		{"POST", "/v1/tokens", admin, s.leader(s.setToken)},
		{"PUT", "/v1/limits", admin, s.leader(s.setLimits)},
		{"DELETE", "/v1/members/{id}", admin, s.leader(s.removeMember)},
		{"POST", "/v1/transfer", admin, s.leader(s.transfer)},
		{"POST", "/v1/snapshot", admin, s.snapshot},
	}
}

// Handler serves the API.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, r := range s.routes() {
		mux.Handle(r.method+" "+r.path, s.guarded(r))
		methods[r.path] = append(methods[r.path], r.method)
	}
	for path, allowed := range methods {
		slices.Sort(allowed)
		mux.Handle(path, s.answered(func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			return refuse(keeperapi.CodeMethod, "%s is not possible here; use %s", r.Method, strings.Join(allowed, ", "))
		}))
	}
	mux.Handle("/", s.answered(func(_ http.ResponseWriter, r *http.Request) error {
		return refuse(keeperapi.CodeNotFound, "there is no %s here; see keeper/API.md", r.URL.Path)
	}))
	// Without it any web page could have a browser on this machine turn knobs.
	pages := http.NewCrossOriginProtection()
	pages.SetDenyHandler(s.answered(func(http.ResponseWriter, *http.Request) error {
		return refuse(keeperapi.CodeCrossOrigin, "a web page asks; use pushctl or a program")
	}))
	return pages.Handler(mux)
}

// guarded lets in who may.
func (s *Server) guarded(r route) http.Handler {
	return s.answered(func(w http.ResponseWriter, req *http.Request) error {
		if r.role == "" {
			return r.serve(w, req, identity{})
		}
		who, err := s.identify(req, r.role)
		if err != nil {
			return err
		}
		if !who.Role.Allows(r.role) {
			return refuse(keeperapi.CodeRole, "%s may %s, this takes %s: ask for a token of that role (pushctl keeper tokens add)", who.Who, who.Role, r.role)
		}
		return r.serve(w, req, who)
	})
}

// linear serves a read here if the asker takes what may be old or this member
// leads, and has the leader serve it otherwise.
func (s *Server) linear(f func(*http.Request) (any, error)) handler {
	return func(w http.ResponseWriter, r *http.Request, who identity) error {
		ctx, cancel := context.WithTimeout(r.Context(), readWait)
		defer cancel()
		if r.URL.Query().Get("stale") == "" {
			if !s.cfg.Member.Leads() {
				return s.pass(w, r, who)
			}
			if err := s.cfg.Member.Linearize(ctx); err != nil {
				return err
			}
		}
		v, err := f(r.WithContext(ctx))
		if err != nil {
			return err
		}
		return writeJSON(w, v)
	}
}

// leader serves a change here if this member leads, and has the leader serve
// it otherwise. What is judged is the state of now: a leader that is new has
// perhaps not carried out all that was committed.
func (s *Server) leader(f func(context.Context, *http.Request, identity) (any, error)) handler {
	return func(w http.ResponseWriter, r *http.Request, who identity) error {
		if !s.cfg.Member.Leads() {
			return s.pass(w, r, who)
		}
		select {
		case s.changes <- struct{}{}:
			defer func() { <-s.changes }()
		default:
			return refuse(keeperapi.CodeBusy, "%d changes are under way already; try again", changesMax)
		}
		ctx, cancel := context.WithTimeout(r.Context(), changeWait+keeperapi.WaitMaxMS*time.Millisecond)
		defer cancel()
		if err := s.cfg.Member.Linearize(ctx); err != nil {
			return err
		}
		v, err := f(ctx, r, who)
		if err != nil {
			return err
		}
		return writeJSON(w, v)
	}
}

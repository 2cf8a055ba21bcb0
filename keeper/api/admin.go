package api

import (
	"context"
	"io"
	"net/http"
	"slices"

	"pushfleet/internal/keeperapi"
	"pushfleet/keeper/state"
)

// healthz says that the process answers.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request, _ identity) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := io.WriteString(w, "alive\n")
	return err
}

// readyz says that a majority follows a leader.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request, _ identity) error {
	if st := s.cfg.Member.Status(); st.LeaderID == "" {
		return refuse(keeperapi.CodeNoLeader, "no keeper leads at the moment; see pushctl keeper status")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := io.WriteString(w, "ready\n")
	return err
}

// status is this member's own view. How the others and the nodes are only the
// leader knows: it is asked, unless the asker takes what may be old.
func (s *Server) status(w http.ResponseWriter, r *http.Request, _ identity) error {
	ctx, cancel := context.WithTimeout(r.Context(), readWait)
	defer cancel()
	st := s.cfg.Member.Status()
	st.Nodes, st.Sessions, st.Watchers, st.NowMS = s.counts(), s.cfg.Desk.Len(), s.Watchers(), s.cfg.Now()
	if r.URL.Query().Get("stale") == "" && st.LeaderID != "" {
		st.LeaderAPI = s.LeaderAPI(ctx)
		var theirs keeperapi.Status
		if !s.cfg.Member.Leads() && s.ask(ctx, "/v1/status?stale=1", &theirs) == nil {
			st.Members, st.Nodes = theirs.Members, theirs.Nodes
		}
	}
	return writeJSON(w, st)
}

// where says where this member's API is and how far the state is, if it leads.
func (s *Server) where(w http.ResponseWriter, r *http.Request, _ identity) error {
	if !s.cfg.Member.Leads() {
		return refuse(keeperapi.CodeNotLeader, "this keeper does not lead; ask another")
	}
	ctx, cancel := context.WithTimeout(r.Context(), readWait)
	defer cancel()
	if err := s.cfg.Member.Linearize(ctx); err != nil {
		return err
	}
	return writeJSON(w, whereabouts{s.cfg.Advertise, s.cfg.State.Revision()})
}

func (s *Server) forgetNode(ctx context.Context, r *http.Request, who identity) (any, error) {
	id := r.PathValue("id")
	if _, ok := s.cfg.State.Node(id); !ok {
		return nil, s.noNode(id)
	}
	if _, connected := s.cfg.Desk.Seen()[id]; connected {
		return nil, refuse(keeperapi.CodeExists, "%s is connected and would be back at once: stop it first", id)
	}
	return nil, s.simple(ctx, r, who, state.OpLeave, keeperapi.Leave{ID: id})
}

func (s *Server) setToken(ctx context.Context, r *http.Request, who identity) (any, error) {
	b, err := body[keeperapi.TokenRequest](r)
	if err != nil {
		return nil, err
	}
	c := newChange(r, who, state.OpToken, b.Ask, b.TokenSet)
	c.all = true // no value changes
	return s.commit(ctx, c, "")
}

func (s *Server) setLimits(ctx context.Context, r *http.Request, who identity) (any, error) {
	b, err := body[keeperapi.Limits](r)
	if err != nil {
		return nil, err
	}
	return nil, s.simple(ctx, r, who, state.OpLimits, *b)
}

// simple commits what nobody has to be asked about.
func (s *Server) simple(ctx context.Context, r *http.Request, who identity, op state.Op, b any) error {
	c := newChange(r, who, op, keeperapi.Ask{}, b)
	res, err := s.cfg.Member.Propose(ctx, c.Command)
	if err == nil && res.Error != nil {
		return res.Error
	}
	return err
}

func (s *Server) removeMember(ctx context.Context, r *http.Request, who identity) (any, error) {
	id := r.PathValue("id")
	if err := s.knows(id); err != nil {
		return nil, err
	}
	s.cfg.Log.Info("member is removed", "id", id, "who", who.Who, "from", who.From)
	return nil, s.cfg.Member.Remove(ctx, id)
}

// knows refuses the name of no member, which is a slip and no failure.
func (s *Server) knows(id string) error {
	if slices.ContainsFunc(s.cfg.Member.Status().Members, func(m keeperapi.Member) bool { return m.ID == id }) {
		return nil
	}
	return refuse(keeperapi.CodeNotFound, "no keeper is called %q; see pushctl keeper status", id)
}

func (s *Server) transfer(ctx context.Context, r *http.Request, who identity) (any, error) {
	b, err := body[keeperapi.MemberMove](r)
	if err != nil {
		return nil, err
	}
	if b.ID != "" {
		if err := s.knows(b.ID); err != nil {
			return nil, err
		}
	}
	s.cfg.Log.Info("leadership is handed over", "to", b.ID, "who", who.Who, "from", who.From)
	return nil, s.cfg.Member.Transfer(ctx, b.ID)
}

// snapshot is of the member that is asked.
func (s *Server) snapshot(w http.ResponseWriter, r *http.Request, _ identity) error {
	ctx, cancel := context.WithTimeout(r.Context(), changeWait)
	defer cancel()
	if err := s.cfg.Member.Snapshot(ctx); err != nil {
		return err
	}
	return writeJSON(w, nil)
}

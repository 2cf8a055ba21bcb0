package api

import (
	"bytes"
	"net/http"
	"runtime"
	"time"

	"pushfleet/internal/hist"
	"pushfleet/internal/keeperapi"
	"pushfleet/internal/prom"
	"pushfleet/keeper/state"
)

// Figures are what a member knows of itself beside its status.
type Figures struct {
	Contact   time.Duration // since the leader was heard, 0 on the leader, -1 never
	Elections uint64        // times this member became leader since it started
	InFlight  int           // proposals under way
	Applied   uint64        // last command executed here

	Appends       uint64 // writes to the log, each with its fsync
	AppendsFailed uint64
	Entries       uint64        // in the writes
	AppendTime    time.Duration // of all writes
	DiskWaits     bool          // the member waits for its disk, out of the cluster
	DiskFree      uint64        // bytes

	Proposals *hist.LE // seconds; nil: none
}

// metrics serves this member's page, whether it leads or not.
func (s *Server) metrics(w http.ResponseWriter, _ *http.Request, _ identity) error {
	p := prom.New(&s.floor)
	s.Metrics(p)
	if st := s.cfg.Member.Status(); !st.Embedded { // the process is somebody else's, and tells of itself
		p.Process(s.began)
		p.Runtime()
	}
	w.Header().Set("Content-Type", prom.ContentType)
	w.Write(p.Bytes())
	return nil
}

// Metrics writes the keeper_… families. Their number is bounded, whatever
// nodes, knobs and members there are.
func (s *Server) Metrics(p *prom.Page) {
	st, f := s.cfg.Member.Status(), Figures{Contact: -1}
	if s.cfg.Figures != nil {
		f = s.cfg.Figures()
	}
	memberMetrics(p, &st, &f)
	logMetrics(p, &st, &f)
	s.fleetMetrics(p)
	stateMetrics(p, s.cfg.State.Sums(), s.cfg.Now())
	s.requestMetrics(p)
}

func memberMetrics(p *prom.Page, st *keeperapi.Status, f *Figures) {
	uptime := float64(st.UptimeMS) / 1e3
	p.Info("keeper_build_info", "Always 1; the labels say what runs.", "version", st.Version, "go", runtime.Version())
	p.Flag("keeper_embedded", "1 for a keeper inside a gateway.", st.Embedded)
	p.Gauge("keeper_uptime_seconds", "Time since the keeper started.", uptime)
	p.Flag("keeper_leader", "1 on the keeper that leads.", st.Role == "leader")
	p.Flag("keeper_has_leader", "1 while this keeper knows a leader.", st.LeaderID != "")
	p.Gauge("keeper_term", "Number of the leadership; each election has a higher one.", float64(st.Term))
	p.Counter("keeper_elections_total", "Times that this keeper became the leader.", float64(f.Elections))
	contact := f.Contact.Seconds()
	if f.Contact < 0 { // never since the start
		contact = uptime
	}
	p.Gauge("keeper_leader_contact_seconds", "Time since this keeper heard the leader, 0 on the leader itself.", contact)
	members := map[string]float64{}
	for _, m := range st.Members {
		members[memberState(&m)]++
	}
	p.Family("keeper_members", "gauge", "Keepers by what this one knows of them; one that does not lead knows nothing.")
	for _, word := range []string{"ok", "failing", "unknown"} {
		p.Sample(prom.Series("keeper_members", "state", word), members[word])
	}
}

func memberState(m *keeperapi.Member) string {
	switch {
	case m.OK:
		return "ok"
	case m.Known:
		return "failing"
	}
	return "unknown"
}

func logMetrics(p *prom.Page, st *keeperapi.Status, f *Figures) {
	p.Gauge("keeper_revision", "Revision of the replicated state.", float64(st.Revision))
	p.Gauge("keeper_values_revision", "Revision of the last change of a knob's value; a node that obeys it is current.", float64(st.ValuesRevision))
	p.Counter("keeper_commits_total", "Entries of the log known as committed, since the cluster was founded.", float64(st.Committed))
	p.Gauge("keeper_log_index", "Last entry of the log.", float64(st.LogIndex))
	p.Gauge("keeper_applied_index", "Last command carried out.", float64(f.Applied))
	p.Gauge("keeper_snapshot_index", "Last entry in the newest snapshot.", float64(st.SnapshotIndex))
	p.Counter("keeper_log_appends_total", "Writes to the log, each with its fsync.", float64(f.Appends))
	p.Counter("keeper_log_append_failures_total", "Writes to the log that the disk refused.", float64(f.AppendsFailed))
	p.Counter("keeper_log_entries_total", "Entries written to the log.", float64(f.Entries))
	p.Counter("keeper_log_append_seconds_total", "Time of all writes to the log, nearly all of it fsync.", f.AppendTime.Seconds())
	p.Flag("keeper_disk_waiting", "1 while the keeper waits for its disk, out of the cluster.", f.DiskWaits)
	p.Gauge("keeper_disk_free_bytes", "Room that the state directory has left.", float64(f.DiskFree))
	p.Gauge("keeper_proposals_in_flight", "Commands on their way to being committed.", float64(f.InFlight))
	p.Family("keeper_proposal_seconds", "histogram", "From proposing a command to the answer of the state that carried it out.")
	if f.Proposals != nil {
		var b bytes.Buffer
		_ = f.Proposals.WritePrometheus(&b, "keeper_proposal_seconds") // a Buffer takes everything
		p.Held(b.Bytes())
	}
}

// fleetMetrics are of the nodes. Only the leader has sessions, hence only it
// knows of drift, and of acknowledgements at once.
func (s *Server) fleetMetrics(p *prom.Page) {
	c := s.counts()
	p.Family("keeper_nodes", "gauge", "Nodes by whether they live and hold what they should.")
	for _, one := range []struct {
		word string
		n    int
	}{{"current", c.Current}, {"behind", c.Behind}, {"nacked", c.Nacked}, {"dead", c.Dead}} {
		p.Sample(prom.Series("keeper_nodes", "state", one.word), float64(one.n))
	}
	p.Gauge("keeper_nodes_alive", "Nodes with a lease; the sum of keeper_nodes without the dead ones.", float64(c.Alive))
	drift := 0
	for _, n := range s.cfg.Desk.Seen() {
		drift += len(n.Drift)
	}
	p.Gauge("keeper_drift_knobs", "Knobs of connected nodes that differ from what they should be, one per node.", float64(drift))
	p.Gauge("keeper_sessions", "Nodes with a session on this keeper.", float64(s.cfg.Desk.Len()))
	p.Gauge("keeper_watchers", "Watchers on this keeper, beside the sessions.", float64(s.Watchers()))
}

func stateMetrics(p *prom.Page, sums state.Sums, now keeperapi.Time) {
	since := func(t keeperapi.Time) float64 {
		if t == 0 {
			return 0
		}
		return max(0, float64(now-t)/1e3)
	}
	p.Family("keeper_values", "gauge", "Values that are set, by layer; those of canaries belong to rollouts.")
	for _, layer := range []keeperapi.Layer{keeperapi.LayerFleet, keeperapi.LayerGroup, keeperapi.LayerNode} {
		p.Sample(prom.Series("keeper_values", "layer", string(layer)), float64(sums.Values[layer]))
	}
	p.Gauge("keeper_values_temporary", "Values with a deadline.", float64(sums.Temporary))
	p.Gauge("keeper_node_value_oldest_seconds", "Age of the oldest value that is set for one node only, without a deadline.", since(sums.NodeValue))
	p.Gauge("keeper_rollouts_running", "Rollouts on their way.", float64(sums.Rollouts))
	p.Gauge("keeper_rollout_oldest_seconds", "Age of the oldest of them, 0 without any.", since(sums.Rollout))
	p.Gauge("keeper_rollout_overdue_seconds", "Time that a rollout has been at a step beyond its soak time, the longest.", since(sums.Soaked))
	p.Gauge("keeper_freezes", "Knobs, or all of them, that are held still.", float64(sums.Freezes))
	p.Gauge("keeper_tokens", "Tokens that are known.", float64(sums.Tokens))
}

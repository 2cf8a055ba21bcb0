package keeperapi

// TxnRequest is the body of POST /v1/txn.
type TxnRequest struct {
	Txn
	Ask
}

// RollbackRequest is the body of POST /v1/rollback.
type RollbackRequest struct {
	Rollback
	Ask
}

// FreezeRequest is the body of POST /v1/freeze.
type FreezeRequest struct {
	FreezeSet
	Ask
}

// RolloutRequest is the body of POST /v1/rollouts.
type RolloutRequest struct {
	RolloutStart
	Ask
}

// RolloutMoveRequest is the body of POST /v1/rollouts/{id}/advance and
// …/abort. Advancing before the soak time is over needs Force.
type RolloutMoveRequest struct {
	Force bool `json:"force,omitempty"`
	Ask
}

// TokenRequest is the body of POST /v1/tokens; the keeper sees only the hash.
type TokenRequest struct {
	TokenSet
	Ask
}

// Ask is what every change carries beside itself.
type Ask struct {
	Why string `json:"why,omitempty"`
	// DryRun checks everything, asks the nodes too, and changes nothing.
	DryRun bool `json:"dry_run,omitempty"`
	// WaitMS is how long the answer waits for nodes to have applied the
	// change, at most WaitMaxMS. 0 does not wait.
	WaitMS int64 `json:"wait_ms,omitempty"`
}

// WaitMaxMS bounds Ask.WaitMS.
const WaitMaxMS = 60_000

// NamesMax bounds lists of node names and of differences in answers; the
// counts beside them are of all.
const NamesMax = 1000

// Answer is what a change is answered with. An error is an *Error instead.
type Answer struct {
	Result
	DryRun bool `json:"dry_run,omitempty"`
	// Changes says per knob and scope what was or would be changed.
	Changes []Delta `json:"changes,omitempty"`
	// Diff is of a dry run: what nodes would hold otherwise, of DiffNodes.
	Diff      []NodeDiff `json:"diff,omitempty"`
	DiffNodes int        `json:"diff_nodes,omitempty"`
	// Checked says who was asked before the commit; nil when nobody was.
	Checked *Preflight `json:"checked,omitempty"`
	// Applied says how far nodes had come when the wait was over.
	Applied *Applied `json:"applied,omitempty"`
}

// Delta is one place that changes. Empty texts mean that the scope says
// nothing; for the fleet the declared default stands in their place.
type Delta struct {
	Knob  string `json:"knob"`
	Scope Scope  `json:"scope"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
	Unit  string `json:"unit,omitempty"` // of int knobs
	Acts  string `json:"acts,omitempty"`
	Risk  string `json:"risk,omitempty"`
}

// Preflight says what nodes answered when they were asked, before a commit,
// whether they would take it.
type Preflight struct {
	Asked    int       `json:"asked"`
	Accepted int       `json:"accepted"`
	Spared   int       `json:"spared,omitempty"` // not asked: nodes just like them were
	Silent   []string  `json:"silent,omitempty"` // did not answer in time
	Refused  []Refusal `json:"refused,omitempty"`
}

// Refusal is one node's reason not to take a value.
type Refusal struct {
	Node   string `json:"node"`
	Knob   string `json:"knob,omitempty"`
	Reason string `json:"reason"`
}

// Applied says how far nodes have come with a revision.
type Applied struct {
	Revision uint64    `json:"revision"`
	Of       int       `json:"of"` // nodes with a session that the change concerns
	Applied  int       `json:"applied"`
	Pending  []string  `json:"pending,omitempty"`
	Nacked   []Refusal `json:"nacked,omitempty"`
	// Away are nodes without a session that the change concerns, dead or cut
	// off: they take it when they come back. At most NamesMax.
	Away   []string `json:"away,omitempty"`
	TookMS float64  `json:"took_ms"` // until the last one had, or the wait was over
}

// KnobInfo is one knob over the fleet.
type KnobInfo struct {
	Decl
	// Nodes counts live nodes that declare the knob; Variants is above 1 when
	// they declare it differently, and Decl is then of the most.
	Nodes    int           `json:"nodes"`
	Variants int           `json:"variants,omitempty"`
	Values   []ScopedValue `json:"set,omitempty"`     // the weakest scope first; not "values", which are the choices of Decl
	Rollout  string        `json:"rollout,omitempty"` // running
	Frozen   *Freeze       `json:"frozen,omitempty"`
	Last     uint64        `json:"last,omitempty"` // revision of the last change, for a compare-and-set
}

// ScopedValue is what one scope says.
type ScopedValue struct {
	Scope Scope `json:"scope"`
	Value
}

// History is what happened to one knob, the oldest first.
type History struct {
	Knob    string   `json:"knob"`
	Last    uint64   `json:"last"`
	Floor   uint64   `json:"floor,omitempty"` // changes of this revision and before are forgotten
	Changes []Change `json:"changes"`
}

// NodeInfo is a node as the leader sees it.
type NodeInfo struct {
	Node
	DeadForMS int64 `json:"dead_for_ms,omitempty"` // 0 while alive
	Connected bool  `json:"connected,omitempty"`   // has a session with the leader
	// Current: it has applied the last revision that changed a value, and
	// differs nowhere from what it should hold.
	Current bool    `json:"current"`
	Drift   []Drift `json:"drift,omitempty"`
}

// Drift is a knob that a node holds otherwise than it should.
type Drift struct {
	Node   string `json:"node,omitempty"`
	Knob   string `json:"knob"`
	Want   string `json:"want"`
	Have   string `json:"have"`
	Reason string `json:"reason"` // guard, local, expired, nacked, behind, restart: see the Drift words
}

// The reasons of Drift.
const (
	DriftGuard   = "guard"   // a guard broke on the node, it went back by itself
	DriftLocal   = "local"   // somebody set it on the node itself
	DriftNacked  = "nacked"  // the node refused the value
	DriftBehind  = "behind"  // the node has not applied the revision yet
	DriftRestart = "restart" // acts only after a restart
	DriftCrash   = "crash"   // the node died soon after applying it, and came back on the one before
	DriftSilent  = "silent"  // a canary value taken back because no keeper answered for too long
)

// RolloutInfo is a rollout with how its nodes do.
type RolloutInfo struct {
	Rollout
	NowMS    Time          `json:"now_ms"`
	Reached  []RolloutNode `json:"reached,omitempty"`
	Baseline string        `json:"baseline,omitempty"` // the guard's figures on untouched nodes, medians
}

// RolloutNode is one node that a rollout has reached.
type RolloutNode struct {
	Node    string `json:"node"`
	Applied bool   `json:"applied"`
	OK      bool   `json:"ok"`                // the guard holds
	Figures string `json:"figures,omitempty"` // of the guard: "drops.10s 0.2/s"
}

// Status is one member and what it knows of the others.
type Status struct {
	ID             string   `json:"id"`
	Cluster        string   `json:"cluster,omitempty"`
	Version        string   `json:"version"`
	Role           string   `json:"role"` // follower, candidate, leader, stopped
	Embedded       bool     `json:"embedded,omitempty"`
	LeaderID       string   `json:"leader_id,omitempty"`
	LeaderAPI      string   `json:"leader_api,omitempty"`
	Term           uint64   `json:"term"`
	Revision       uint64   `json:"revision"`
	ValuesRevision uint64   `json:"values_revision"`
	LogIndex       uint64   `json:"log_index"`
	Committed      uint64   `json:"committed"`
	SnapshotIndex  uint64   `json:"snapshot_index"`
	LogKind        string   `json:"log_kind"`
	Members        []Member `json:"members"`
	Nodes          Counts   `json:"nodes"`
	Sessions       int      `json:"sessions"` // of nodes, on this member
	Watchers       int      `json:"watchers"` // beside those
	NowMS          Time     `json:"now_ms"`
	UptimeMS       int64    `json:"uptime_ms"`
}

// Member is one keeper.
type Member struct {
	ID      string `json:"id"`
	Address string `json:"address"` // for other members
	Voter   bool   `json:"voter"`
	Leader  bool   `json:"leader,omitempty"`
	// Known is false on a member that does not lead: it cannot tell the rest.
	Known   bool   `json:"known,omitempty"`
	OK      bool   `json:"ok,omitempty"`
	SinceMS Time   `json:"since_ms,omitempty"` // since when OK is as it is
	Lag     uint64 `json:"lag,omitempty"`      // entries behind the leader
	Reason  string `json:"reason,omitempty"`   // why not OK
}

// Counts are of nodes.
type Counts struct {
	Total   int `json:"total"`
	Alive   int `json:"alive"`
	Dead    int `json:"dead"`
	Current int `json:"current"` // alive, and hold what they should
	Behind  int `json:"behind"`
	Nacked  int `json:"nacked"`
}

// WatchFrame is one line of GET /v1/watch. The first is a snapshot, unless the
// watcher resumes at a revision that is still remembered. A watcher that is
// too slow is sent a snapshot again.
type WatchFrame struct {
	Position uint64                      `json:"position"` // resume here
	NowMS    Time                        `json:"now_ms"`
	Snapshot bool                        `json:"snapshot,omitempty"`
	Values   map[Scope]map[string]*Value `json:"values,omitempty"` // of a snapshot
	Events   []Event                     `json:"events,omitempty"` // each revision whole
}

// MemberMove is the body of POST /v1/transfer: to whom, "" for the member that
// is furthest.
type MemberMove struct {
	ID string `json:"id,omitempty"`
}

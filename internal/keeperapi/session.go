package keeperapi

// A node keeps one session with the leader: GET /v1/session with
// "Upgrade: pushfleet-session.v1", then one JSON object a line in both
// directions. The node says hello and gets a Welcome, then all that it must
// hold, then what changes. A member that does not lead answers the request with
// an Error of code not_leader, whose Leader is where to go.

// SessionProtocol is what the Upgrade header says.
const SessionProtocol = "pushfleet-session.v1"

// FrameMax bounds one line of a session, in bytes.
const FrameMax = 8 << 20

// NodeFrame is what a node says; one field is set.
type NodeFrame struct {
	Hello   *Hello   `json:"hello,omitempty"` // first, and again after Need
	Ack     *Ack     `json:"ack,omitempty"`   // after each Knobs or Delta
	Beat    *Beat    `json:"beat,omitempty"`
	Checked *Checked `json:"checked,omitempty"`
	Broke   *Broke   `json:"broke,omitempty"`
	Drift   *Drifts  `json:"drift,omitempty"` // whenever the list has changed
	Leave   bool     `json:"leave,omitempty"` // the node stops in good order
}

// Hello opens a session.
type Hello struct {
	Join
	// From is the Position that the node holds, 0 for none: then, or when it
	// is forgotten, or of another Cluster, all is sent.
	From uint64 `json:"from,omitempty"`
	// Cluster is whose From is; a recovery of keepers that lost their quorum
	// makes another one, in which positions are counted anew.
	Cluster string `json:"cluster,omitempty"`
}

// Beat is a sign of life. Figures are what guards may ask for, by name as in
// a guard expression; they are not replicated.
type Beat struct {
	Health  string             `json:"health,omitempty"` // serving, draining, …
	Load    map[string]float64 `json:"load,omitempty"`
	Figures map[string]float64 `json:"figures,omitempty"`
}

// Checked answers a Check: Refused is empty when the node would take it.
type Checked struct {
	ID      uint64    `json:"id"`
	Refused []Refusal `json:"refused,omitempty"` // Node may be left out
}

// Broke says that a guard broke, and that the node has gone back by itself.
type Broke struct {
	Knobs    []string `json:"knobs"`
	Revision uint64   `json:"revision"`          // of the values that were given up
	Rollout  string   `json:"rollout,omitempty"` // that gave them
	Guard    string   `json:"guard"`
	Figures  string   `json:"figures"` // "drops.10s 6.1/s, allowed < 5/s"
}

// Drifts are all differences of a node.
type Drifts struct {
	List []Drift `json:"list"`
}

// KeeperFrame is what the leader says; one field beside NowMS is set.
type KeeperFrame struct {
	NowMS   Time       `json:"now_ms,omitempty"` // the keeper's clock, with Welcome, Knobs and Delta
	Welcome *Welcome   `json:"welcome,omitempty"`
	Need    string     `json:"need,omitempty"` // "definition": say hello again with it
	Knobs   *Effective `json:"knobs,omitempty"`
	Delta   *Changed   `json:"delta,omitempty"`
	Check   *Check     `json:"check,omitempty"`
	Bye     *Bye       `json:"bye,omitempty"`
}

// Welcome accepts a node.
type Welcome struct {
	Member  string `json:"member"`
	Cluster string `json:"cluster"`
	BeatMS  int64  `json:"beat_ms"` // send a Beat this often
	LeaseMS int64  `json:"lease_ms"`
}

// Changed is what a node must hold otherwise from now on. Knobs that are not
// named stay; nil means the node's default.
type Changed struct {
	Revision uint64           `json:"revision"`
	Position uint64           `json:"position"`
	Knobs    map[string]*Held `json:"knobs"`
}

// Check asks whether the node would take these values all together; an empty
// text is the node's default. With a Guard it also asks whether the node can
// read it and whether it holds now.
type Check struct {
	ID     uint64            `json:"id"`
	Values map[string]string `json:"values"`
	Guard  string            `json:"guard,omitempty"`
}

// Bye ends a session; the node comes back, to Leader if it is given, after up
// to WithinMS at random.
type Bye struct {
	Reason   string `json:"reason"`
	Leader   string `json:"leader,omitempty"`
	WithinMS int64  `json:"within_ms,omitempty"`
}

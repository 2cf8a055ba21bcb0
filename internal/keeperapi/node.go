package keeperapi

// Node is what is known of one pushd. Whether it is dead, and since when, is
// for the reader to say from Lease: a state has no clock.
type Node struct {
	ID      string             `json:"id"`
	Epoch   string             `json:"epoch,omitempty"` // of this start of the process
	Address string             `json:"address,omitempty"`
	Version string             `json:"version,omitempty"`
	Labels  map[string]string  `json:"labels,omitempty"`
	Schema  string             `json:"schema,omitempty"` // hash
	Health  string             `json:"health,omitempty"`
	Load    map[string]float64 `json:"load,omitempty"`
	Knobs   Ack                `json:"knobs"`
	Joined  Time               `json:"joined_ms"`
	Seen    Time               `json:"seen_ms"`
	Lease   Time               `json:"lease_ms"`       // alive until then
	Dead    bool               `json:"dead,omitempty"` // an Expire has noticed that the lease ran out
}

// DeadFor returns for how many milliseconds the lease has been over; 0 or less
// while the node is alive.
func (n *Node) DeadFor(now Time) int64 { return int64(now - n.Lease) }

// Ack is how far a node has come with the knobs.
type Ack struct {
	Offered uint64 `json:"offered,omitempty"` // revision last sent to it
	Applied uint64 `json:"applied,omitempty"` // revision it obeys
	Nacked  uint64 `json:"nacked,omitempty"`  // revision it last refused, and why
	Reason  string `json:"reason,omitempty"`
}

// Join makes a node known, or known again after a restart. Definition may be
// left out when the keepers know the hash.
type Join struct {
	ID         string            `json:"id"`
	Epoch      string            `json:"epoch,omitempty"`
	Address    string            `json:"address,omitempty"`
	Version    string            `json:"version,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	Schema     string            `json:"schema,omitempty"`
	Definition Schema            `json:"definition,omitempty"`
	LeaseMS    int64             `json:"lease_ms"`
	Knobs      Ack               `json:"knobs"` // what it runs from its last known good
}

// Report renews leases. A leader gathers the signs of life of many nodes into
// one command.
type Report struct {
	Nodes []NodeReport `json:"nodes"`
}

// NodeReport is one node's sign of life. Absent fields leave what is known.
type NodeReport struct {
	ID      string             `json:"id"`
	Epoch   string             `json:"epoch,omitempty"`
	LeaseMS int64              `json:"lease_ms"`
	Health  string             `json:"health,omitempty"`
	Load    map[string]float64 `json:"load,omitempty"`
	Knobs   *Ack               `json:"knobs,omitempty"`
}

// Leave forgets a node; the values set for it stay.
type Leave struct {
	ID string `json:"id"`
}

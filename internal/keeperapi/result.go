package keeperapi

// Result answers a command.
type Result struct {
	// Revision is the state's after the command; unchanged when nothing was.
	Revision uint64 `json:"revision"`
	Error    *Error `json:"error,omitempty"` // then nothing was changed
	Rollout  string `json:"rollout,omitempty"`
	// Nodes are the first 100 that a rollout's command concerns, of Reached.
	Nodes   []string `json:"nodes,omitempty"`
	Reached int      `json:"reached,omitempty"`
	// Unknown are reporting nodes that must join first: unknown, of another
	// start, or with a report of no sense.
	Unknown []string `json:"unknown,omitempty"`
	// Changed counts values that are now other.
	Changed int `json:"changed,omitempty"`
}

// Code classes a refusal for programs; it is one stable word.
type Code string

// The codes.
const (
	CodeVersion     Code = "version"        // a command of a version this build does not know
	CodeMalformed   Code = "malformed"      // no command, or a field of no sense
	CodeTooLong     Code = "too_long"       // a text above its bound
	CodeTooMany     Code = "too_many"       // a table is full
	CodeUnknownKnob Code = "unknown_knob"   // no node declares it
	CodeSyntax      Code = "syntax"         // no value of the knob's type
	CodeRange       Code = "range"          // outside what a node declares
	CodeScope       Code = "scope"          // no scope, or not allowed here
	CodeUnknownNode Code = "unknown_node"   //
	CodeSchema      Code = "unknown_schema" // send the definition with the hash
	CodeRevision    Code = "revision"       // the knob changed meanwhile
	CodeFrozen      Code = "frozen"         //
	CodeReason      Code = "reason"         // a reason must be given
	CodeRollout     Code = "rollout"        // another rollout is running, or none is, or not at that step
	CodeSoaking     Code = "soaking"        // the step has not soaked
	CodeHistory     Code = "history"        // the revision is older than what is kept, or to come
	CodeReused      Code = "id_reused"      // the idempotency key belongs to another command
	CodeExists      Code = "exists"         //
	CodeUnknownName Code = "unknown_token"  //
)

// Codes of the API, beside those of the state.
const (
	CodePreflight    Code = "preflight"       // nodes would refuse; Refused names them
	CodeGuard        Code = "guard"           // no guard expression, or it does not hold already
	CodeNotLeader    Code = "not_leader"      // Leader says who is
	CodeNoLeader     Code = "no_leader"       // nobody leads at the moment
	CodeUnknownState Code = "outcome_unknown" // the change may have been made, or may still be
	CodeBusy         Code = "busy"            // try again
	CodeToken        Code = "token"           // no token, or one that is not known
	CodeRole         Code = "role"            // the token's role does not allow it
	CodeCrossOrigin  Code = "cross_origin"    // a web page asks
	CodeNotFound     Code = "not_found"       //
	CodeMethod       Code = "method"          //
	CodeTimeout      Code = "timeout"         // nothing was changed
	CodeFailed       Code = "failed"          // the keeper's log says more
)

// Error says why a command was refused, in a sentence for the operator that
// ends with what to do.
type Error struct {
	Code    Code   `json:"code"`
	Knob    string `json:"knob,omitempty"`
	Node    string `json:"node,omitempty"` // whose schema refuses
	Message string `json:"message"`
	// Refused are the nodes that would not take it, of a preflight.
	Refused []Refusal `json:"refused,omitempty"`
	Leader  string    `json:"leader,omitempty"` // API address, of not_leader; empty if not known
	Status  int       `json:"-"`                // of HTTP, set by the client
}

func (e *Error) Error() string { return e.Message }

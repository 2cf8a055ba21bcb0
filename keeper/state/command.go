package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"pushfleet/internal/keeperapi"
)

// Version is that of the commands this build writes. A command of another is
// refused, by every build that does not know it alike; so a leader may write a
// new version only once all members can read it.
const Version = 1

// CommandBytesMax bounds one encoded command.
const CommandBytesMax = 4 << 20

// Op says what a command does, and so the type of its body.
type Op string

// The operations with their bodies.
const (
	OpTxn            Op = "txn"             // keeperapi.Txn
	OpRollback       Op = "rollback"        // keeperapi.Rollback
	OpFreeze         Op = "freeze"          // keeperapi.FreezeSet
	OpRolloutStart   Op = "rollout_start"   // keeperapi.RolloutStart
	OpRolloutAdvance Op = "rollout_advance" // keeperapi.RolloutMove
	OpRolloutAbort   Op = "rollout_abort"   // keeperapi.RolloutMove
	OpRolloutBreak   Op = "rollout_break"   // keeperapi.RolloutMove: a guard broke
	OpExpire         Op = "expire"          // no body: everything whose time is over at At
	OpJoin           Op = "join"            // keeperapi.Join
	OpReport         Op = "report"          // keeperapi.Report
	OpLeave          Op = "leave"           // keeperapi.Leave
	OpToken          Op = "token"           // keeperapi.TokenSet
	OpLimits         Op = "limits"          // keeperapi.Limits
)

// Command is what is replicated. At is stamped by the leader; Who, Why and
// From are for history and audit. ID makes a retry harmless: while it is
// remembered, a second command with it gets the first one's result.
type Command struct {
	Op   Op             `json:"op"`
	ID   string         `json:"id,omitempty"`
	At   keeperapi.Time `json:"at_ms"`
	Who  string         `json:"who,omitempty"`
	Why  string         `json:"why,omitempty"`
	From string         `json:"from,omitempty"`
	Body any            `json:"body,omitempty"`
}

// Encode returns the command as it is replicated.
func Encode(c Command) ([]byte, error) {
	type versioned struct {
		V int `json:"v"`
		Command
	}
	b, err := json.Marshal(versioned{Version, c})
	if err != nil {
		return nil, fmt.Errorf("encode %s command: %w", c.Op, err)
	}
	if len(b) > CommandBytesMax {
		return nil, fmt.Errorf("encode %s command: %d bytes, allowed are %d: split it", c.Op, len(b), CommandBytesMax)
	}
	return b, nil
}

// command is a Command read back, its body still text.
type command struct {
	V    int             `json:"v"`
	Op   Op              `json:"op"`
	ID   string          `json:"id"`
	At   keeperapi.Time  `json:"at_ms"`
	Who  string          `json:"who"`
	Why  string          `json:"why"`
	From string          `json:"from"`
	Body json.RawMessage `json:"body"`
}

// decode reads and bounds the envelope. A field that is not known is refused:
// a build that knows it would do something else.
func decode(b []byte) (*command, *keeperapi.Error) {
	if len(b) > CommandBytesMax {
		return nil, refuse(keeperapi.CodeTooLong, "the command has %d bytes, allowed are %d: split it", len(b), CommandBytesMax)
	}
	c := &command{}
	if err := strict(b, c); err != nil || c.V != Version {
		var v struct {
			V int `json:"v"`
		}
		if json.Unmarshal(b, &v) == nil && v.V != Version {
			return nil, refuse(keeperapi.CodeVersion,
				"this keeper reads commands of version %d, not %d: upgrade all keepers first", Version, v.V)
		}
		return nil, refuse(keeperapi.CodeMalformed, "the command cannot be read: look for an older keeper or a damaged log")
	}
	if c.At <= 0 || c.At > keeperapi.TimeMax {
		return nil, refuse(keeperapi.CodeMalformed, "the command carries no sensible time: check the leader's clock")
	}
	for _, f := range []struct {
		name, text string
		max        int
	}{{"id", c.ID, 128}, {"who", c.Who, 128}, {"why", c.Why, 1024}, {"from", c.From, 256}} {
		if e := short(f.name, f.text, f.max); e != nil {
			return nil, e
		}
	}
	return c, nil
}

// body reads a command's body.
func body[T any](c *command) (*T, *keeperapi.Error) {
	v := new(T)
	if err := strict(c.Body, v); err != nil {
		return nil, refuse(keeperapi.CodeMalformed, "the body of the %s command cannot be read: %s; check the fields", c.Op, shortened(err.Error()))
	}
	return v, nil
}

func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("something follows the end")
	}
	return nil
}

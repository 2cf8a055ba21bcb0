package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pushfleet/internal/keeperapi"
)

// The last known good is a JSON object of the SHA-256 over the content's bytes
// and the content. Times are ms of the wall clock.

// fileVersion is the form of the content that this build writes and reads.
const fileVersion = 1

type sealed struct {
	SHA256  string          `json:"sha256"`
	Content json.RawMessage `json:"content"`
}

type content struct {
	Version  int                 `json:"version"`
	Cluster  string              `json:"cluster,omitempty"`
	Node     string              `json:"node"`
	Revision uint64              `json:"revision"`
	Position uint64              `json:"position"`
	Ack      keeperapi.Ack       `json:"ack"`
	Saved    keeperapi.Time      `json:"saved_ms"`
	Knobs    map[string]fileKnob `json:"knobs"`
}

type fileKnob struct {
	Want   fileChain  `json:"want"`
	Force  *fileChain `json:"force,omitempty"` // with a reason
	Reason string     `json:"reason,omitempty"`
	Why    string     `json:"why,omitempty"`
	// Young is when the value came into force, while it is on probation.
	Young keeperapi.Time `json:"young_ms,omitempty"`
}

type fileChain struct {
	Held     *keeperapi.Held  `json:"held,omitempty"`
	Revision uint64           `json:"revision"`
	Later    bool             `json:"later,omitempty"`
	Ends     []keeperapi.Time `json:"ends_ms,omitempty"`
	ElseEnds []keeperapi.Time `json:"else_ends_ms,omitempty"`
}

// encode writes a book as it is now.
func encode(b *book, node string, now time.Time) ([]byte, error) {
	w := wall{now, keeperapi.TimeOf(now)}
	c := content{Version: fileVersion, Node: node, Cluster: b.cluster, Revision: b.revision, Position: b.position, Ack: b.ack,
		Saved: w.ms, Knobs: map[string]fileKnob{}}
	for name, it := range b.items {
		k := fileKnob{Want: w.chain(&it.want), Reason: it.reason, Why: it.why, Young: w.show(it.young)}
		if it.reason != "" {
			k.Force = new(w.chain(&it.force))
		}
		c.Knobs[name] = k
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	out, err := json.Marshal(sealed{hex.EncodeToString(sum[:]), text})
	return append(out, '\n'), err
}

var errDamaged = errors.New("its checksum is wrong: the file is damaged")

// decode reads what encode wrote.
func decode(text []byte, node string, now time.Time) (b book, err error) {
	var s sealed
	if err := json.Unmarshal(text, &s); err != nil {
		return b, fmt.Errorf("it is damaged: %w", err)
	}
	if sum := sha256.Sum256(s.Content); hex.EncodeToString(sum[:]) != s.SHA256 {
		return b, errDamaged
	}
	var c content
	if err := json.NewDecoder(bytes.NewReader(s.Content)).Decode(&c); err != nil {
		return b, fmt.Errorf("its content cannot be read: %w", err)
	}
	if c.Version != fileVersion {
		return b, fmt.Errorf("it has the form %d, this build reads %d", c.Version, fileVersion)
	}
	if c.Node != node {
		return b, fmt.Errorf("it belongs to the node %q, this is %q", c.Node, node)
	}
	return c.book(now), nil
}

func (c *content) book(now time.Time) book {
	// A clock that stands before the moment of writing was set back: what was
	// left then is all that can be left.
	w := wall{now, max(keeperapi.TimeOf(now), c.Saved)}
	b := book{cluster: c.Cluster, revision: c.Revision, position: c.Position, ack: c.Ack}.clone()
	for name, k := range c.Knobs {
		it := item{want: w.back(&k.Want), reason: k.Reason, why: k.Why}
		it.force = it.want
		if k.Reason != "" {
			it.force = chain{}
			if k.Force != nil {
				it.force = w.back(k.Force)
			}
		}
		if k.Young != 0 {
			it.young = w.read(k.Young)
		}
		b.items[name] = it
	}
	return b
}

// wall ties a moment to what the wall clock shows, or counts as showing.
type wall struct {
	now time.Time
	ms  keeperapi.Time
}

func (w wall) show(t time.Time) keeperapi.Time {
	if t.IsZero() {
		return 0
	}
	return w.ms + keeperapi.Time(t.Sub(w.now).Milliseconds())
}

func (w wall) read(t keeperapi.Time) time.Time { return clock{w.ms, w.now}.when(t) }

func (w wall) chain(c *chain) fileChain {
	f := fileChain{Held: c.held, Revision: c.revision, Later: c.later}
	for _, end := range c.ends {
		f.Ends = append(f.Ends, w.show(end))
	}
	for _, end := range c.elseEnds {
		f.ElseEnds = append(f.ElseEnds, w.show(end))
	}
	return f
}

func (w wall) back(f *fileChain) chain {
	c := chain{held: f.Held, revision: f.Revision, later: f.Later}
	for _, end := range f.Ends {
		c.ends = append(c.ends, w.read(end))
	}
	for _, end := range f.ElseEnds {
		c.elseEnds = append(c.elseEnds, w.read(end))
	}
	c.readGuard()
	return c
}

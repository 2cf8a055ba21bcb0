package experiment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pushfleet/internal/pushdapi"
)

// Setting is a knob's name with a value that is tried.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (s Setting) String() string { return s.Name + "=" + s.Value }

// ParseSetting reads NAME=VALUE.
func ParseSetting(text string) (Setting, error) {
	name, value, ok := strings.Cut(text, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok || name == "" || value == "" {
		return Setting{}, fmt.Errorf("%q is no setting: write KNOB=VALUE, for example gc.percent=400", text)
	}
	return Setting{name, value}, nil
}

// ParseSweep reads NAME=V1,V2,…, at least two values and at most SweepMax.
func ParseSweep(text string) ([]Setting, error) {
	s, err := ParseSetting(text)
	if err != nil {
		return nil, fmt.Errorf("%q is no sweep: write KNOB=VALUE,VALUE,…, for example queue.messages_max=64,256,1024", text)
	}
	var out []Setting
	for v := range strings.SplitSeq(s.Value, ",") {
		one := Setting{s.Name, strings.TrimSpace(v)}
		switch {
		case one.Value == "":
			return nil, fmt.Errorf("--sweep %s: there is an empty value between the commas", text)
		case slices.Contains(out, one):
			return nil, fmt.Errorf("--sweep %s: the value %s is there twice", text, one.Value)
		}
		out = append(out, one)
	}
	if len(out) < 2 || len(out) > SweepMax {
		return nil, fmt.Errorf("--sweep %s: want 2 to %d values; for one value there is --set", text, SweepMax)
	}
	return out, nil
}

// SweepMax is how many values are compared at most.
const SweepMax = 16

// why is what the node notes beside a change.
const (
	whyTry  = "tee experiment"
	whyBack = "tee experiment is over"
)

// knobs are those of one shadow during an experiment: what they were, and
// what is tried. Not safe for concurrent use.
type knobs struct {
	node    Node
	journal *Journal
	kept    []Kept
	now     []Setting // in force beyond what was there
}

// look reads what the settings' knobs are and has the node check each value,
// without changing anything; same tells that they are all so already. Knobs that do not act at once are refused: with
// them a second shadow is compared.
func (k *knobs) look(ctx context.Context, all []Setting) (same bool, err error) {
	same = true
	for _, s := range all {
		knob, err := k.node.Knob(ctx, s.Name)
		if err != nil {
			return false, fmt.Errorf("knob %s of %s: %w", s.Name, k.node.Addr(), err)
		}
		switch {
		case knob.Acts == "restart":
			return false, fmt.Errorf("%s acts after a restart: start a second shadow with it, and give that as --to and this one as --control", s.Name)
		case knob.Acts != "live":
			return false, fmt.Errorf("%s acts on %s only, and those that are mirrored stay open: set it on a second shadow, and give that as --to and this one as --control", s.Name, knob.Acts)
		}
		change, err := k.node.SetKnob(ctx, s.Name, pushdapi.KnobSet{Value: s.Value, DryRun: true})
		if err != nil {
			return false, fmt.Errorf("%s cannot be %s: %w", s.Name, s.Value, err)
		}
		same = same && change.New == knob.Value
		i := slices.IndexFunc(k.kept, func(o Kept) bool { return o.Name == s.Name })
		if i < 0 {
			i = len(k.kept)
			k.kept = append(k.kept, Kept{Name: s.Name, Value: knob.Value, Source: knob.Source})
		}
		k.kept[i].Tried = append(k.kept[i].Tried, change.New)
	}
	return same, nil
}

// begin writes the journal, before the first change. It is there without one
// too: who asks what runs on this machine looks at journals.
func (k *knobs) begin() error { return k.journal.Write(k.kept) }

// set makes the knobs be what they were, with the settings on top. Each call
// sets every knob that takes part, also to what it is: the act itself must not
// tell the arms apart.
func (k *knobs) set(ctx context.Context, s []Setting) error {
	for _, kept := range k.kept {
		value := kept.Value
		if i := slices.IndexFunc(s, func(o Setting) bool { return o.Name == kept.Name }); i >= 0 {
			value = s[i].Value
		}
		if _, err := k.node.SetKnob(ctx, kept.Name, pushdapi.KnobSet{Value: value, Why: whyTry}); err != nil {
			return fmt.Errorf("set %s to %s on %s: %w", kept.Name, value, k.node.Addr(), err)
		}
	}
	k.now = s
	return nil
}

// Restored is what became of a knob that was tried.
type Restored struct {
	Name  string `json:"name"`
	Value string `json:"value"`          // that it has now, as far as is known
	Note  string `json:"note,omitempty"` // why it is not what it was, "" if it is
}

// backWithin bounds how long putting back takes: somebody may have pressed
// Ctrl-C.
const backWithin = 10 * time.Second

// back puts the knobs back to what they were and forgets the journal. It goes
// on when ctx has ended.
func (k *knobs) back(ctx context.Context) ([]Restored, error) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), backWithin)
	defer stop()
	out, err := putBack(ctx, k.node, k.kept)
	if err != nil {
		return out, fmt.Errorf("the shadow could not be put back: %w; pushctl tee stop does it when it is reachable again", err)
	}
	return out, k.journal.Remove()
}

// putBack sets each knob that still has a value that was tried. What somebody
// else has set meanwhile stays.
func putBack(ctx context.Context, node Node, kept []Kept) (out []Restored, err error) {
	for _, k := range kept {
		now, e := node.Knob(ctx, k.Name)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", k.Name, e))
			continue
		}
		r := Restored{Name: k.Name, Value: now.Value}
		switch {
		case now.Value == k.Value:
		case !slices.Contains(k.Tried, now.Value):
			r.Note = fmt.Sprintf("left at %s, which somebody else has set; it was %s", now.Value, k.Value)
		default:
			change, e := node.SetKnob(ctx, k.Name, pushdapi.KnobSet{Value: k.Value, Why: whyBack})
			if e != nil {
				err = errors.Join(err, fmt.Errorf("%s to %s: %w", k.Name, k.Value, e))
				continue
			}
			r.Value = change.New
		}
		out = append(out, r)
	}
	return out, err
}

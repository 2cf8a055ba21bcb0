package knob

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Registry holds the knobs of one node. Its methods may be called from any
// goroutine; declaring happens while the node is built.
type Registry struct {
	// changing is held for a whole transaction with its watchers, so that
	// watchers see changes in the order of their revisions.
	changing sync.Mutex

	mu       sync.Mutex
	knobs    map[string]*declared
	rules    []rule
	revision uint64
}

// NewRegistry returns an empty registry at revision 0.
func NewRegistry() *Registry {
	return &Registry{knobs: map[string]*declared{}}
}

// State is one knob as an operator sees it. The texts are forms that Set
// takes. Unit is empty where Value already carries it (bytes, durations,
// percentages), so that Value + " " + Unit always reads well.
type State struct {
	Name     string
	Type     string // int, bytes, duration, float, bool, enum
	Unit     string
	Help     string
	Value    string
	Default  string
	Min, Max string   // empty for bool and enum
	Values   []string // of bool and enum
	Risk     Risk
	Acts     Acts
	Source   string    // default, config, admin, or what Set was told
	At       time.Time // of the last Set; zero if there was none
	Why      string
	Revision uint64 // of the last change of this knob; 0 if there was none
}

// Get returns one knob. An unknown name is an *Error with a suggestion.
func (r *Registry) Get(name string) (State, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, err := r.find(name)
	if err != nil {
		return State{}, err
	}
	return k.state(), nil
}

// List returns every knob, sorted by name.
func (r *Registry) List() []State {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]State, 0, len(r.knobs))
	for _, k := range r.knobs {
		all = append(all, k.state())
	}
	slices.SortFunc(all, func(a, b State) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Revision counts the transactions that changed a value since the start.
func (r *Registry) Revision() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.revision
}

// OnChange has f called after each change of the named knob, on the setter's
// goroutine and in the order of revisions. f may read the registry but not set
// in it, and must not block: the setter waits. It panics on an unknown name.
func (r *Registry) OnChange(name string, f func(State)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, err := r.find(name)
	if err != nil {
		panic(err)
	}
	k.watchers = append(k.watchers, f)
}

// find needs r.mu.
func (r *Registry) find(name string) (*declared, error) {
	if k := r.knobs[name]; k != nil {
		return k, nil
	}
	names := make([]string, 0, len(r.knobs))
	for n := range r.knobs {
		names = append(names, n)
	}
	return nil, unknownName(name, names)
}

func (k *declared) state() State {
	s := State{
		Name: k.spec.Name, Type: k.kind.String(), Unit: k.spec.Unit, Help: k.spec.Help,
		Value: k.format(k.cell.bits.Load()), Default: k.format(k.def),
		Risk: k.spec.Risk, Acts: k.spec.Acts,
		Source: k.source, At: k.at, Why: k.why, Revision: k.revision,
	}
	if k.carriesUnit() {
		s.Unit = ""
	}
	if k.values != nil {
		s.Values = slices.Clone(k.values)
	} else {
		s.Min, s.Max = k.format(k.min), k.format(k.max)
	}
	return s
}

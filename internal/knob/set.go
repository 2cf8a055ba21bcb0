package knob

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// Change is what a Set did, or would do. Old equals New when the knob had the
// value already.
type Change struct {
	Name     string
	Old, New string // with their unit where the text carries one
	Acts     Acts
	Revision uint64 // of the registry after the change
}

// Txn is one transaction over any number of knobs.
type Txn struct {
	Set    map[string]string // name → text
	Source string            // who: config, admin, …
	Why    string
	// Origins say who and why by name, in place of Source and Why: one
	// transaction may give values of several origins.
	Origins map[string]Origin
	IfRev   uint64 // refuse unless the registry is at this revision; 0 = do not ask
	DryRun  bool   // check everything, change nothing
}

// Origin is where a value comes from.
type Origin struct{ Source, Why string }

func (t *Txn) origin(name string) Origin {
	if o, ok := t.Origins[name]; ok {
		return o
	}
	return Origin{t.Source, t.Why}
}

// Set parses text and puts it in force. Errors are *Error.
func (r *Registry) Set(name, text, source, why string) (Change, error) {
	return one(r.Apply(Txn{Set: map[string]string{name: text}, Source: source, Why: why}))
}

// Check does what Set would, without the change.
func (r *Registry) Check(name, text string) (Change, error) {
	return one(r.Apply(Txn{Set: map[string]string{name: text}, DryRun: true}))
}

// SetMany sets all of them or none; the error joins every problem found.
func (r *Registry) SetMany(set map[string]string, source, why string) ([]Change, error) {
	return r.Apply(Txn{Set: set, Source: source, Why: why})
}

func one(c []Change, err error) (Change, error) {
	if err != nil {
		return Change{}, err
	}
	return c[0], nil
}

// Apply runs a transaction: all of it or, with an error that joins every
// problem, nothing. The changes are sorted by name. A transaction that changes
// a value raises the revision by one, however many knobs it names. A value set
// to what it is only records source, why and time.
func (r *Registry) Apply(t Txn) ([]Change, error) {
	r.changing.Lock()
	defer r.changing.Unlock()
	changes, told, err := r.apply(t)
	for _, call := range told {
		call()
	}
	return changes, err
}

// edit is one assignment of a transaction, checked.
type edit struct {
	k    *declared
	bits int64
}

func (r *Registry) apply(t Txn) (changes []Change, told []func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	edits, err := r.check(t)
	if err != nil {
		return nil, nil, err
	}
	revision := r.revision
	if slices.ContainsFunc(edits, func(e edit) bool { return e.bits != e.k.cell.bits.Load() }) {
		revision++
	}
	for _, e := range edits {
		changes = append(changes, Change{Name: e.k.spec.Name, Old: e.k.format(e.k.cell.bits.Load()),
			New: e.k.format(e.bits), Acts: e.k.spec.Acts, Revision: revision})
	}
	if t.DryRun {
		return changes, nil, nil
	}
	r.revision = revision
	now := time.Now()
	for _, e := range edits {
		from := t.origin(e.k.spec.Name)
		e.k.source, e.k.why, e.k.at = from.Source, from.Why, now
		if e.bits == e.k.cell.bits.Load() {
			continue
		}
		e.k.cell.bits.Store(e.bits)
		e.k.revision = revision
		state := e.k.state()
		for _, f := range e.k.watchers {
			told = append(told, func() { f(state) })
		}
	}
	return changes, told, nil
}

// check parses and judges a transaction; it needs r.mu.
func (r *Registry) check(t Txn) ([]edit, error) {
	if t.IfRev != 0 && t.IfRev != r.revision {
		return nil, staleRevision(t.IfRev, r.revision)
	}
	var edits []edit
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(t.Set)) {
		k, err := r.find(name)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		bits, err := k.parse(t.Set[name])
		if err != nil {
			problems = append(problems, err)
			continue
		}
		edits = append(edits, edit{k, bits})
	}
	if len(problems) == 0 {
		problems = r.broken(edits)
	}
	switch len(problems) {
	case 0:
		return edits, nil
	case 1:
		return nil, problems[0]
	}
	return nil, errors.Join(problems...)
}

package experiment

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pushfleet/internal/pushdapi"
)

// Kept is a knob of a shadow as it was before an experiment.
type Kept struct {
	Name   string   `json:"name"`
	Value  string   `json:"value"`
	Source string   `json:"source,omitempty"`
	Tried  []string `json:"tried"` // values that the experiment sets
}

// Entry is what a journal holds: enough to put a shadow back after the process
// that changed it was killed.
type Entry struct {
	Shadow string         `json:"shadow"`        // address
	Node   string         `json:"node"`          // its name
	From   string         `json:"from"`          // whose traffic it was fed
	Tee    string         `json:"tee,omitempty"` // id of the tee, once it has begun
	Begun  time.Time      `json:"begun"`
	Place  pushdapi.Place `json:"place"` // of the experiment's process
	Start  string         `json:"start"` // of that process, in ticks since boot: numbers are given again
	Knobs  []Kept         `json:"knobs"`
}

// Journal is the file of one experiment on one shadow.
type Journal struct {
	path  string
	entry Entry
}

// journalEnd is what names of journals end in.
const journalEnd = ".tee.json"

// journalBytesMax bounds what is read.
const journalBytesMax = 1 << 20

// NewJournal returns the journal of an experiment of this process, in folder
// dir, which is made when it is needed. Nothing is written yet.
func NewJournal(dir, shadow, node, from string, now time.Time) *Journal {
	here := pushdapi.Here()
	return &Journal{path: filepath.Join(dir, fileName(shadow)+journalEnd),
		entry: Entry{Shadow: shadow, Node: node, From: from, Begun: now, Place: here, Start: startOf(here.PID)}}
}

// Path is where the journal is. Without the file the shadow counts as put back.
func (j *Journal) Path() string { return j.path }

// fileName makes a file's name of an address.
func fileName(addr string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-':
			return r
		}
		return '_'
	}, addr)
}

// Write notes what the shadow's knobs were. It is on disk when Write returns.
func (j *Journal) Write(kept []Kept) error {
	j.entry.Knobs = kept
	if err := j.write(); err != nil {
		return fmt.Errorf("note what the shadow was, so that it can be put back: %w; nothing was changed. XDG_STATE_HOME names another folder", err)
	}
	return nil
}

// Teed notes which tee feeds the shadow.
func (j *Journal) Teed(id string) error {
	j.entry.Tee = id
	return j.write()
}

func (j *Journal) write() error {
	b, err := json.MarshalIndent(&j.entry, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(j.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".tee-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), j.path)
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Remove forgets the journal: the shadow is as it was.
func (j *Journal) Remove() error {
	if err := os.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Entry returns what the journal holds.
func (j *Journal) Entry() Entry { return j.entry }

// Journals reads those in a folder. One that cannot be read is an error beside
// the others.
func Journals(dir string) (out []*Journal, err error) {
	names, err := filepath.Glob(filepath.Join(dir, "*"+journalEnd))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		j, e := readJournal(name)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w; look at it, and remove it", name, e))
			continue
		}
		out = append(out, j)
	}
	return out, err
}

func readJournal(name string) (*Journal, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > journalBytesMax {
		return nil, fmt.Errorf("is %d bytes long, no journal of an experiment", info.Size())
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	e, err := parseEntry(b)
	return &Journal{path: name, entry: e}, err
}

func parseEntry(b []byte) (e Entry, err error) {
	if err := json.Unmarshal(b, &e); err != nil {
		return e, fmt.Errorf("is no journal of an experiment: %w", err)
	}
	if e.Shadow == "" {
		return e, errors.New("is no journal of an experiment: it names no shadow")
	}
	return e, nil
}

// Alive tells whether the experiment's process still runs. One in another
// container counts as alive: it cannot be seen from here.
func (e *Entry) Alive() bool {
	here := pushdapi.Here()
	switch {
	case !e.Place.SameHost(here):
		return e.Place.Boot == "" || e.Place.Hostname != here.Hostname // the same host after a boot: dead
	case e.Place.PIDs != here.PIDs:
		return true
	}
	start := startOf(e.Place.PID)
	return start != "" && start == e.Start
}

// startOf is when a process started, "" when there is none.
func startOf(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The name in parentheses may hold anything; what follows does not.
	text := string(b)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	const starttime = 22 - 3 // proc(5), counted from the state behind the name
	if len(fields) <= starttime {
		return ""
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return fields[starttime]
}

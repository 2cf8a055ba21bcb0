package store

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

const (
	idMax      = 64
	membersMax = 32
)

// identity says whose state directory this is. It is written before the member
// speaks raft for the first time.
type identity struct {
	path string

	mu   sync.Mutex
	data identityData
}

type identityData struct {
	ID      string `json:"id"`
	Cluster string `json:"cluster,omitempty"` // random, made by the founder
	// Joined: this member has seen itself in the configuration. When it is no
	// longer there, it was removed.
	Joined bool `json:"joined,omitempty"`
}

func loadIdentity(dir, id string) (*identity, error) {
	i := &identity{path: filepath.Join(dir, "identity.json")}
	b, err := os.ReadFile(i.path)
	if errors.Is(err, fs.ErrNotExist) {
		i.data.ID = id
		return i, nil
	}
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	if err := json.Unmarshal(b, &i.data); err != nil {
		return nil, fmt.Errorf("identity: %s: %w", i.path, err)
	}
	if i.data.ID != id {
		return nil, fmt.Errorf("%s belongs to member %q, not %q; give that id or another directory", dir, i.data.ID, id)
	}
	return i, nil
}

func (i *identity) get() identityData {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.data
}

func (i *identity) cluster() string { return i.get().Cluster }

// change writes the file before anybody sees the change.
func (i *identity) change(f func(*identityData)) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	next := i.data
	f(&next)
	if next == i.data {
		return nil
	}
	b, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := writeFile(i.path, b); err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	i.data = next
	return nil
}

// newCluster returns a name for a cluster that nobody else has.
func newCluster() string { return rand.Text()[:16] }

// writeFile replaces a file so that after a crash either the old or the new
// content is there.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

package store

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	// Recovered names the recovery that made Cluster, until the next start: the
	// same recovery once more changes nothing.
	Recovered string `json:"recovered,omitempty"`
}

func identityFile(dir string) string { return filepath.Join(dir, "identity.json") }

func loadIdentity(dir, id string) (*identity, error) {
	i := &identity{path: identityFile(dir)}
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

// recovered returns the identity after a recovery with these members. The
// cluster gets a new name, the same on each of them: members that were given up
// and come back all the same are strangers then, and cannot outvote it.
func (d identityData) recovered(peers []Member) identityData {
	h := sha256.New()
	for _, p := range slices.SortedFunc(slices.Values(peers), func(a, b Member) int { return strings.Compare(a.ID, b.ID) }) {
		fmt.Fprintf(h, "%q %q\n", p.ID, p.Address)
	}
	tag := hex.EncodeToString(h.Sum(nil))
	if d.Recovered == tag {
		return d
	}
	name := sha256.Sum256([]byte(d.Cluster + " " + tag))
	d.Cluster, d.Recovered = base32.StdEncoding.EncodeToString(name[:])[:16], tag
	return d
}

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

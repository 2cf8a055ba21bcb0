package store

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
)

// tape is a machine that remembers its commands. The answer to each is how many
// there were.
type tape struct {
	mu       sync.Mutex
	commands []string
	last     uint64 // index of the last command
	restored int
	backward bool // an index did not grow
}

func (m *tape) Apply(index uint64, cmd []byte) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.backward = m.backward || index <= m.last
	m.last = index
	m.commands = append(m.commands, string(cmd))
	return binary.AppendUvarint(nil, uint64(len(m.commands)))
}

func (m *tape) Snapshot() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return []byte(strings.Join(m.commands, "\n")), nil
}

func (m *tape) Restore(b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if strings.HasPrefix(string(b), "bad") {
		return errors.New("bad snapshot")
	}
	m.commands, m.last = nil, 0
	if len(b) > 0 {
		m.commands = strings.Split(string(b), "\n")
	}
	m.restored++
	return nil
}

func (m *tape) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.commands)
}

func (m *tape) restores() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.restored
}

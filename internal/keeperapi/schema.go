package keeperapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
)

// Decl is one knob as a node declares it. The texts are forms that a set takes.
type Decl struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"` // int, bytes, duration, float, bool, enum
	Unit    string   `json:"unit,omitempty"`
	Help    string   `json:"help,omitempty"`
	Default string   `json:"default"`
	Min     string   `json:"min,omitempty"` // neither for bool and enum
	Max     string   `json:"max,omitempty"`
	Values  []string `json:"values,omitempty"` // of bool and enum
	Risk    string   `json:"risk,omitempty"`   // low, medium, high
	Acts    string   `json:"acts,omitempty"`   // live, new connections, restart
}

// Schema is all that one build of pushd declares, sorted by name.
type Schema []Decl

// Sort orders the schema by name, the form that is hashed and kept.
func (s Schema) Sort() {
	slices.SortFunc(s, func(a, b Decl) int { return strings.Compare(a.Name, b.Name) })
}

// Hash names the schema by its content: 32 hexadecimal digits. A node sends
// the hash always and the schema only when asked.
func (s Schema) Hash() string {
	sorted := slices.Clone(s)
	sorted.Sort()
	text, err := json.Marshal(sorted)
	if err != nil { // strings and slices of them always encode
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

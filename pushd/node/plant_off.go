//go:build !plant

package node

import "pushfleet/pushd/reactor"

// plant is where builds for tests make trouble, see plant.go; this one makes
// none.
func (n *Node) plant(_ int, h reactor.Handler) reactor.Handler {
	_ = n.planted // used in those builds
	return h
}

// planted is what a node keeps of its troubles: nothing.
type planted struct{}

package node

import (
	"context"
	"time"

	"pushfleet/internal/pushdapi"
)

// How long a start is held up for the keepers: the one inside is about to
// answer, others may be dead.
const (
	awaitInside  = 10 * time.Second
	awaitKeepers = time.Second
)

// AwaitKeepers returns when the keepers have answered, so that whoever waited
// for the start can turn knobs at once. It returns too when they are silent for
// a while, because the node serves with the knobs it last held. Call it after
// Start. It gives no error.
func (n *Node) AwaitKeepers(ctx context.Context) error {
	most := awaitKeepers
	switch n.followed().Mode {
	case pushdapi.FollowOff:
		return nil
	case pushdapi.FollowEmbedded:
		most = awaitInside
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !n.followed().Connected {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	return nil
}

package node_test

import (
	"testing"
	"time"

	"pushfleet/internal/testnode"
)

func TestAwaitKeepersReturnsWhenTheyHaveAnsweredOrAreSilent(t *testing.T) {
	inside := testnode.Start(t, testnode.Embedded)
	if err := inside.AwaitKeepers(t.Context()); err != nil || !inside.Stats().Follow.Connected {
		t.Errorf("await: %v, %+v", err, inside.Stats().Follow)
	}
	alone := testnode.Start(t, nil)
	if err := alone.AwaitKeepers(t.Context()); err != nil {
		t.Error(err)
	}
	began := time.Now()
	silent := testnode.Start(t, func(c *testnode.Config) { c.Keeper.Addresses = []string{"/nonexistent/keeper.sock"} })
	if err := silent.AwaitKeepers(t.Context()); err != nil || time.Since(began) < time.Second || silent.Stats().Follow.Connected {
		t.Errorf("await: %v after %s", err, time.Since(began))
	}
}

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"pushfleet/internal/pushdapi"
)

// numbered is the message that carries a number.
func numbered(user string, n int) pushdapi.Send {
	return pushdapi.Send{User: user, Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))}
}

// pushNumbers sends the numbers from to to, inclusive, one after another. Each
// must be taken by exactly one connection, or be kept for one that comes back.
func pushNumbers(t *testing.T, api *pushdapi.Client, user string, from, to int, kept bool) {
	t.Helper()
	for n := from; n <= to; n++ {
		r, err := api.Send(context.Background(), numbered(user, n))
		if err != nil {
			t.Fatal(err)
		}
		if !kept && r.Delivered != 1 || kept && r.Kept != 1 {
			t.Fatalf("message %d to %s: %+v", n, user, *r)
		}
	}
}

// kick closes all connections of a user and waits until none is left.
func kick(t *testing.T, api *pushdapi.Client, user string) {
	t.Helper()
	if n, err := api.KickUser(context.Background(), user); err != nil || n != 1 {
		t.Fatalf("kick %s: %d, %v", user, n, err)
	}
}

// online waits until a user has a connection.
func online(t *testing.T, api *pushdapi.Client, user string) {
	t.Helper()
	eventually(t, user+" is online", func() bool {
		u, err := api.User(context.Background(), user)
		return err == nil && u.Online
	})
}

// offline waits until a user has none.
func offline(t *testing.T, api *pushdapi.Client, user string) {
	t.Helper()
	eventually(t, user+" is offline", func() bool {
		u, err := api.User(context.Background(), user)
		return err == nil && !u.Online
	})
}

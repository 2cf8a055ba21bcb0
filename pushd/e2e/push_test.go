package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

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

// pushAway sends numbers to a user who has just been away and may be back, so
// that each is taken by a connection or kept for one.
func pushAway(t *testing.T, api *pushdapi.Client, user string, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		r, err := api.Send(context.Background(), numbered(user, n))
		if err != nil {
			t.Fatal(err)
		}
		if r.Delivered+r.Kept != 1 {
			t.Fatalf("message %d to %s: %+v", n, user, *r)
		}
	}
}

// slowLoop is how long an answer takes from which a loop may be missing: one that
// does not answer within half a second is left out.
const slowLoop = 400 * time.Millisecond

// sessions are the connections of a user, of all loops.
func sessions(t testing.TB, api *pushdapi.Client, user string) (rows []pushdapi.ConnRow) {
	t.Helper()
	eventually(t, "all loops tell of "+user, func() bool {
		begin := time.Now()
		u, err := api.User(context.Background(), user)
		if err != nil {
			t.Fatal(err)
		}
		rows = u.Sessions
		return time.Since(begin) < slowLoop
	})
	return rows
}

// session is the one connection of a user.
func session(t testing.TB, api *pushdapi.Client, user string) pushdapi.ConnRow {
	t.Helper()
	rows := sessions(t, api, user)
	if len(rows) != 1 {
		t.Fatalf("user %s has %d connections, want one: %+v", user, len(rows), rows)
	}
	return rows[0]
}

// kick tells the one connection of a user to end.
func kick(t *testing.T, api *pushdapi.Client, user string) {
	t.Helper()
	kickAll(t, api, user, 1)
}

// kickAll tells all connections of a user to end, of which there are want.
func kickAll(t *testing.T, api *pushdapi.Client, user string, want int) {
	t.Helper()
	k, err := api.KickUser(context.Background(), user)
	if err != nil || k.Kicked+k.Unanswered != want {
		t.Fatalf("kick %s: %+v, %v; want %d", user, k, err, want)
	}
}

// cutOff kicks a user whose client comes back by itself, and waits until that
// connection is gone.
func cutOff(t *testing.T, api *pushdapi.Client, user string) {
	t.Helper()
	old := session(t, api, user).Conn
	kick(t, api, user)
	eventually(t, user+" has left", func() bool {
		return !slices.ContainsFunc(sessions(t, api, user), func(c pushdapi.ConnRow) bool { return c.Conn == old })
	})
}

// online waits until a user has a connection.
func online(t *testing.T, api *pushdapi.Client, user string) {
	t.Helper()
	eventually(t, user+" is online", func() bool { return len(sessions(t, api, user)) > 0 })
}

// offline waits until a user has none.
func offline(t *testing.T, api *pushdapi.Client, user string) {
	t.Helper()
	eventually(t, user+" is offline", func() bool { return len(sessions(t, api, user)) == 0 })
}

package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
)

// Watcher is a node that can watch one of its connections.
type Watcher interface {
	// Watch takes d and returns what was seen, or ErrNotFound when the
	// connection is gone, also meanwhile.
	Watch(ctx context.Context, h push.Handle, d time.Duration) (pushdapi.Watched, error)
}

// watchDefault is how long a connection is watched when nothing is asked for,
// watchMin the shortest time that says something.
const (
	watchDefault = 5 * time.Second
	watchMin     = 500 * time.Millisecond
)

// watch watches a connection. It has a bound of its own: it takes long and does
// little.
func (a *API) watch(w http.ResponseWriter, r *http.Request) error {
	h, err := push.ParseHandle(r.PathValue("id"))
	if err != nil {
		return refuse(http.StatusBadRequest, "bad_conn", "%s; copy the id from pushctl top", err)
	}
	d, err := watchTime(r)
	if err != nil {
		return err
	}
	if a.c.Watcher == nil {
		return refuse(http.StatusNotFound, "not_found", "%s does not watch connections; ask pushctl conn", a.nodeName())
	}
	if err := a.watches.enter(0); err != nil {
		return err
	}
	seen, err := func() (pushdapi.Watched, error) {
		defer a.watches.leave() // before a slow reader takes the answer
		return a.c.Watcher.Watch(r.Context(), h, d)
	}()
	if err != nil {
		return err
	}
	b, err := json.Marshal(&seen)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(b, '\n'))
	return nil
}

func watchTime(r *http.Request) (time.Duration, error) {
	q, err := query(r, "for")
	if err != nil {
		return 0, err
	}
	text := q.Get("for")
	if text == "" {
		return watchDefault, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < watchMin || d > pushdapi.WatchMax {
		return 0, badQuery("for=%q: give a time from %s to %s, as in ?for=5s", text, watchMin, pushdapi.WatchMax)
	}
	return d, nil
}

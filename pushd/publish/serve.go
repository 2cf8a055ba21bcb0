package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"pushfleet/internal/push"
	"pushfleet/internal/pushdapi"
)

// Handle adds the server API to a mux. On its paths every other method is
// answered with 405.
func (p *Publisher) Handle(mux *http.ServeMux) {
	for _, r := range [...]struct {
		method, path string
		serve        http.HandlerFunc
	}{
		{"POST", "/v1/send", func(w http.ResponseWriter, r *http.Request) { p.serveSend(w, r, false) }},
		{"POST", "/v1/broadcast", func(w http.ResponseWriter, r *http.Request) { p.serveSend(w, r, true) }},
		{"POST", "/v1/publish", p.servePublish},
		{"GET", "/v1/users/{user}", p.serveUser},
		{"DELETE", "/v1/users/{user}/sessions", p.serveKick},
	} {
		mux.HandleFunc(r.method+" "+r.path, r.serve)
		mux.HandleFunc(r.path, func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Allow", r.method)
			refuse(w, http.StatusMethodNotAllowed, "method", req.Method+" is not possible here; use "+r.method)
		})
	}
}

// check holds a parsed message to the limits in force.
func (p *Publisher) check(m *Send, all bool) error {
	if err := m.target(all); err != nil {
		return err
	}
	if limit := p.Knobs.MessageBytes.Get(); int64(len(m.Data)) > limit {
		return &SendError{push.DropOversize.String(), fmt.Sprintf("data has %d bytes, the limit is %d; send less or raise the knob message.bytes_max", len(m.Data), limit)}
	}
	if limit := p.Knobs.UsersMax.Get(); int64(len(m.Users)) > limit {
		return badField("%d users, the limit is %d; send to fewer at a time or raise the knob send.users_max", len(m.Users), limit)
	}
	return nil
}

// serveSend answers one message. A user without a connection is no error: the
// answer says absent.
func (p *Publisher) serveSend(w http.ResponseWriter, r *http.Request, all bool) {
	wait, err := p.waitFor(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, "bad_wait", err.Error())
		return
	}
	if p.draining.Load() {
		refuseDraining(w)
		return
	}
	limit := p.Knobs.BodyBytes.Get()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		refuseBody(w, err, limit)
		return
	}
	b := p.pool.Get().(*batch)
	defer p.pool.Put(b)
	m := &b.send
	if err = ParseSend(body, m); err == nil {
		err = p.check(m, all)
	}
	if err != nil {
		p.refuseMessage(w, err)
		return
	}
	p.send(w, r, b, wait)
}

func (p *Publisher) send(w http.ResponseWriter, r *http.Request, b *batch, wait time.Duration) {
	rcpt := p.Receipts.Open()
	if rcpt == nil {
		refuseBusy(w)
		return
	}
	defer rcpt.Close()
	b.begin(rcpt)
	select {
	case p.slots <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	b.add(&b.send)
	b.post(p.Knobs.InboxWait.Get())
	p.release()
	if wait > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), wait)
		_ = rcpt.Wait(ctx) // what is pending then is told
		cancel()
	}
	c := rcpt.Counts()
	if b.tally.dropped[push.DropMemory] > 0 && b.tally.published == 0 {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, push.DropMemory.String(), "the node's memory for messages is used up; retry later")
		return
	}
	answer(w, http.StatusOK, result(c, b.tally.absent, b.tally.kept))
}

// waitFor reads ?wait=, a duration or seconds.
func (p *Publisher) waitFor(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return p.Knobs.Wait.Get(), nil
	}
	d, err := time.ParseDuration(text)
	if seconds, ferr := strconv.ParseFloat(text, 64); ferr == nil && seconds <= waitMax.Seconds() {
		d, err = time.Duration(seconds*float64(time.Second)), nil
	}
	if err != nil || d < 0 || d > waitMax {
		return 0, fmt.Errorf("wait=%.40s: give a duration such as 500ms, or seconds, of at most %v", text, waitMax)
	}
	return d, nil
}

// serveUser shows a user's connections.
func (p *Publisher) serveUser(w http.ResponseWriter, r *http.Request) {
	u := r.PathValue("user")
	info := pushdapi.UserInfo{User: u, Replay: p.Router.Held(u), Sessions: []pushdapi.ConnRow{}}
	for _, h := range p.Router.Sessions(u) {
		row, err := pushdapi.ConnRow{Conn: h.String(), User: u}, error(nil)
		if p.Sessions != nil {
			row, err = p.Sessions.Describe(h)
		}
		switch {
		case err == nil:
			info.Sessions = append(info.Sessions, row)
		case !errors.Is(err, ErrGone):
			info.Unanswered++
		}
	}
	info.Online = len(info.Sessions)+info.Unanswered > 0
	answer(w, http.StatusOK, info)
}

// serveKick closes a user's connections.
func (p *Publisher) serveKick(w http.ResponseWriter, r *http.Request) {
	var k pushdapi.Kicked
	for _, h := range p.Router.Sessions(r.PathValue("user")) {
		err := ErrGone
		if p.Sessions != nil {
			err = p.Sessions.Kick(h, push.CloseKicked)
		}
		switch {
		case err == nil:
			k.Kicked++
		case !errors.Is(err, ErrGone):
			k.Unanswered++
		}
	}
	answer(w, http.StatusOK, k)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone; nobody to tell
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, &pushdapi.Error{Code: code, Message: message})
}

func refuseDraining(w http.ResponseWriter) {
	refuse(w, http.StatusServiceUnavailable, push.DropDraining.String(), errDraining.Error())
}

func refuseBusy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	refuse(w, http.StatusTooManyRequests, "busy", "too many answers are pending; retry later or use one POST /v1/publish stream")
}

func refuseBody(w http.ResponseWriter, err error, limit int64) {
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		refuse(w, http.StatusRequestEntityTooLarge, push.DropOversize.String(),
			fmt.Sprintf("the body is larger than %d bytes; send less or raise the knob send.body_bytes_max", limit))
		return
	}
	refuse(w, http.StatusBadRequest, "bad_body", "the body could not be read: "+err.Error())
}

// refuseMessage answers a body that is no message.
func (p *Publisher) refuseMessage(w http.ResponseWriter, err error) {
	p.count.bad.Add(1)
	status, code := http.StatusBadRequest, codeOf(err)
	if code == push.DropOversize.String() {
		p.count.dropped[push.DropOversize].Add(1)
		status = http.StatusRequestEntityTooLarge
	}
	refuse(w, status, code, err.Error())
}

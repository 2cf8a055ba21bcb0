package admin

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"pushfleet/internal/pushdapi"
)

// Sink takes what a tap has: whole batches, each at once or not at all.
type Sink interface {
	Write([]byte) error
}

// Tee is what a reader asks for.
type Tee struct {
	pushdapi.TeeQuery
	ID string // names the tee
	To string // who reads
}

// Tap mirrors the traffic of a node to one reader at a time.
type Tap interface {
	// Mirror serves a tee until ctx is done, w fails, or the tap has ended
	// it, which is no error. Before the first write its error may be a
	// *pushdapi.Error with a Status.
	Mirror(ctx context.Context, t Tee, w Sink) error
	// Stop ends the tee of that id for somebody, with "" whichever reads. Its
	// error is a *pushdapi.Error if there is none or another.
	Stop(id, who string) error
	// Status has the books of the tee, or of the last one; Total those of
	// all tees since the node has started.
	Status() pushdapi.Tap
	Total() pushdapi.Tap
	// Patience is how long a reader may not read.
	Patience() time.Duration
}

func (a *API) teeRoutes() []route {
	return []route{
		{"GET", "/v1/tee", a.handle(a.tee)},
		{"DELETE", "/v1/tee", a.answer(a.stopTee)},
		{"GET", "/v1/tap", a.answer(a.tapStatus)},
	}
}

func (a *API) tap() (Tap, error) {
	if a.c.Tap == nil {
		return nil, refuse(http.StatusNotFound, "not_found", "%s has no tap; mirror another node", a.nodeName())
	}
	return a.c.Tap, nil
}

func (a *API) tapStatus(r *http.Request) (any, error) {
	tap, err := a.tap()
	if err != nil {
		return nil, err
	}
	if _, err := query(r); err != nil {
		return nil, err
	}
	return tap.Status(), nil
}

func (a *API) stopTee(r *http.Request) (any, error) {
	tap, err := a.tap()
	if err != nil {
		return nil, err
	}
	v, err := query(r, "id")
	if err != nil {
		return nil, err
	}
	id := v.Get("id")
	if id == "" && v.Has("id") { // of a script whose variable is not set
		return nil, badQuery("id is empty: give that of the tee, which GET /v1/tap tells, or leave it out to end whichever reads")
	}
	if err := tap.Stop(id, asker(r)); err != nil {
		return nil, err
	}
	a.c.Log.Info("tee stopped by request", "id", id, "from", asker(r))
	return nil, nil
}

// tee streams the node's traffic until the reader leaves or the tap ends it.
// It takes no place among the limited requests: there is one at most.
func (a *API) tee(w http.ResponseWriter, r *http.Request) error {
	tap, err := a.tap()
	if err != nil {
		return err
	}
	v, err := query(r, pushdapi.TeeParameters()...)
	if err != nil {
		return err
	}
	q, err := pushdapi.ParseTeeQuery(v)
	if err != nil {
		return badQuery("%s", err)
	}
	// Unlike other GETs it begins something that costs the node, so that no
	// web page may have a browser on this machine do it.
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return refuse(http.StatusForbidden, "cross_origin", "a page of another origin may not begin a tee; use pushctl tee")
	}
	t := Tee{q, teeID(), asker(r)}
	out := &teeSink{patient{w: w, rc: http.NewResponseController(w), patience: tap.Patience, kind: "application/octet-stream"}, t.ID}
	err = tap.Mirror(r.Context(), t, out)
	if err == nil && out.started {
		out.rc.SetWriteDeadline(time.Time{}) // the connection may be used again
	}
	return a.endStream(&out.patient, r, err)
}

// teeID names a tee. It is drawn: numbers begin anew with the process and clocks
// are set, and neither must have somebody end a tee that he has not seen. It is
// short enough to be typed.
func teeID() string {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// teeSink hands each write to the socket at once.
type teeSink struct {
	patient
	id string
}

// Write implements Sink.
func (s *teeSink) Write(b []byte) error {
	if !s.started { // a refusal names no tee
		s.w.Header().Set(pushdapi.TeeIDHeader, s.id)
	}
	_, err := s.patient.Write(b)
	if err == nil {
		err = s.rc.Flush()
		s.left = err != nil
	}
	return err
}

// askerMax bounds what is kept of a program's name, in bytes.
const askerMax = 64

// asker says who asks, for the log and for others who want the same.
func asker(r *http.Request) string {
	who := strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' {
			return -1
		}
		return c
	}, r.UserAgent())
	who = who[:min(len(who), askerMax)]
	if who == "" {
		who = "somebody"
	}
	if r.RemoteAddr == "" || r.RemoteAddr == "@" {
		return who + " by the admin socket"
	}
	return who + " from " + r.RemoteAddr
}

package admin

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"pushfleet/internal/pushdapi"
)

// Recorder is the memory of a node.
type Recorder interface {
	// State looks at the files, Summary does not.
	State(ctx context.Context) (pushdapi.RecState, error)
	Summary() pushdapi.RecState
	// Last returns fields of the last record, counters as they stand; NaN for
	// what there is not.
	Last(names []string) []float64
	Fields() []pushdapi.RecField
	// Copy writes the records of a span in the form of internal/record.
	Copy(w io.Writer, q pushdapi.RecQuery) error
	Bundles() ([]pushdapi.RecBundle, error)
	// Bundle returns fs.ErrNotExist for an id that there is not.
	Bundle(id string) (io.ReadCloser, int64, error)
}

// recRings are the values of ?ring=.
var recRings = []string{"1s", "10s", "burst"}

// recFieldsMax bounds the fields of one question.
const recFieldsMax = 512

func (a *API) recRoutes() []route {
	return []route{
		{"GET", "/v1/rec", a.handle(a.rec)},
		{"GET", "/v1/rec/state", a.answer(a.recState)},
		{"GET", "/v1/rec/fields", a.answer(a.recFields)},
		{"GET", "/v1/rec/bundles", a.answer(a.recBundles)},
		{"GET", "/v1/rec/bundles/{id}", a.handle(a.recBundle)},
	}
}

func (a *API) recorder() (Recorder, error) {
	if a.c.Recorder == nil {
		return nil, refuse(http.StatusNotFound, "not_found", "%s has no recorder; read its files with pushctl rec --file DIR", a.nodeName())
	}
	return a.c.Recorder, nil
}

func (a *API) recState(r *http.Request) (any, error) {
	rec, err := a.recorder()
	if err != nil {
		return nil, err
	}
	if _, err := query(r); err != nil {
		return nil, err
	}
	return rec.State(r.Context())
}

func (a *API) recFields(r *http.Request) (any, error) {
	rec, err := a.recorder()
	if err != nil {
		return nil, err
	}
	if _, err := query(r); err != nil {
		return nil, err
	}
	return rec.Fields(), nil
}

func (a *API) recBundles(r *http.Request) (any, error) {
	rec, err := a.recorder()
	if err != nil {
		return nil, err
	}
	if _, err := query(r); err != nil {
		return nil, err
	}
	return rec.Bundles()
}

// rec streams the records of a span. It holds a place among the limited
// requests until the last byte is taken, and gives a slow reader up.
func (a *API) rec(w http.ResponseWriter, r *http.Request) error {
	rec, err := a.recorder()
	if err != nil {
		return err
	}
	q, err := recQuery(r)
	if err != nil {
		return err
	}
	if err := a.work.enter(0); err != nil {
		return err
	}
	defer a.work.leave()
	out := &patient{w: w, rc: http.NewResponseController(w), patience: a.c.Limits.Timeout.Get, kind: "application/vnd.pushfleet.record"}
	err = rec.Copy(out, q)
	if err == nil && !out.started {
		out.start()
	}
	return a.endStream(out, r, err)
}

func (a *API) recBundle(w http.ResponseWriter, r *http.Request) error {
	rec, err := a.recorder()
	if err != nil {
		return err
	}
	if _, err := query(r); err != nil {
		return err
	}
	b, size, err := rec.Bundle(r.PathValue("id"))
	if errors.Is(err, fs.ErrNotExist) {
		return refuse(http.StatusNotFound, "not_found", "there is no bundle %q; list them with pushctl rec bundles", r.PathValue("id"))
	}
	if err != nil {
		return err
	}
	defer b.Close()
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	out := &patient{w: w, rc: http.NewResponseController(w), patience: a.c.Limits.Timeout.Get, kind: "application/gzip"}
	_, err = io.Copy(out, b)
	return a.endStream(out, r, err)
}

// endStream logs what went wrong behind the first byte: there is no status
// left to tell it with. The reader sees a stream that is cut off.
func (a *API) endStream(out *patient, r *http.Request, err error) error {
	if err == nil || !out.started {
		return err
	}
	if r.Context().Err() == nil && !out.left {
		a.c.Log.Warn("stream ended early", "path", r.URL.Path, "err", err, "to", r.RemoteAddr)
	}
	panic(http.ErrAbortHandler)
}

// patient writes an answer of any length; each write may take a while, no
// more.
type patient struct {
	w        http.ResponseWriter
	rc       *http.ResponseController
	patience func() time.Duration
	kind     string // Content-Type
	started  bool
	left     bool // the reader did not take it in time
}

// start sends the head.
func (p *patient) start() {
	p.started = true
	p.w.Header().Set("Content-Type", p.kind)
	p.w.WriteHeader(http.StatusOK)
}

// Write implements io.Writer.
func (p *patient) Write(b []byte) (int, error) {
	if !p.started {
		p.start()
	}
	if err := p.rc.SetWriteDeadline(time.Now().Add(p.patience())); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	n, err := p.w.Write(b)
	p.left = err != nil
	return n, err
}

func recQuery(r *http.Request) (pushdapi.RecQuery, error) {
	v, err := query(r, "ring", "from", "to", "fields")
	if err != nil {
		return pushdapi.RecQuery{}, err
	}
	q := pushdapi.RecQuery{Ring: v.Get("ring")}
	if q.Ring == "" {
		q.Ring = recRings[0]
	}
	if !slices.Contains(recRings, q.Ring) {
		return q, badQuery("ring=%q: choose one of %s", q.Ring, list(recRings))
	}
	for name, to := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		ms, err := strconv.ParseInt(v.Get(name), 10, 64)
		if err != nil {
			return q, badQuery("%s=%q: give milliseconds since 1970", name, v.Get(name))
		}
		*to = time.UnixMilli(ms)
	}
	if text := v.Get("fields"); text != "" {
		q.Fields = strings.Split(text, ",")
	}
	if len(q.Fields) > recFieldsMax {
		return q, badQuery("fields names %d fields; ask for at most %d, or leave it out for all", len(q.Fields), recFieldsMax)
	}
	return q, nil
}

package admin

import (
	"io"
	"net/http"
	"net/http/pprof"
	"net/url"
	"slices"
	"strconv"
)

// ProfileMax bounds how long a profile watches, in seconds.
const ProfileMax = 60

func profileKinds() []string {
	return []string{"allocs", "block", "goroutine", "heap", "mutex", "profile", "threadcreate", "trace"}
}

func (a *API) profiles(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for _, kind := range profileKinds() {
		io.WriteString(w, "/debug/pprof/"+kind+"\n")
	}
	io.WriteString(w, "?seconds=1…"+strconv.Itoa(ProfileMax)+" shows what happens meanwhile\n")
	return nil
}

// profile serves one profile in the form of go tool pprof or go tool trace.
func (a *API) profile(w http.ResponseWriter, r *http.Request) error {
	kind := r.PathValue("kind")
	if !slices.Contains(profileKinds(), kind) {
		return refuse(http.StatusNotFound, "not_found", "there is no profile %q; choose one of %s", kind, list(profileKinds()))
	}
	q, err := profileQuery(r, kind)
	if err != nil {
		return err
	}
	if q.Has("seconds") {
		// Profiles that are taken at the same time would show each other.
		if !a.profiling.TryLock() {
			return busy("a timed profile is being taken; ask again when it is done")
		}
		defer a.profiling.Unlock()
		defer a.waits.sample(kind)()
	} else {
		if err := a.work.enter(0); err != nil {
			return err
		}
		defer a.work.leave()
	}
	servePprof(w, r, kind, q)
	return nil
}

// profileQuery checks the parameters: what net/http/pprof cannot read it
// ignores, and the text of all goroutines it would print.
func profileQuery(r *http.Request, kind string) (url.Values, error) {
	q, err := query(r, "seconds", "debug", "gc")
	if err != nil {
		return nil, err
	}
	seconds, err := number(q, "seconds", ProfileMax)
	if err != nil {
		return nil, err
	}
	if seconds == 0 && (kind == "profile" || kind == "trace") {
		seconds = map[string]int{"profile": 10, "trace": 1}[kind]
	}
	clean := url.Values{}
	if seconds > 0 {
		clean.Set("seconds", strconv.Itoa(seconds))
	}
	switch debug := q.Get("debug"); debug {
	case "", "0":
	case "1":
		if seconds > 0 {
			return nil, badQuery("debug=1 shows a state and seconds a span of time; leave one out")
		}
		clean.Set("debug", "1")
	default:
		return nil, refuse(http.StatusBadRequest, "stalls",
			"debug=%s is not served: the text of all goroutines stops the process while it is made; leave debug out and read the profile with go tool pprof -traces", debug)
	}
	switch gc := q.Get("gc"); gc {
	case "", "0":
	case "1":
		clean.Set("gc", "1")
	default:
		return nil, badQuery("gc=%s: give 1 to collect garbage first, or leave it out", gc)
	}
	return clean, nil
}

// servePprof asks net/http/pprof with the parameters that were checked.
func servePprof(w http.ResponseWriter, r *http.Request, kind string, q url.Values) {
	r = r.Clone(r.Context())
	r.URL.RawQuery, r.Form, r.PostForm = q.Encode(), nil, nil
	switch kind {
	case "profile":
		pprof.Profile(w, r)
	case "trace":
		pprof.Trace(w, r)
	default:
		pprof.Handler(kind).ServeHTTP(w, r)
	}
}

package admin

import (
	"net/http"
	"slices"
	"strings"
)

// route is one method of one path.
type route struct {
	method, path string
	handler      http.Handler
}

func (a *API) routes() []route {
	return append([]route{
		{"GET", "/v1/stats", a.answer(a.stats)},
		{"GET", "/v1/top", a.answer(a.top)},
		{"GET", "/v1/conns/{id}", a.answer(a.conn)},
		{"DELETE", "/v1/conns/{id}", a.answer(a.kick)},
		{"GET", "/v1/conns/{id}/watch", a.handle(a.watch)},
		{"GET", "/v1/closed", a.answer(a.closed)},
		{"GET", "/v1/trace", a.handle(a.trace)},
		{"GET", "/v1/knobs", a.answer(a.knobs)},
		{"GET", "/v1/knobs/{name}", a.answer(a.knob)},
		{"PUT", "/v1/knobs/{name}", a.answer(a.setKnob)},
		{"GET", "/v1/version", a.handle(a.version)},
		{"GET", "/metrics", a.handle(a.metrics)},
		{"GET", "/healthz", a.handle(a.healthz)},
		{"GET", "/readyz", a.handle(a.readyz)},
		{"GET", "/debug/pprof/{$}", a.handle(a.profiles)},
		{"GET", "/debug/pprof/{kind}", a.handle(a.profile)},
	}, append(a.recRoutes(), a.teeRoutes()...)...)
}

// Register adds the routes of the admin API to mux. On their paths every other
// method is answered with 405, and paths that nobody has with 404.
func (a *API) Register(mux *http.ServeMux) {
	methods := map[string][]string{}
	for _, r := range a.routes() {
		mux.Handle(r.method+" "+r.path, r.handler)
		methods[r.path] = append(methods[r.path], r.method)
	}
	for path, allowed := range methods {
		mux.Handle(path, a.handle(onlyMethods(allowed)))
	}
	mux.Handle("/", a.handle(nowhere))
}

func nowhere(_ http.ResponseWriter, r *http.Request) error {
	return refuse(http.StatusNotFound, "not_found", "there is no %.80s here; PROTOCOL.md has the paths of the server API, clients connect elsewhere", r.URL.Path)
}

func onlyMethods(allowed []string) handler {
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	slices.Sort(allowed)
	list := strings.Join(allowed, ", ")
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Allow", list)
		return refuse(http.StatusMethodNotAllowed, "method", "%s is not possible here; use %s", r.Method, list)
	}
}

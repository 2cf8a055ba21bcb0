package admin

import (
	"bytes"
	"context"
	"net/http"

	"pushfleet/internal/prom"
	"pushfleet/internal/pushdapi"
)

// collectors write the families of /metrics, each family in one of them.
func (a *API) collectors() []func(*prom.Page, *pushdapi.Stats) {
	return []func(*prom.Page, *pushdapi.Stats){
		a.nodeMetrics, connMetrics, messageMetrics, reasonMetrics, queueMetrics, memoryMetrics,
		loopMetrics, a.histogramMetrics, a.requestMetrics, a.processMetrics, runtimeMetrics, a.recorderMetrics, a.tapMetrics, a.hostMetrics, a.keeperMetrics,
	}
}

// metrics serves /metrics, all of it from one snapshot.
func (a *API) metrics(w http.ResponseWriter, r *http.Request) error {
	p, err := a.scrape(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", prom.ContentType)
	w.Write(p)
	return nil
}

func (a *API) scrape(ctx context.Context) ([]byte, error) {
	// One more than others may use: what is too much to ask is best seen here.
	if err := a.work.enter(1); err != nil {
		return nil, err
	}
	defer a.work.leave()
	ctx, cancel := context.WithTimeout(ctx, a.c.Limits.Timeout.Get())
	defer cancel()
	s, err := a.c.Source.Stats(ctx)
	if err != nil {
		return nil, err
	}
	p := prom.New(&a.floor)
	for _, collect := range a.collectors() {
		collect(p, &s)
	}
	return p.Bytes(), nil
}

func (a *API) requestMetrics(p *prom.Page, _ *pushdapi.Stats) {
	p.Family("pushd_admin_requests_total", "counter", "Admin requests answered, by result.")
	var b bytes.Buffer
	a.requests.WritePrometheus(&b)
	p.Held(b.Bytes())
}

func runtimeMetrics(p *prom.Page, _ *pushdapi.Stats) { p.Runtime() }

// keeperMetrics are those of a member inside; a node without one has none.
func (a *API) keeperMetrics(p *prom.Page, _ *pushdapi.Stats) {
	if a.c.Keeper != nil {
		a.c.Keeper(p)
	}
}

package experiment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pushfleet/internal/pushdapi"
	"pushfleet/internal/record"
)

// row is a second of a node's recorder: what stats do not tell of a second.
// Not a number is what was not recorded.
type row struct {
	at        float64 // seconds since the experiment began, on our clock
	delivered float64 // per second, as all rates
	drops     float64
	cpu       float64 // seconds of CPU per second
	gc        float64 // of it, collector
	lock      float64 // seconds that goroutines waited for locks, per second
	p50, p99  float64 // of deliveries, seconds
	sched     float64 // p99 of waits for a processor
}

// rowFields are the recorder's names, in the order of (*row).columns.
func rowFields() []string {
	return []string{"delivered", "drops", "process.user", "process.system", "go.gc_cpu", "go.lock_wait", "wait.p50", "wait.p99", "go.sched_p99"}
}

func rowOf(v func(i int) float64) row {
	const percent = 100.0
	return row{delivered: v(0), drops: v(1), cpu: (v(2) + v(3)) / percent, gc: v(4) / percent, lock: v(5) / percent,
		p50: v(6), p99: v(7), sched: v(8)}
}

// recorderLead is how much earlier records are asked for than they are wanted:
// rates are against the record before.
const recorderLead = 2 * time.Second

// rows asks a node's recorder for what lies between two moments of the node's
// clock, the first excluded. at turns that clock into ours.
func rows(ctx context.Context, n Node, from, to time.Time, at func(ms int64) float64) ([]row, error) {
	body, err := n.Rec(ctx, pushdapi.RecQuery{Ring: "1s", From: from.Add(-recorderLead), To: to, Fields: rowFields()})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var out []row
	var f record.Figures
	var where [9]int
	var schema *record.Schema
	err = record.Read(body, func(it record.Item) error {
		if it.Record == nil {
			return nil // marks and damage: what they are about is missing
		}
		if schema != it.Schema {
			schema = it.Schema
			for i, name := range rowFields() {
				where[i] = schema.Index(name)
			}
		}
		f.Add(it.Schema, it.Record)
		if f.At > from.UnixMilli() {
			r := rowOf(func(i int) float64 { return f.Value(where[i]) })
			r.at = at(f.At)
			out = append(out, r)
		}
		if len(out) > rowsMax {
			return fmt.Errorf("more than %d records came", rowsMax)
		}
		return nil
	})
	return out, err
}

// rowsMax bounds what is taken of one question.
const rowsMax = int(ForMax / time.Second)

// recorderOff says whether a node has no recorder to ask, for good.
func recorderOff(err error) bool {
	e, ok := errors.AsType[*pushdapi.Error](err)
	return ok && e.Status >= 400 && e.Status < 500
}

package nodes

import (
	"context"
	"errors"
	"time"

	"pushfleet/internal/keeperapi"
	"pushfleet/keeper/state"
)

// reportMax bounds the nodes of one command.
const reportMax = 1000

// wake has the reports gathered soon.
func (d *Desk) wake() {
	select {
	case d.news <- struct{}{}:
	default:
	}
}

// report writes signs of life into the state until ctx ends: soon after an
// answer or a change of health, otherwise when leases grow old. A failed
// command is not repeated as such; the next one has what is true then.
func (d *Desk) report(ctx context.Context) {
	renew := time.NewTicker(d.cfg.Timing.Renew / 4)
	defer renew.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-renew.C:
		case <-d.news:
			select { // others answer at the same time
			case <-ctx.Done():
				return
			case <-time.After(d.cfg.Timing.Gather):
			}
		}
		d.reportOnce(ctx)
	}
}

func (d *Desk) reportOnce(ctx context.Context) {
	now := time.Now()
	var batch []keeperapi.NodeReport
	for _, s := range d.covered(func(string, map[string]string) bool { return true }) {
		if r := s.due(now, d.cfg.Timing); r != nil {
			batch = append(batch, *r)
		}
		if len(batch) == reportMax {
			d.commit(ctx, batch)
			batch = nil
		}
	}
	if len(batch) > 0 {
		d.commit(ctx, batch)
	}
}

func (d *Desk) commit(ctx context.Context, batch []keeperapi.NodeReport) {
	r, err := d.cfg.Propose(ctx, state.Command{Op: state.OpReport, Body: keeperapi.Report{Nodes: batch}})
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			d.cfg.Log.Debug("signs of life not written", "nodes", len(batch), "err", err)
		}
		for i := range batch {
			if s := d.session(batch[i].ID); s != nil {
				s.again()
			}
		}
		return
	}
	for _, id := range r.Unknown { // forgotten, or of another start: it must say hello again
		if s := d.session(id); s != nil {
			go s.end(&keeperapi.Bye{Reason: "the keepers do not know this node any more"}) // ends when it is told, or cannot be
		}
	}
}

func (d *Desk) session(id string) *session {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sessions[id]
}

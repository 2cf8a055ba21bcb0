package member

import (
	"pushfleet/internal/prom"
	"pushfleet/keeper/api"
)

// Metrics writes the keeper_… families, for the page of the process that this
// member is in. A keeper of its own also serves them as GET /metrics.
func (m *Member) Metrics(p *prom.Page) { m.api.Metrics(p) }

func (m *Member) figures() api.Figures {
	s := m.store.Stats()
	return api.Figures{Contact: s.LastContact, Elections: s.Elections, InFlight: s.InFlight, Applied: s.Applied,
		Appends: s.Appends, AppendsFailed: s.AppendsFailed, Entries: s.Entries, AppendTime: s.AppendTime,
		DiskWaits: s.DiskWaits, DiskFree: s.DiskFree, Proposals: m.propose}
}

package admin

import (
	"pushfleet/internal/prom"
	"pushfleet/internal/pushdapi"
)

// recorderMetrics tells what recording costs and whether it works.
func (a *API) recorderMetrics(p *prom.Page, _ *pushdapi.Stats) {
	var s pushdapi.RecState
	if a.c.Recorder != nil {
		s = a.c.Recorder.Summary()
	}
	p.Flag("pushd_recorder_on", "Whether recorder.on is on.", s.On)
	p.Flag("pushd_recorder_paused", "1 while nothing can be written; pushctl rec status says why.", s.Paused != "")
	p.Counter("pushd_recorder_records_total", "Records of one second taken.", float64(s.Records))
	p.Counter("pushd_recorder_bytes_total", "Bytes written by the recorder.", float64(s.Bytes))
	p.Counter("pushd_recorder_seconds_total", "Time spent on recording.", s.TookSeconds)
	p.Counter("pushd_recorder_bursts_total", "Times that a trigger had everything recorded each 100 ms.", float64(s.Bursts))
	p.Family("pushd_recorder_disk_bytes", "gauge", "Disk that the records take, by resolution.")
	sizes := map[string]float64{}
	for _, r := range s.Rings {
		sizes[r.Ring] = float64(r.Bytes)
	}
	for _, ring := range recRings {
		p.Sample(prom.Series("pushd_recorder_disk_bytes", "ring", ring), sizes[ring])
	}
}

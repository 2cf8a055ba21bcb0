package stats

import (
	"pushfleet/internal/decay"
	"pushfleet/internal/pushdapi"
)

// Estimate puts an estimate in the form of the API.
func Estimate(e decay.Estimate) pushdapi.Estimate {
	return pushdapi.Estimate{State: e.State.String(), Seconds: e.Seconds, Low: e.Low, High: e.High,
		Growth: e.Growth, CapSeconds: e.CapSeconds}
}

func fromAPI(e pushdapi.Estimate) decay.Estimate {
	d := decay.Estimate{Seconds: e.Seconds, Low: e.Low, High: e.High, Growth: e.Growth, CapSeconds: e.CapSeconds}
	for d.State < decay.Unsure && d.State.String() != e.State {
		d.State++
	}
	return d
}

// Windows puts three numbers in the form of the API.
func Windows(v [3]float64) pushdapi.Windows {
	return pushdapi.Windows{S1: v[0], S10: v[1], S100: v[2]}
}

// Rates puts a snapshot in the form of the API.
func Rates(s *decay.Snapshot) pushdapi.ConnRate {
	return pushdapi.ConnRate{In: Windows(s.In), Out: Windows(s.Out), Bytes: Windows(s.Bytes),
		Level: Windows(s.Level), Peak: Windows(s.Peak)}
}

// windowNames are the keys of WaitBy and DrainBy.
var windowNames = [3]string{"1s", "10s", "100s"}

// EstimatesBy returns wait and drain by window for queued messages under limit
// (0: none).
func EstimatesBy(s *decay.Snapshot, queued, limit float64) (wait, drain map[string]pushdapi.Estimate) {
	wait, drain = map[string]pushdapi.Estimate{}, map[string]pushdapi.Estimate{}
	for i, name := range windowNames {
		wait[name] = Estimate(s.Wait(i, queued))
		drain[name] = Estimate(s.Drain(i, queued, limit))
	}
	return wait, drain
}

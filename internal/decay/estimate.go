package decay

import "math"

// State says what an estimate knows.
type State uint8

// The states of an estimate.
const (
	None    State = iota // nothing is queued
	Known                // Seconds, with Low..High as its 95 % interval
	Growing              // never drains at this rate: Growth, CapSeconds
	Unsure               // the evidence does not decide
)

var stateNames = [...]string{"none", "known", "growing", "unsure"}

// String returns the word used in the API.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unsure"
}

// Estimate is a time in seconds with its uncertainty.
type Estimate struct {
	State              State
	Seconds, Low, High float64 // Known; Low alone also when a wait is Unsure
	Growth             float64 // messages per second, Growing
	CapSeconds         float64 // until the limit is reached, Growing; 0 at the limit or without one
}

// z is the two-sided 95 % point of the normal distribution.
const z = 1.96

// Wait estimates how long the newest of q queued messages will wait when mu
// messages leave per second: q/mu. tau in seconds is what the rate was observed
// over (Snapshot.Tau): an exponentially decayed Poisson rate has the variance
// mu/(2·tau), hence the interval. When mu does not stand out from 0 the state
// is Unsure and Low is the shortest wait that agrees with the few departures.
func Wait(q, mu, tau float64) Estimate {
	if q <= 0 {
		return Estimate{}
	}
	half := z * math.Sqrt(mu/(2*tau))
	if mu-half <= 0 {
		return Estimate{State: Unsure, Low: q / scoreUpper(mu, tau)}
	}
	return Estimate{State: Known, Seconds: q / mu, Low: q / (mu + half), High: q / (mu - half)}
}

// scoreUpper is the upper end of the 95 % score interval of a Poisson rate,
// which stays above 0 when nothing was counted.
func scoreUpper(mu, tau float64) float64 {
	n := mu * 2 * tau
	return (n + z*z/2 + z*math.Sqrt(n+z*z/4)) / (2 * tau)
}

// Drain estimates when q queued messages will be gone while lambda arrive and
// mu leave per second: q/(mu−lambda). The difference of two decayed Poisson
// rates has the variance (mu+lambda)/(2·tau); when its 95 % interval spans 0
// nothing is said. When more arrive than leave, CapSeconds is the time until
// limit (0: none) is reached.
func Drain(q, lambda, mu, tau, limit float64) Estimate {
	if q <= 0 {
		return Estimate{}
	}
	net, half := mu-lambda, z*math.Sqrt((mu+lambda)/(2*tau))
	switch {
	case net-half > 0:
		return Estimate{State: Known, Seconds: q / net, Low: q / (net + half), High: q / (net - half)}
	case net+half < 0:
		e := Estimate{State: Growing, Growth: -net}
		if limit > q {
			e.CapSeconds = (limit - q) / -net
		}
		return e
	}
	return Estimate{State: Unsure}
}

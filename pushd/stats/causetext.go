package stats

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"pushfleet/internal/pushdapi"
)

func clientSentence(in *CauseInput, s *socket) string {
	var b strings.Builder
	if s.rwnd >= mostOfTheTime {
		fmt.Fprintf(&b, "The client does not read fast enough: its receive window was closed for %s of %s%s.",
			percent(s.rwnd), s.span, clears(in, s))
	} else {
		fmt.Fprintf(&b, "The client has stopped reading: its receive window is closed and this node probes it%s.", clears(in, s))
	}
	if in.burst() {
		now, usual := in.nowAndUsual()
		fmt.Fprintf(&b, " Publishing to it also rose, from %s to %s.", rate(usual), rate(now))
	}
	return b.String()
}

// clears names who is not to blame.
func clears(in *CauseInput, s *socket) string {
	text := ""
	if s.retransmit < lossHigh/2 {
		text = ", the network lost almost nothing"
	}
	if in.LoopTurn < loopLate {
		return text + ", and this node was never late"
	}
	return text + ". This node was late as well"
}

func networkSentence(in *CauseInput, s *socket) string {
	if s.retransmit >= lossHigh && s.tcp.Retransmits >= lossLeast {
		return fmt.Sprintf("The network loses data: %s of the segments of %s were sent again, at a round trip of %s.",
			percent(s.retransmit), s.span, duration(s.tcp.RTTSeconds))
	}
	return fmt.Sprintf("The network carries less than is sent: %s waits in the kernel although the client's window is open (round trip %s).",
		size(float64(s.tcp.UnsentBytes)), duration(s.tcp.RTTSeconds))
}

func publisherSentence(in *CauseInput, s *socket) string {
	now, usual := in.nowAndUsual()
	text := fmt.Sprintf("The publisher bursts: %s now against %s over 100 s, more than the connection takes (%s).",
		rate(now), rate(usual), rate(in.Rates.Out.S10))
	if s.known {
		text += " Neither client nor network held it up."
	}
	return text
}

func healthySentence(in *CauseInput) string {
	text := "Nothing waits."
	switch {
	case in.Queued > 0:
		text = fmt.Sprintf("%s and leave within %s.", messages(in.Queued), duration(max(in.Wait.Seconds, 0.001)))
	case in.Rates.Level.S10 >= 1:
		text = fmt.Sprintf("Nothing waits now; over the last 10 s it was %.0f messages on average.", in.Rates.Level.S10)
	}
	if in.Drops > 0 {
		text += fmt.Sprintf(" It has lost %d messages since it opened.", in.Drops)
	}
	return text
}

func unsureSentence(in *CauseInput, s *socket) string {
	if !s.known {
		return "Messages wait, but the socket could not be asked, so client and network cannot be told apart."
	}
	if in.Drain.State == "known" {
		return fmt.Sprintf("Messages wait and drain in about %s; neither client, network, node nor publisher stands out.", duration(in.Drain.Seconds))
	}
	return "Messages wait, but neither client, network, node nor publisher stands out."
}

// evidence lists the figures behind the sentence.
func evidence(in *CauseInput, s *socket) []string {
	e := []string{
		fmt.Sprintf("in %s, %s, %s and out %s, %s, %s over 1, 10, 100 s",
			rate(in.Rates.In.S1), rate(in.Rates.In.S10), rate(in.Rates.In.S100),
			rate(in.Rates.Out.S1), rate(in.Rates.Out.S10), rate(in.Rates.Out.S100)),
		queueEvidence(in),
	}
	if s.known {
		e = append(e, fmt.Sprintf("of %s: sending %s, window closed %s, send buffer full %s, sent again %s",
			s.span, percent(s.busy), percent(s.rwnd), percent(s.sndbuf), percent(s.retransmit)))
	}
	if in.TCP != nil {
		e = append(e, fmt.Sprintf("socket: round trip %s, unsent %s, last heard %s ago, probes unanswered %d",
			duration(s.tcp.RTTSeconds), size(float64(s.tcp.UnsentBytes)), duration(s.tcp.LastAckAgo), s.tcp.Probes))
	} else {
		e = append(e, "the socket could not be asked")
	}
	return append(e, "loop turn p99 "+duration(in.LoopTurn))
}

func queueEvidence(in *CauseInput) string {
	text := messages(in.Queued)
	if in.QueueLimit > 0 {
		text += fmt.Sprintf(" of at most %d", in.QueueLimit)
	}
	if in.Queued > 0 {
		text += ", oldest " + duration(in.OldestSeconds) + ", wait " + estimate(in.Wait) + ", drain " + estimate(in.Drain)
	}
	if in.Drops > 0 {
		text += fmt.Sprintf(", %d dropped since it opened", in.Drops)
	}
	return text
}

func estimate(e pushdapi.Estimate) string {
	switch e.State {
	case "known":
		return duration(e.Seconds)
	case "growing":
		return "never, grows " + rate(e.Growth)
	case "none":
		return "–"
	}
	return "unsure"
}

func messages(n int64) string {
	if n == 1 {
		return "1 message queued"
	}
	return fmt.Sprintf("%d messages queued", n)
}

// rate prints messages per second with three digits.
func rate(v float64) string { return digits(v) + "/s" }

func percent(share float64) string { return digits(100*share) + " %" }

// digits prints a number that is not negative with about three digits.
func digits(v float64) string {
	switch {
	case v < 0.005: // a rate that has faded, not a figure
		return "0"
	case v >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 0.095:
		return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
	}
	return strconv.FormatFloat(v, 'g', 1, 64)
}

// duration prints seconds with two or three digits, as in 212 ms, 1.2s, 2h11m.
func duration(seconds float64) string {
	text := plainDuration(seconds)
	for _, unit := range []string{"ms", "µs"} {
		if n, ok := strings.CutSuffix(text, unit); ok {
			return n + " " + unit
		}
	}
	return text
}

func plainDuration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d <= 0:
		return "0s"
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < 100*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return strings.TrimSuffix(d.Round(time.Second).String(), "0s")
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

func size(bytes float64) string {
	for _, u := range []struct {
		name string
		of   float64
	}{{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}} {
		if bytes >= u.of {
			return digits(bytes/u.of) + " " + u.name
		}
	}
	return digits(bytes) + " B"
}

package stats

import (
	"fmt"

	"pushfleet/internal/pushdapi"
)

// CauseInput is what is known of a connection when asking who makes it slow.
type CauseInput struct {
	Conn          string // handle, for the hints
	User          string // for the hints, may be empty
	Rates         pushdapi.ConnRate
	Queued        int64
	QueueLimit    int64 // 0: none
	OldestSeconds float64
	AgeSeconds    float64
	Drops         uint64
	Wait, Drain   pushdapi.Estimate  // window of 10 s
	TCP           *pushdapi.TCP      // nil: the socket could not be asked
	Recent        *pushdapi.TCPShare // nil: not looked at before
	LoopTurn      float64            // p99 in seconds of the owning loop's turns
}

// CauseInputOf takes the input from a connection as the API describes it.
func CauseInputOf(c *pushdapi.Conn) CauseInput {
	return CauseInput{Conn: c.Conn, User: c.User, Rates: c.Rates, Queued: c.Queued, QueueLimit: c.QueueLimit,
		OldestSeconds: c.OldestSeconds, AgeSeconds: c.AgeSeconds, Drops: c.Drops, Wait: c.Wait, Drain: c.Drain,
		TCP: c.TCP, Recent: c.TCPRecent, LoopTurn: c.LoopTurn}
}

// Kinds of cause.
const (
	kindHealthy   = "healthy"
	kindClient    = "client"
	kindNetwork   = "network"
	kindPublisher = "publisher"
	kindNode      = "node"
	kindUnsure    = "unsure"
)

// From where on a figure counts as the reason. A share is of the time looked at.
const (
	mostOfTheTime = 0.5   // the sender waited for this one thing
	lossHigh      = 0.02  // of segments sent again; TCP's rate falls visibly from about 1 %
	lossLeast     = 10    // segments sent again since it opened; fewer make no rate
	loopLate      = 0.050 // seconds; a healthy loop's p99 is about a millisecond
	waitShort     = 0.1   // seconds; below it nobody is slow
	silentLong    = 5.0   // seconds without any answer while something is on its way
	burstFactor   = 2.0   // short window against the one of 100 s
	burstLeast    = 1.0   // messages per second; below it a factor says nothing
)

// Cause names who makes a connection slow, with what speaks for it and what to
// do next. A full receive window weighs most: nobody but the client closes it.
// Then comes what the network did, then this node, then the publisher, whose
// burst matters only if nothing else holds messages up.
func Cause(in CauseInput) pushdapi.Cause {
	s := readSocket(&in)
	c := pushdapi.Cause{Evidence: evidence(&in, &s)}
	switch {
	case s.clientClosed():
		c.Kind, c.Sentence = kindClient, clientSentence(&in, &s)
	case !in.idle() && s.networkSilent():
		c.Kind = kindNetwork
		c.Sentence = fmt.Sprintf("The client's host has not answered for %s while data is on its way: it is asleep, gone or cut off.",
			duration(s.tcp.LastAckAgo))
	case !in.idle() && s.networkSlow():
		c.Kind, c.Sentence = kindNetwork, networkSentence(&in, &s)
	case in.LoopTurn >= loopLate:
		c.Kind = kindNode
		c.Sentence = fmt.Sprintf("This node is late: the loop that owns the connection takes %s per turn at p99.", duration(in.LoopTurn))
	case in.idle():
		c.Kind, c.Sentence = kindHealthy, healthySentence(&in)
	case s.bufferSmall():
		c.Kind = kindNode
		c.Sentence = fmt.Sprintf("The send buffer of this node's socket is the limit (%s of %s); it is too small for a round trip of %s.",
			percent(s.sndbuf), s.span, duration(s.tcp.RTTSeconds))
	case in.stalledHere(&s):
		c.Kind = kindNode
		c.Sentence = fmt.Sprintf("This node does not hand messages to the socket: the oldest has waited %s while the socket was empty.",
			duration(in.OldestSeconds))
	case in.burst() && (s.known || in.keepsUp()):
		c.Kind, c.Sentence = kindPublisher, publisherSentence(&in, &s)
	default:
		c.Kind, c.Sentence = kindUnsure, unsureSentence(&in, &s)
	}
	c.Try = hints(c.Kind, &in)
	return c
}

// idle tells that nothing waits long enough to speak of.
func (in *CauseInput) idle() bool {
	if in.Queued <= 0 {
		return true
	}
	return in.Wait.State == "known" && in.Wait.Seconds < waitShort &&
		in.OldestSeconds < waitShort && in.Drain.State != "growing"
}

// burst tells that far more is published to it than usual.
func (in *CauseInput) burst() bool {
	now, usual := in.nowAndUsual()
	return now >= burstLeast && now >= burstFactor*usual
}

// nowAndUsual are the higher of the short windows and the long one.
func (in *CauseInput) nowAndUsual() (now, usual float64) {
	return max(in.Rates.In.S1, in.Rates.In.S10), in.Rates.In.S100
}

// keepsUp tells that the connection takes as much as it always did.
func (in *CauseInput) keepsUp() bool {
	return in.Rates.Out.S10 >= 0.8*in.Rates.Out.S100 && in.Rates.Out.S10 > 0
}

// stalledHere tells that messages wait here and nothing waits in the kernel.
func (in *CauseInput) stalledHere(s *socket) bool {
	return s.known && in.OldestSeconds >= waitShort && s.busy < 0.1 &&
		s.tcp.UnsentBytes == 0 && s.tcp.SendBufferBytes == 0
}

// hints are the next commands for a kind.
func hints(kind string, in *CauseInput) []pushdapi.Hint {
	kick := pushdapi.Hint{What: "let it go", Command: "pushctl kick " + in.Conn}
	switch kind {
	case kindClient:
		return []pushdapi.Hint{{What: "send it less", Command: "pushctl knob set queue.normal.policy coalesce --for 1h"}, kick}
	case kindNetwork:
		return []pushdapi.Hint{{What: "see whether others suffer", Command: "pushctl top --by rtt"}, kick}
	case kindPublisher:
		h := []pushdapi.Hint{{What: "take the burst", Command: fmt.Sprintf("pushctl knob set queue.messages_max %d --for 1h", roomFor(in))}}
		if in.User != "" {
			h = append(h, pushdapi.Hint{What: "see what is sent", Command: "pushctl trace " + pushdapi.Quote(in.User)})
		}
		return h
	case kindNode:
		return []pushdapi.Hint{
			{What: "see the loops", Command: "pushctl stats -o wide"},
			{What: "shorten its turns", Command: "pushctl knob set broadcast.slice 16 --for 1h"},
		}
	case kindUnsure:
		return []pushdapi.Hint{{What: "look again in 10 s", Command: "pushctl conn " + in.Conn}}
	}
	return nil
}

// roomFor is twice the queue's limit, or what is queued, within the knob's range.
func roomFor(in *CauseInput) int64 {
	room := int64(1024)
	for room < 2*max(in.QueueLimit, in.Queued) && room < 65_536 {
		room *= 2
	}
	return room
}

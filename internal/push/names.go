package push

import (
	"fmt"
	"strings"
)

// Proto is the way a client is connected.
type Proto uint8

// The transports, in the order they are reported.
const (
	ProtoNone   Proto = iota // handshake not finished
	ProtoWS                  // WebSocket, RFC 6455
	ProtoSSE                 // server-sent events
	ProtoStream              // newline-delimited JSON over a chunked response
	ProtoPoll                // long poll
	ProtoCount
)

var protoNames = [ProtoCount]string{"none", "ws", "sse", "stream", "poll"}

func (p Proto) String() string { return name(protoNames[:], int(p)) }

// ParseProto reads a transport's name.
func ParseProto(s string) (Proto, error) { return parse[Proto](protoNames[:], "protocol", s) }

// Class says what may happen to a message when a queue is full. Each class has
// a policy knob.
type Class uint8

// The message classes.
const (
	ClassNormal   Class = iota
	ClassVolatile       // of no value when late: position, typing, price
	ClassStored         // must not be lost silently
	ClassCount
)

var classNames = [ClassCount]string{"normal", "volatile", "stored"}

func (c Class) String() string { return name(classNames[:], int(c)) }

// ParseClass reads a class name; the empty string is ClassNormal.
func ParseClass(s string) (Class, error) {
	if s == "" {
		return ClassNormal, nil
	}
	return parse[Class](classNames[:], "class", s)
}

// Policy is what a full queue does with one more message.
type Policy uint8

// The policies. A message whose head is partly written is never dropped.
const (
	PolicyDropOldest Policy = iota
	PolicyDropNewest
	PolicyCoalesce // replace the queued message with the same key, else drop the oldest
	PolicyDisconnect
	PolicyCount
)

// PolicyNames are the values of the policy knobs, indexed by Policy.
var PolicyNames = []string{"drop-oldest", "drop-newest", "coalesce", "disconnect"}

func (p Policy) String() string { return name(PolicyNames, int(p)) }

// DropReason says why a message did not reach a connection. The same word
// stands in the log, the metric label and the API.
type DropReason uint8

// The drop reasons. DropNone means delivered to the queue or the socket.
const (
	DropNone       DropReason = iota
	DropOverflow              // the connection's queue was full
	DropCoalesced             // replaced by a newer message with the same key
	DropTTL                   // its time to live ended in the queue
	DropMemory                // the node's message memory was used up
	DropInboxFull             // the owning loop's inbox was full
	DropDuplicate             // same id to the same user within the dedup window
	DropClosed                // the connection closed with the message in its queue
	DropDisconnect            // it filled the queue and the policy is disconnect
	DropOversize              // larger than message.bytes_max
	DropDraining              // the node is stopping
	DropGone                  // the connection ended between routing and delivery
	DropReasonCount
)

var dropNames = [DropReasonCount]string{"none", "overflow", "coalesced", "ttl", "memory",
	"inbox_full", "duplicate", "closed", "disconnect", "oversize", "draining", "gone"}

func (d DropReason) String() string { return name(dropNames[:], int(d)) }

// ParseDropReason reads a drop reason's name.
func ParseDropReason(s string) (DropReason, error) {
	return parse[DropReason](dropNames[:], "drop reason", s)
}

// CloseReason says why a connection ended. The same word stands in the log,
// the metric label, the API and the text of a close frame.
type CloseReason uint8

// The close reasons.
const (
	CloseNone              CloseReason = iota
	CloseClient                        // the client said goodbye
	CloseGone                          // end of file or reset without goodbye
	CloseSlow                          // queue full and the policy is disconnect, or waited longer than slow.wait_max
	CloseHeartbeat                     // nothing heard for heartbeat.PROTO.timeout
	CloseHandshakeTimeout              // handshake not finished in time
	CloseHandshakePressure             // too many unfinished handshakes; the oldest gave way
	CloseBadRequest                    // not a request that the gateway understands
	CloseAuth                          // identity missing or refused
	CloseExpired                       // the token's exp has passed
	CloseProtocol                      // WebSocket protocol violated
	CloseUTF8                          // text that is not UTF-8
	CloseOversize                      // client message larger than read.message_bytes_max
	CloseReadRate                      // client sent faster than read.rate_max
	CloseControl                       // control answers unread beyond queue.control_bytes_max
	CloseKicked                        // by an operator or the server API
	CloseDrain                         // the node is stopping
	CloseMaxConns                      // conns.max reached
	CloseMemory                        // the node's memory budget is used up
	CloseProxy                         // PROXY header bad or from an untrusted address
	ClosePollDone                      // a long poll answered and its client left
	CloseError                         // socket error; see the log at debug
	CloseShadow                        // the node is a shadow, and this is no client of a tee
	CloseSessions                      // the user has user.sessions_max connections already
	CloseReasonCount
)

var closeNames = [CloseReasonCount]string{"none", "client", "gone", "slow", "heartbeat",
	"handshake_timeout", "handshake_pressure", "bad_request", "auth", "expired", "protocol", "utf8",
	"oversize", "read_rate", "control", "kicked", "drain", "max_conns", "memory", "proxy", "poll_done", "error", "shadow", "sessions"}

func (c CloseReason) String() string { return name(closeNames[:], int(c)) }

// ParseCloseReason reads a close reason's name.
func ParseCloseReason(s string) (CloseReason, error) {
	return parse[CloseReason](closeNames[:], "close reason", s)
}

// CloseReasonNames lists the reasons that can occur, for help texts.
func CloseReasonNames() []string { return append([]string(nil), closeNames[1:]...) }

// closeCodes are RFC 6455 status codes. 4000-4099 tell the client not to come
// back by itself, 4100-4199 to back off first, 4200-4299 to come back at once.
var closeCodes = [CloseReasonCount]uint16{
	CloseNone: 1000, CloseClient: 1000, CloseGone: 1001, ClosePollDone: 1000,
	CloseProtocol: 1002, CloseUTF8: 1007, CloseOversize: 1009, CloseError: 1011, CloseDrain: 1012,
	CloseAuth: 4000, CloseKicked: 4001, CloseBadRequest: 4002, CloseProxy: 4003, CloseShadow: 4004,
	CloseSlow: 4100, CloseReadRate: 4101, CloseControl: 4102, CloseMemory: 4103, CloseMaxConns: 4104,
	CloseHandshakeTimeout: 4105, CloseHandshakePressure: 4106, CloseSessions: 4107,
	CloseHeartbeat: 4200, CloseExpired: 4201,
}

// Code returns the WebSocket close code sent for the reason.
func (c CloseReason) Code() uint16 {
	if int(c) >= len(closeCodes) {
		return 1011
	}
	return closeCodes[c]
}

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("unknown(%d)", i)
}

func parse[T ~uint8](names []string, what, s string) (T, error) {
	for i, n := range names {
		if n == s {
			return T(i), nil
		}
	}
	return 0, fmt.Errorf("%s %q is not one of %s", what, s, strings.Join(names, ", "))
}

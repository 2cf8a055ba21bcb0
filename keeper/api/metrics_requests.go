package api

import (
	"sync/atomic"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/prom"
)

const (
	resultOK    = "ok"
	resultOther = "other" // a code that nobody declared
)

// requestResults are the values of the label result: ok, and the codes of
// errors.
func requestResults() []string {
	out := []string{resultOK}
	for _, c := range []keeperapi.Code{
		keeperapi.CodeVersion, keeperapi.CodeMalformed, keeperapi.CodeTooLong, keeperapi.CodeTooMany,
		keeperapi.CodeUnknownKnob, keeperapi.CodeSyntax, keeperapi.CodeRange, keeperapi.CodeScope,
		keeperapi.CodeUnknownNode, keeperapi.CodeSchema, keeperapi.CodeRevision, keeperapi.CodeFrozen,
		keeperapi.CodeReason, keeperapi.CodeRollout, keeperapi.CodeSoaking, keeperapi.CodeHistory,
		keeperapi.CodeReused, keeperapi.CodeExists, keeperapi.CodeUnknownName, keeperapi.CodePreflight,
		keeperapi.CodeGuard, keeperapi.CodeNotLeader, keeperapi.CodeNoLeader, keeperapi.CodeUnknownState,
		keeperapi.CodeBusy, keeperapi.CodeToken, keeperapi.CodeRole, keeperapi.CodeCrossOrigin, keeperapi.CodeNotFound,
		keeperapi.CodeMethod, keeperapi.CodeTimeout, keeperapi.CodeFailed,
	} {
		out = append(out, string(c))
	}
	return append(out, resultOther)
}

// requests counts answers by result. The map does not change once it is made.
type requests map[string]*atomic.Uint64

func newRequests() requests {
	r := requests{}
	for _, word := range requestResults() {
		r[word] = new(atomic.Uint64)
	}
	return r
}

func (r requests) count(word string) {
	n := r[word]
	if n == nil {
		n = r[resultOther]
	}
	n.Add(1)
}

func (s *Server) requestMetrics(p *prom.Page) {
	counts := map[string]uint64{}
	for word, n := range s.requests {
		counts[word] = n.Load()
	}
	p.Counters("keeper_requests_total", "Requests answered, by result; a stream counts when it ends.", "result", requestResults(), counts)
}

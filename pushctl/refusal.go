package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"pushfleet/internal/keeperapi"
	"pushfleet/internal/knob"
	"pushfleet/pushctl/table"
)

// unreachable says that no keeper answered.
type unreachable struct {
	addrs []string
	here  bool // the default places were tried
	error
}

func (e *unreachable) Error() string {
	if e.here {
		return "no keeper is running here: nobody listens at " + list(e.addrs, "or")
	}
	why := keeperCause(e.error)
	for _, a := range e.addrs { // the client has put one in front already
		why = strings.TrimPrefix(why, a+": ")
	}
	return "no keeper answers at " + list(e.addrs, "or") + ": " + why
}

// Unwrap gives the error of the last attempt.
func (e *unreachable) Unwrap() error { return e.error }

// list joins words: a, b or c.
func list(words []string, last string) string {
	n := len(words)
	if n < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:n-1], ", ") + " " + last + " " + words[n-1]
}

// keeperCause is cause in a keeper's words.
func keeperCause(err error) string {
	return strings.NewReplacer("no node", "no keeper", "the node", "the keeper").Replace(cause(err))
}

// explain says what to do about what keepers refuse, and about their silence.
func (f *fleet) explain(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	if _, told := errors.AsType[*hinted](err); told {
		return err
	}
	if e, ok := errors.AsType[*keeperapi.Error](err); ok {
		return f.refused(ctx, err, e)
	}
	if !isSilence(err) {
		return err
	}
	u := &unreachable{addrs: f.Addresses(), error: err}
	return &hinted{u, unreachableHint(err)}
}

// isSilence tells errors of the way to the keepers from our own.
func isSilence(err error) bool {
	switch {
	case err == nil, isUsage(err):
		return false
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return true
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return false
	}
	return isNet(err) || isTLS(err)
}

// isTransient tells refusals that a little later may be none.
func isTransient(err error) bool {
	e, ok := errors.AsType[*keeperapi.Error](err)
	if !ok {
		return false
	}
	switch e.Code {
	case keeperapi.CodeNoLeader, keeperapi.CodeNotLeader, keeperapi.CodeBusy, keeperapi.CodeTimeout:
		return true
	}
	return false
}

func isUsage(err error) bool {
	_, ok := errors.AsType[usageError](err)
	return ok
}

// unreachableHint says what to try when no keeper answers.
func unreachableHint(err error) string {
	const (
		elsewhere = "  point elsewhere   pushctl --keeper ADDR,… …     a socket path, host:port or URL\n"
		local     = "  without keepers   pushctl knob get|set … --local   at one node, past the keepers"
	)
	switch {
	case isUnknownSigner(err):
		return "  trust its signer  pushctl --keeper-ca FILE …     the CA of the keepers' certificates"
	case strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return "  it has no TLS     pushctl --keeper http://HOST:PORT …     anybody on the way reads the token"
	case errors.Is(err, fs.ErrPermission):
		return "  as its owner      sudo pushctl …\n" + elsewhere + local
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return "  wait longer       pushctl --timeout 30s …\n" + elsewhere + local
	}
	return "  start one         systemctl start keeper     pushd without --keeper has one inside\n" + elsewhere + local
}

func isUnknownSigner(err error) bool {
	_, ok := errors.AsType[x509.UnknownAuthorityError](err)
	return ok
}

// refused adds the next step to a keeper's refusal.
func (f *fleet) refused(ctx context.Context, err error, e *keeperapi.Error) error {
	hint := refusalHint(e, f.need)
	switch e.Code {
	case keeperapi.CodeUnknownKnob:
		err = f.didYouMean(ctx, err, e)
	case keeperapi.CodeRevision:
		hint = f.whoChanged(ctx, e.Knob) + hint
	case keeperapi.CodePreflight:
		hint = refusals(e) + hint
	}
	if hint = unsaid(hint, e.Message); hint == "" {
		return err
	}
	return &hinted{err, hint}
}

// unsaid leaves the lines out whose command the message gives already.
func unsaid(hint, message string) string {
	var lines []string
	for l := range strings.SplitSeq(strings.TrimRight(hint, "\n"), "\n") {
		_, command, found := strings.Cut(l, "pushctl ")
		if !found || !strings.Contains(message, "pushctl "+strings.TrimSpace(command)) {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines, "\n")
}

// refusalHint is the next step that follows from the code alone.
func refusalHint(e *keeperapi.Error, need keeperapi.Role) string {
	name := e.Knob
	if name == "" {
		name = "NAME"
	}
	switch e.Code {
	case keeperapi.CodeToken:
		return "  give a token      pushctl --token-file FILE …   or   PUSHCTL_TOKEN=…\n" +
			"  get one           an admin: pushctl keeper tokens add NAME --role " + string(need) + "\n" +
			"  without one       on the keeper's machine: sudo pushctl …"
	case keeperapi.CodeRole:
		return "  get one           an admin: pushctl keeper tokens add NAME --role " + string(need) + "\n" +
			"  without one       on the keeper's machine: sudo pushctl …"
	case keeperapi.CodeUnknownKnob:
		return "  all names         pushctl knob list"
	case keeperapi.CodeSyntax, keeperapi.CodeRange:
		if e.Knob == "" { // of a limit, not of a knob
			return ""
		}
		return "  what it takes     pushctl knob get " + name
	case keeperapi.CodeRevision:
		return "  all changes       pushctl knob history " + name
	case keeperapi.CodePreflight:
		return "  nothing was changed; choose another value, or leave those nodes out with --on SCOPE"
	case keeperapi.CodeFrozen:
		return "  who and why       pushctl knob freezes\n  let go            pushctl knob thaw NAME     as freezes lists it, '*' for all"
	case keeperapi.CodeNoLeader, keeperapi.CodeNotLeader:
		return "  who is missing    pushctl keeper status\n" +
			"  read anyway       pushctl --stale knob list\n" +
			"  turn it anyway    pushctl knob set … --local   at one node, past the keepers"
	case keeperapi.CodeSoaking:
		return "  do not wait       pushctl knob rollout advance ID --force"
	case keeperapi.CodeReason:
		return "  give a reason     --why TEXT"
	case keeperapi.CodeUnknownNode:
		return "  all nodes         pushctl nodes"
	}
	return ""
}

// refusals lists the nodes that would not take a change, the first 10, unless
// the message names the only one.
func refusals(e *keeperapi.Error) string {
	const most = 10
	rs := e.Refused
	if len(rs) == 1 && strings.Contains(e.Message, rs[0].Reason) {
		return ""
	}
	var b strings.Builder
	for _, r := range rs[:min(most, len(rs))] {
		fmt.Fprintf(&b, "  %-16s  %s\n", table.Safe(r.Node), table.Safe(r.Reason))
	}
	if n := len(rs) - most; n > 0 {
		fmt.Fprintf(&b, "  and %s more\n", table.Plural(int64(n), "node"))
	}
	return b.String()
}

// didYouMean adds the name that was probably meant.
func (f *fleet) didYouMean(ctx context.Context, err error, e *keeperapi.Error) error {
	if e.Knob == "" || strings.Contains(e.Message, "did you mean") {
		return err
	}
	ks, lerr := f.Knobs(ctx, keeperapi.Read{Stale: true})
	if lerr != nil { // the refusal is what counts
		return err
	}
	if best := knob.Closest(e.Knob, knobNames(ks)); best != "" {
		return fmt.Errorf("%w: did you mean %s?", err, best)
	}
	return err
}

// noSuch says that a name is not known, and which was probably meant.
func noSuch(kind, name string, known []string) error {
	if best := knob.Closest(name, known); best != "" {
		return fmt.Errorf("no %s is called %q: did you mean %s?", kind, name, best)
	}
	return fmt.Errorf("no %s is called %q", kind, name)
}

func knobNames(ks []keeperapi.KnobInfo) []string {
	names := make([]string, len(ks))
	for i := range ks {
		names[i] = ks[i].Name
	}
	return names
}

// whoChanged says who turned the knob last, for a compare-and-set that came
// too late.
func (f *fleet) whoChanged(ctx context.Context, name string) string {
	if name == "" {
		return ""
	}
	h, err := f.History(ctx, name, keeperapi.Read{Stale: true})
	if err != nil || len(h.Changes) == 0 {
		return ""
	}
	last := &h.Changes[len(h.Changes)-1]
	return "  " + table.ChangeLine(last, f.now()) + "\n"
}

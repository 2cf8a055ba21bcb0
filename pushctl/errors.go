package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
)

// Exit codes.
const (
	exitFine    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitPartial = 3
)

// usageError is a command line that cannot be obeyed.
type usageError struct{ error }

// Unwrap gives the error itself.
func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// silentError names the nodes that did not answer.
type silentError struct {
	asked  int
	silent []silentNode
	here   bool   // the default places were tried
	said   string // what those that answered said, when it was no answer
}

type silentNode struct {
	addr string
	err  error
}

func (e *silentError) Error() string {
	if e.asked == 1 {
		return e.silent[0].String()
	}
	if e.here {
		var places []string
		for _, s := range e.silent {
			places = append(places, s.addr)
		}
		return "no node is running here: nobody listens at " + strings.Join(places, " or ")
	}
	var b strings.Builder
	if e.said != "" {
		fmt.Fprintln(&b, e.said)
	}
	fmt.Fprintf(&b, "%d of %d nodes answered", e.asked-len(e.silent), e.asked)
	for _, s := range e.silent {
		fmt.Fprintf(&b, "\n  silent  %s", s)
	}
	return b.String()
}

func (s silentNode) String() string { return s.addr + ": " + cause(s.err) }

// Unwrap gives the errors of the nodes.
func (e *silentError) Unwrap() []error {
	var errs []error
	for _, s := range e.silent {
		errs = append(errs, s.err)
	}
	return errs
}

// partialError says that a change is made and that some nodes do not obey it
// yet.
type partialError struct{ error }

// shownError is an error that the screen has told already.
type shownError struct{ error }

// Unwrap gives the error itself.
func (e *shownError) Unwrap() error { return e.error }

// exitCode is the exit status for the error that a command ended with.
func exitCode(err error) int {
	if err == nil {
		return exitFine
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if s, ok := errors.AsType[*silentError](err); ok && len(s.silent) < s.asked {
		return exitPartial
	}
	if _, ok := errors.AsType[*partialError](err); ok {
		return exitPartial
	}
	return exitFailed
}

// cause says in plain words why a node did not answer.
func cause(err error) string {
	dns, isDNS := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOENT):
		return "no node is running there"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied"
	case isDNS:
		return "no address for the name " + dns.Name
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "the node hung up"
	}
	return err.Error()
}

func isTimeout(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

// next says what to do about an error, "" if there is nothing to add.
func next(err error) string {
	if h, ok := errors.AsType[*hinted](err); ok {
		return h.hint
	}
	// Without a silent node it is not about nodes; and when the others work,
	// the names of the silent ones say enough.
	if s, ok := errors.AsType[*silentError](err); !ok || len(s.silent) < s.asked {
		return ""
	}
	const elsewhere = "  point elsewhere   pushctl --node ADDR …     a socket path or host:port"
	dns, isDNS := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "  as its owner      sudo pushctl …\n" + elsewhere
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return "  start one         make run   or   systemctl start pushd\n" + elsewhere
	case isDNS:
		return fmt.Sprintf("  is it a path?     pushctl --node ./%s …\n", dns.Name) + elsewhere
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return "  wait longer       pushctl --timeout 30s …\n" + elsewhere
	}
	return ""
}

// hinted is an error with its own next step.
type hinted struct {
	error
	hint string
}

// Unwrap gives the error itself.
func (h *hinted) Unwrap() error { return h.error }

// report writes an error for people.
func report(w io.Writer, err error) {
	if _, ok := errors.AsType[*shownError](err); ok {
		return
	}
	fmt.Fprintf(w, "pushctl: %v\n", err)
	if hint := next(err); hint != "" {
		fmt.Fprintln(w, hint)
	}
}

// isNet tells errors of connections.
func isNet(err error) bool {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.ECONNREFUSED)
}

// isTLS tells errors of certificates and of a peer that speaks no TLS.
func isTLS(err error) bool {
	_, cert := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	return cert || record || strings.Contains(err.Error(), "HTTP response to HTTPS client")
}

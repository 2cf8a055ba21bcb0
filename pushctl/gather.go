package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"pushfleet/internal/pushdapi"
)

// answers are what several nodes said, in the order they were named.
type answers[T any] struct {
	vals   []T
	from   []*pushdapi.Client // from[i] said vals[i]
	asked  int
	silent []silentNode
}

// ask puts a question to all nodes at once.
func ask[T any](ctx context.Context, nodes []*pushdapi.Client, f func(context.Context, *pushdapi.Client) (T, error)) *answers[T] {
	vals, errs := make([]T, len(nodes)), make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, c := range nodes {
		wg.Go(func() { vals[i], errs[i] = f(ctx, c) })
	}
	wg.Wait()
	a := &answers[T]{asked: len(nodes)}
	for i, c := range nodes {
		if errs[i] != nil {
			a.silent = append(a.silent, silentNode{c.Addr(), errs[i]})
			continue
		}
		a.vals = append(a.vals, vals[i])
		a.from = append(a.from, c)
	}
	return a
}

// err is nil when all nodes answered. What all of them refuse as wrong is an
// error of the command line.
func (a *answers[T]) err() error {
	if len(a.silent) == 0 {
		return nil
	}
	wrong := func(s silentNode) bool {
		e, ok := errors.AsType[*pushdapi.Error](s.err)
		return ok && e.Status == http.StatusBadRequest && e.Code != "http"
	}
	if len(a.vals) == 0 && !slices.ContainsFunc(a.silent, func(s silentNode) bool { return !wrong(s) }) {
		return usageError{a.silent[0].err}
	}
	return &silentError{asked: a.asked, silent: a.silent}
}

// known drops nodes that answered "not found" when another node knew: with
// several nodes asked for one connection, all but one say so.
func (a *answers[T]) known() error {
	var rest []silentNode
	for _, s := range a.silent {
		if !isNotFound(s.err) {
			rest = append(rest, s)
		}
	}
	if len(a.vals) == 0 && len(rest) == 0 && len(a.silent) > 0 {
		return a.silent[0].err
	}
	known := a.silent
	a.silent = rest
	s, _ := a.err().(*silentError)
	if s == nil {
		return nil
	}
	if len(a.vals) == 0 && len(known) > len(rest) {
		i := slices.IndexFunc(known, func(n silentNode) bool { return isNotFound(n.err) })
		s.said = known[i].err.Error()
	}
	return s
}

func isNotFound(err error) bool {
	e, ok := errors.AsType[*pushdapi.Error](err)
	return ok && e.Status == 404
}

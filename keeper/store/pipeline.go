package store

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
)

// calls are raft's calls of other members. In raft 1.7.3 a deposed leader can
// wait forever in a pipeline: who reads its answers ends at the first one of a
// newer term, while who sends may be waiting for room that the next answer
// would make. raft's Shutdown then waits for the sender. Here a pipeline that
// has no room for long is closed, and so is every pipeline with ctx.
type calls struct {
	*raft.NetworkTransport
	ctx      context.Context
	patience time.Duration // longer than a healthy pipeline is without room
}

// AppendEntriesPipeline implements raft.Transport.
func (c calls) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := c.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return newPipeline(c.ctx, p, c.patience), nil
}

// pipeline is used by one goroutine, except for Close.
type pipeline struct {
	raft.AppendPipeline
	patience time.Duration
	late     *time.Timer // closes it
	release  func() bool // from ctx
}

func newPipeline(ctx context.Context, of raft.AppendPipeline, patience time.Duration) *pipeline {
	p := &pipeline{AppendPipeline: of, patience: patience}
	end := func() { _ = of.Close() } // the sender is told by its next call
	p.late = time.AfterFunc(patience, end)
	p.late.Stop()
	p.release = context.AfterFunc(ctx, end)
	return p
}

// AppendEntries implements raft.AppendPipeline.
func (p *pipeline) AppendEntries(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	p.late.Reset(p.patience)
	defer p.late.Stop()
	return p.AppendPipeline.AppendEntries(args, resp)
}

// Close implements raft.AppendPipeline.
func (p *pipeline) Close() error {
	p.release()
	p.late.Stop()
	return p.AppendPipeline.Close()
}

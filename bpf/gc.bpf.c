//go:build ignore
/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Garbage collection of a Go program: each pause of the world by the runtime's
 * own timestamps, begin and end of marking, and assists by stack.
 * The breakpoints lie on push %rbp, where arguments are still in registers. */
#include "probe.h"

enum kind { CYCLE_START = 1, CYCLE_END = 2, PAUSE = 3 };

struct event {
	u64 kind;
	u64 time; /* CLOCK_MONOTONIC, ns, of the runtime where it says one */
	u64 a, b, c, d, e;
};

/* Offsets in runtime.gcControllerState, set by the loader for the release. */
volatile const u32 off_heap_live;
volatile const u32 off_heap_marked;
volatile const u32 off_last_goal;
volatile const u32 off_assist_time;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* The world is stopped by one at a time, so one slot is enough. */
struct stop {
	u64 reason, started, finished, until, heap_marked;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct stop);
} stopped SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} controller SEC(".maps");

static __always_inline u64 field(u64 base, u32 off)
{
	u64 v = 0;
	if (base)
		bpf_probe_read_user(&v, sizeof(v), (void *)(base + off));
	return v;
}

static __always_inline void send(u64 kind, u64 time, u64 a, u64 b, u64 c, u64 d)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count(LOST_EVENTS);
		return;
	}
	e->kind = kind;
	e->time = time;
	e->a = a;
	e->b = b;
	e->c = c;
	e->d = d;
	e->e = 0;
	bpf_ringbuf_submit(e, 0);
}

/* startCycle(c, markStartTime, procs, trigger) */
SEC("uprobe.multi")
int start_cycle(struct pt_regs *ctx)
{
	u32 zero = 0;
	u64 c = ctx->ax;
	count(HITS);
	bpf_map_update_elem(&controller, &zero, &c, BPF_ANY);
	send(CYCLE_START, ctx->bx, ctx->di, field(c, off_heap_live), ctx->cx, 0);
	return 0;
}

/* endCycle(c, now, procs, userForced). All have stopped, so the time of assists
 * is that of the whole cycle. */
SEC("uprobe.multi")
int end_cycle(struct pt_regs *ctx)
{
	count(HITS);
	send(CYCLE_END, ctx->bx, ctx->di & 0xff, field(ctx->ax, off_heap_live), ctx->cx, field(ctx->ax, off_assist_time));
	return 0;
}

/* startTheWorldWithSema(now, worldStop{reason, started, finished, cpu}). A now
 * of its caller is where the runtime's own sum of pauses ends; 0 is the end. */
SEC("uprobe.multi")
int start_world(struct pt_regs *ctx)
{
	u32 zero = 0;
	u64 *c = bpf_map_lookup_elem(&controller, &zero);
	struct stop s = {};
	count(HITS);
	s.reason = ctx->bx & 0xff;
	s.started = ctx->cx;
	s.finished = ctx->di;
	s.until = ctx->ax;
	if (c)
		s.heap_marked = field(*c, off_heap_marked);
	bpf_map_update_elem(&stopped, &zero, &s, BPF_ANY);
	return 0;
}

/* It returns the time at which the world ran again. */
SEC("uprobe.multi")
int world_started(struct pt_regs *ctx)
{
	u32 zero = 0;
	struct stop *s = bpf_map_lookup_elem(&stopped, &zero);
	u64 *c = bpf_map_lookup_elem(&controller, &zero);
	count(HITS);
	if (!s || !s->started) {
		count(UNMATCHED);
		return 0;
	}
	u64 goal = c ? field(*c, off_last_goal) : 0;
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count(LOST_EVENTS);
	} else {
		e->kind = PAUSE | s->reason << 8;
		e->time = ctx->ax;
		e->a = s->started;
		e->b = s->finished;
		e->c = s->heap_marked;
		e->d = goal;
		e->e = s->until ? s->until : ctx->ax;
		bpf_ringbuf_submit(e, 0);
	}
	s->started = 0;
	return 0;
}

/* Assists: goroutines that must mark before they may allocate. */
struct begin {
	u64 time;
	s32 stack;
	u32 pad;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64); /* g */
	__type(value, struct begin);
} assisting SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u64); /* stack */
	__type(value, struct waits);
} assists SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 8192);
	__uint(key_size, sizeof(u32));
	__uint(value_size, STACK_DEPTH * sizeof(u64));
} stacks SEC(".maps");

SEC("uprobe.multi")
int assist_begin(struct pt_regs *ctx)
{
	u64 g = ctx->r14;
	struct begin b = { .time = bpf_ktime_get_ns() };
	count(HITS);
	b.stack = bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
	if (b.stack < 0)
		count(LOST_STACKS);
	if (bpf_map_update_elem(&assisting, &g, &b, BPF_ANY))
		count(LOST_STARTS);
	return 0;
}

SEC("uprobe.multi")
int assist_end(struct pt_regs *ctx)
{
	static const struct waits none;
	u64 g = ctx->r14;
	struct begin *b = bpf_map_lookup_elem(&assisting, &g);
	count(HITS);
	if (!b) {
		count(UNMATCHED);
		return 0;
	}
	u64 key = b->stack < 0 ? ~0ULL : (u64)b->stack;
	u64 ns = bpf_ktime_get_ns() - b->time;
	bpf_map_delete_elem(&assisting, &g);
	struct waits *w = bpf_map_lookup_elem(&assists, &key);
	if (!w) {
		bpf_map_update_elem(&assists, &key, &none, BPF_NOEXIST);
		w = bpf_map_lookup_elem(&assists, &key);
	}
	if (w)
		add(w, ns);
	else
		count(LOST_AGGS);
	return 0;
}

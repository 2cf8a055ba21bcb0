//go:build ignore
/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Contended locks of a Go program and of the kernel on its behalf, added up by
 * stack in the kernel. */
#include "probe.h"

/* Kinds of locks: cookies of the breakpoints, and what kernel locks become. */
enum kind { MUTEX = 1, RLOCK = 2, WLOCK = 3, HOLDER = 4, KERNEL = 5, RUNTIME = 6 };

/* What a site is split by; the same order as in lock.go. */
enum split { SITE = 0, LOCK = 1, GOROUTINE = 2 };

volatile const u32 tgid;     /* of the target, for tracepoints */
volatile const u32 split;    /* enum split */
volatile const u64 min_ns;   /* shorter waits are not counted */
volatile const u32 off_goid; /* in runtime.g */

struct start_key {
	u64 who; /* g, or the thread */
	u64 kind;
};
struct start {
	u64 time;
	u64 lock;
	u64 goid;
	u32 flags;
	s32 stack;
	s32 kstack;
	u32 pad;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct start_key);
	__type(value, struct start);
} starts SEC(".maps");

struct site {
	u64 part; /* lock or goroutine, 0 if not split */
	u32 kind; /* enum kind, flags of the kernel's lock from bit 8 */
	s32 stack;
	s32 kstack;
	u32 pad;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct site);
	__type(value, struct waits);
} sites SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 16384);
	__uint(key_size, sizeof(u32));
	__uint(value_size, STACK_DEPTH * sizeof(u64));
} stacks SEC(".maps");

static __always_inline s32 stack_of(void *ctx, u64 flags)
{
	s32 id = bpf_get_stackid(ctx, &stacks, flags);
	if (id < 0)
		count(LOST_STACKS);
	return id < 0 ? -1 : id;
}

static __always_inline void account(struct site *s, u64 ns)
{
	static const struct waits none;
	struct waits *w = bpf_map_lookup_elem(&sites, s);
	if (!w) {
		bpf_map_update_elem(&sites, s, &none, BPF_NOEXIST);
		w = bpf_map_lookup_elem(&sites, s);
	}
	if (w)
		add(w, ns);
	else
		count(LOST_AGGS);
}

static __always_inline u64 part(u64 lock, u64 goid)
{
	return split == LOCK ? lock : split == GOROUTINE ? goid : 0;
}

/* r14 is the goroutine, ax the lock; of the runtime's own locks it is not known
 * where their threads sleep. */
SEC("uprobe.multi")
int wait_begin(struct pt_regs *ctx)
{
	struct start_key k = { .who = ctx->r14, .kind = bpf_get_attach_cookie(ctx) };
	struct start s = { .kstack = -1 };
	if (k.kind != RUNTIME)
		s.lock = ctx->ax;
	count(HITS);
	s.stack = stack_of(ctx, BPF_F_USER_STACK);
	bpf_probe_read_user(&s.goid, sizeof(s.goid), (void *)(ctx->r14 + off_goid));
	s.time = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&starts, &k, &s, BPF_ANY))
		count(LOST_STARTS);
	return 0;
}

SEC("uprobe.multi")
int wait_end(struct pt_regs *ctx)
{
	struct start_key k = { .who = ctx->r14, .kind = bpf_get_attach_cookie(ctx) };
	struct start *s = bpf_map_lookup_elem(&starts, &k);
	u64 now = bpf_ktime_get_ns();
	count(HITS);
	if (!s) {
		count(UNMATCHED);
		return 0;
	}
	u64 ns = now - s->time;
	struct site at = { .kind = k.kind, .stack = s->stack, .kstack = -1, .part = part(s->lock, s->goid) };
	bpf_map_delete_elem(&starts, &k);
	if (ns >= min_ns)
		account(&at, ns);
	return 0;
}

/* unlockSlow runs when somebody waits for the lock: this is who kept it. */
SEC("uprobe.multi")
int unlock(struct pt_regs *ctx)
{
	struct site at = { .kind = HOLDER, .kstack = -1, .part = split == LOCK ? ctx->ax : 0 };
	count(HITS);
	at.stack = stack_of(ctx, BPF_F_USER_STACK);
	account(&at, 0);
	return 0;
}

/* contention_begin(lock, flags) */
SEC("tp_btf/contention_begin")
int kernel_begin(u64 *ctx)
{
	u64 id = bpf_get_current_pid_tgid();
	if (id >> 32 != tgid)
		return 0;
	struct start_key k = { .who = (u32)id, .kind = ctx[0] };
	struct start s = { .lock = ctx[0], .flags = ctx[1] };
	count(HITS);
	s.kstack = stack_of(ctx, 0);
	s.stack = stack_of(ctx, BPF_F_USER_STACK);
	s.time = bpf_ktime_get_ns();
	/* A mutex that spins and then sleeps begins twice: the first one counts. */
	if (!bpf_map_lookup_elem(&starts, &k) && bpf_map_update_elem(&starts, &k, &s, BPF_NOEXIST))
		count(LOST_STARTS);
	return 0;
}

/* contention_end(lock, ret) */
SEC("tp_btf/contention_end")
int kernel_end(u64 *ctx)
{
	u64 id = bpf_get_current_pid_tgid();
	if (id >> 32 != tgid)
		return 0;
	struct start_key k = { .who = (u32)id, .kind = ctx[0] };
	struct start *s = bpf_map_lookup_elem(&starts, &k);
	u64 now = bpf_ktime_get_ns();
	count(HITS);
	if (!s) {
		count(UNMATCHED);
		return 0;
	}
	u64 ns = now - s->time;
	struct site at = { .kind = KERNEL | s->flags << 8, .stack = s->stack, .kstack = s->kstack, .part = part(s->lock, 0) };
	bpf_map_delete_elem(&starts, &k);
	if (ns >= min_ns)
		account(&at, ns);
	return 0;
}

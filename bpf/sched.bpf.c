//go:build ignore
/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* How long threads of a process are ready and wait for a processor. */
#include "probe.h"

volatile const u32 tgid; /* of the target */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32); /* thread */
	__type(value, u64);
} ready SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32); /* thread */
	__type(value, struct waits);
} threads SEC(".maps");

/* A thread that is woken twice before it runs waits since the first time. */
static __always_inline void is_ready(u32 tid)
{
	u64 now = bpf_ktime_get_ns();
	count(HITS);
	if (!bpf_map_lookup_elem(&ready, &tid) && bpf_map_update_elem(&ready, &tid, &now, BPF_NOEXIST))
		count(LOST_STARTS);
}

static __always_inline void runs(u32 tid)
{
	static const struct waits none;
	u64 *since = bpf_map_lookup_elem(&ready, &tid);
	count(HITS);
	if (!since) {
		count(UNMATCHED);
		return;
	}
	u64 ns = bpf_ktime_get_ns() - *since;
	bpf_map_delete_elem(&ready, &tid);
	struct waits *w = bpf_map_lookup_elem(&threads, &tid);
	if (!w) {
		bpf_map_update_elem(&threads, &tid, &none, BPF_NOEXIST);
		w = bpf_map_lookup_elem(&threads, &tid);
	}
	if (w)
		add(w, ns);
	else
		count(LOST_AGGS);
}

/* sched_wakeup(p) */
SEC("tp_btf/sched_wakeup")
int wakeup(u64 *ctx)
{
	struct task_struct *p = (void *)ctx[0];
	if (p->tgid == tgid)
		is_ready(p->pid);
	return 0;
}

/* sched_wakeup_new(p) */
SEC("tp_btf/sched_wakeup_new")
int wakeup_new(u64 *ctx)
{
	struct task_struct *p = (void *)ctx[0];
	if (p->tgid == tgid)
		is_ready(p->pid);
	return 0;
}

/* sched_switch(preempt, prev, next, prev_state) */
SEC("tp_btf/sched_switch")
int switched(u64 *ctx)
{
	struct task_struct *prev = (void *)ctx[1], *next = (void *)ctx[2];
	if (prev->tgid == tgid && (ctx[0] & 1 || !(u32)ctx[3]))
		is_ready(prev->pid); /* would have gone on */
	if (next->tgid == tgid)
		runs(next->pid);
	return 0;
}

//go:build ignore
/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Where a process is when the clock ticks, added up by stack. */
#include "probe.h"

volatile const u32 tgid; /* of the target */

struct place {
	s32 stack;
	s32 kstack;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct place);
	__type(value, u64);
} places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 16384);
	__uint(key_size, sizeof(u32));
	__uint(value_size, STACK_DEPTH * sizeof(u64));
} stacks SEC(".maps");

SEC("perf_event")
int sample(void *ctx)
{
	u64 one = 1;
	if (bpf_get_current_pid_tgid() >> 32 != tgid)
		return 0;
	count(HITS);
	struct place p = {
		.stack = bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK),
		.kstack = bpf_get_stackid(ctx, &stacks, 0), /* none outside of the kernel */
	};
	if (p.stack < 0) {
		count(LOST_STACKS);
		p.stack = -1;
	}
	if (p.kstack < 0)
		p.kstack = -1;
	u64 *n = bpf_map_lookup_elem(&places, &p);
	if (n)
		__sync_fetch_and_add(n, 1);
	else if (bpf_map_update_elem(&places, &p, &one, BPF_NOEXIST))
		count(LOST_AGGS);
	return 0;
}

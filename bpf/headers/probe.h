/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What all probes share: counters of what was lost, histograms, stacks. */
#ifndef PUSHFLEET_PROBE_H
#define PUSHFLEET_PROBE_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>

/* Slots of counters; the same order as in pushctl/probe/lost.go. */
enum counter {
	HITS,        /* breakpoints and tracepoints of the target */
	LOST_STARTS, /* no room to remember a begin */
	LOST_AGGS,   /* no room for a further site */
	LOST_STACKS, /* stack not kept */
	LOST_EVENTS, /* ring buffer full */
	UNMATCHED,   /* an end whose begin was before the probe */
	COUNTERS,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, u32);
	__type(value, u64);
} counters SEC(".maps");

static __always_inline void count(enum counter which)
{
	u32 key = which;
	u64 *n = bpf_map_lookup_elem(&counters, &key);
	if (n)
		__sync_fetch_and_add(n, 1);
}

/* Four buckets per power of two from 256 ns: the last one begins at 17 minutes. */
#define BUCKETS 128
#define FIRST_SHIFT 8

static __always_inline u32 log2_u64(u64 v)
{
	u32 r = 0;
	if (v >> 32) { v >>= 32; r += 32; }
	if (v >> 16) { v >>= 16; r += 16; }
	if (v >> 8) { v >>= 8; r += 8; }
	if (v >> 4) { v >>= 4; r += 4; }
	if (v >> 2) { v >>= 2; r += 2; }
	if (v >> 1) { r += 1; }
	return r;
}

static __always_inline u32 bucket(u64 ns)
{
	if (ns < (1 << FIRST_SHIFT))
		return 0;
	u32 e = log2_u64(ns);
	u32 b = (e - FIRST_SHIFT) * 4 + ((ns >> (e - 2)) & 3) + 1;
	return b < BUCKETS ? b : BUCKETS - 1;
}

struct waits {
	u64 count;
	u64 sum; /* ns */
	u64 max; /* ns */
	u32 hist[BUCKETS];
};

static __always_inline void add(struct waits *w, u64 ns)
{
	__sync_fetch_and_add(&w->count, 1);
	__sync_fetch_and_add(&w->sum, ns);
	if (ns > w->max) /* two at once may lose one; it is near the other */
		w->max = ns;
	__sync_fetch_and_add(&w->hist[bucket(ns) & (BUCKETS - 1)], 1);
}

#define STACK_DEPTH 64

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#endif

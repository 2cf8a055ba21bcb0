//go:build ignore
/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* TCP of one process: what its listeners turned away, which connections the
 * peer or the network holds back, what was sent again. A mark on each of its
 * sockets, which the accepted ones inherit from their listener, tells the
 * tracepoints whose they are and remembers where the counting began. */
#include "probe.h"
#include "sock.h"
#include <bpf/bpf_core_read.h>

volatile const u32 only_peers; /* look at connections with peers in wanted only, but at all of them */

/* What a socket had counted when the probe first saw it; zero for one that was
 * accepted since. */
struct mark {
	u64 ino; /* of the socket that it was made for: a child's differs */
	u64 acked;
	u64 since; /* jiffies */
	u32 busy, rwnd, sndbuf; /* jiffies */
	u32 segs, retrans, drops;
	u32 told; /* retransmits that the tracepoint has added up */
	u32 look; /* the last one that saw it, since a process may hold a socket twice */
};
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct mark);
} marks SEC(".maps");

/* Ports, in host order, of peers that are looked at. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u16);
	__type(value, u8);
} wanted SEC(".maps");

struct peer {
	u8 addr[16]; /* IPv4 as ::ffff:a.b.c.d */
};
struct events {
	u64 retrans; /* segments */
	u64 resets;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct peer);
	__type(value, struct events);
} peers SEC(".maps");

/* Of one look, set to zero before it. */
struct sums {
	u64 jiffies;
	u64 open;
	u64 unsent;  /* bytes */
	u64 unacked; /* bytes */
	u64 segs;    /* since the marks */
	u32 look;    /* its number, from 1 */
	u32 pad;
} sums;

/* One socket, as the reader gets it. Counts and times are since its mark. */
struct row {
	u8 local[16], peer[16];
	u64 ino;
	u64 acked;
	u32 unsent, unacked, unread, window;
	u32 cwnd, mss, srtt, rttvar; /* srtt in eighths of a µs, rttvar in quarters */
	u32 segs, retrans;
	u32 age, busy, rwnd, sndbuf; /* jiffies */
	u32 backlog, backlog_max, drops;
	__u16 lport, pport;
	u8 state, probes, backoff, pad[5];
};
struct row unused_row; /* so that its type is in the object */

static __always_inline void address(u8 *to, struct sock *sk, bool peer)
{
	struct sock_common *c = &sk->__sk_common;
	if (c->skc_family == AF_INET) {
		*(u64 *)to = 0;
		*(u32 *)(to + 8) = 0xffff0000;
		*(u32 *)(to + 12) = peer ? c->skc_daddr : c->skc_rcv_saddr;
	} else if (peer) {
		bpf_probe_read_kernel(to, 16, &c->skc_v6_daddr);
	} else {
		bpf_probe_read_kernel(to, 16, &c->skc_v6_rcv_saddr);
	}
}

/* How long, in jiffies, a connection was in each of the states that the kernel
 * keeps clocks for. */
struct chrono {
	u32 busy, rwnd, sndbuf;
};

static __always_inline void chronos(struct chrono *c, struct tcp_sock *tp, u64 now)
{
	u32 type = BPF_CORE_READ_BITFIELD_PROBED(tp, chrono_type);
	u32 runs = type ? (u32)now - tp->chrono_start : 0;
	c->busy = tp->chrono_stat[0] + tp->chrono_stat[1] + tp->chrono_stat[2] + runs;
	c->rwnd = tp->chrono_stat[1] + (type == 2 ? runs : 0);
	c->sndbuf = tp->chrono_stat[2] + (type == 3 ? runs : 0);
}

static __always_inline void begin(struct mark *m, struct tcp_sock *tp, struct chrono *c, u64 ino, u64 now)
{
	m->ino = ino;
	m->since = now;
	m->busy = c->busy;
	m->rwnd = c->rwnd;
	m->sndbuf = c->sndbuf;
	m->segs = tp->data_segs_out;
	m->acked = tp->bytes_acked;
	m->retrans = m->told = tp->total_retrans;
}

static __always_inline bool well(struct row *r)
{
	return !r->retrans && !r->rwnd && !r->probes && !r->backoff && r->unread < 65536 &&
	       !(r->unsent && r->unacked + r->mss > r->window);
}

/* The listening socket that a file is, or that of TCP inside one of MPTCP. */
static __always_inline struct sock *listening(struct sock *sk)
{
	struct sock *first = 0;
	if (sk->__sk_common.skc_state != TCP_LISTEN)
		return 0;
	if (bpf_skc_to_tcp_sock(sk))
		return sk;
	if (bpf_core_field_exists(struct mptcp_sock, first) && sk->sk_protocol == IPPROTO_MPTCP)
		bpf_core_read(&first, sizeof(first), &((struct mptcp_sock *)sk)->first);
	return first;
}

static __always_inline int write(struct bpf_iter__task_file *ctx, struct row *r, struct sock *sk)
{
	r->state = sk->__sk_common.skc_state;
	r->lport = sk->__sk_common.skc_num;
	address(r->local, sk, false);
	address(r->peer, sk, true);
	return bpf_seq_write(ctx->meta->seq, r, sizeof(*r));
}

static __always_inline int look_at_listener(struct bpf_iter__task_file *ctx, struct sock *sk, struct sock *from, u64 ino)
{
	struct row r = { .ino = ino };
	struct mark none = {};
	struct mark *m = bpf_sk_storage_get(&marks, sk, &none, BPF_SK_STORAGE_GET_F_CREATE);
	if (!m) {
		count(LOST_STARTS);
		return 0;
	}
	if (m->look == sums.look && m->ino == ino)
		return 0;
	u32 drops = BPF_CORE_READ(from, sk_drops.counter);
	if (m->ino != ino) {
		m->ino = ino;
		m->drops = sums.look == 1 ? drops : 0;
	}
	r.backlog = BPF_CORE_READ(from, sk_ack_backlog);
	r.backlog_max = BPF_CORE_READ(from, sk_max_ack_backlog);
	r.drops = drops - m->drops;
	if (!write(ctx, &r, sk))
		m->look = sums.look;
	return 0;
}

static __always_inline void fill(struct row *r, struct mark *m, struct tcp_sock *tp, struct chrono *c, u64 now)
{
	r->age = now - m->since;
	r->busy = c->busy - m->busy;
	r->rwnd = c->rwnd - m->rwnd;
	r->sndbuf = c->sndbuf - m->sndbuf;
	r->segs = tp->data_segs_out - m->segs;
	r->acked = tp->bytes_acked - m->acked;
	r->retrans = tp->total_retrans - m->retrans;
	r->unsent = tp->write_seq - tp->snd_nxt;
	r->unacked = tp->snd_nxt - tp->snd_una;
	r->unread = tp->rcv_nxt - tp->copied_seq;
	r->window = tp->snd_wnd;
	r->cwnd = tp->snd_cwnd;
	r->mss = tp->mss_cache;
	r->srtt = tp->srtt_us;
	r->rttvar = tp->mdev_us;
	r->probes = tp->inet_conn.icsk_probes_out;
	r->backoff = tp->inet_conn.icsk_backoff;
}

static __always_inline int look_at_conn(struct bpf_iter__task_file *ctx, struct sock *sk, struct tcp_sock *tp, u64 ino)
{
	struct row r = { .ino = ino, .pport = bpf_ntohs(sk->__sk_common.skc_dport) };
	struct chrono c = {};
	struct mark none = {};
	if (only_peers && !bpf_map_lookup_elem(&wanted, &r.pport))
		return 0;
	u64 now = bpf_jiffies64();
	sums.jiffies = now;
	chronos(&c, tp, now);
	struct mark *m = bpf_sk_storage_get(&marks, sk, &none, BPF_SK_STORAGE_GET_F_CREATE);
	if (!m) {
		count(LOST_STARTS);
		return 0;
	}
	if (m->look == sums.look && m->ino == ino)
		return 0;
	if (m->ino != ino && sums.look == 1) {
		begin(m, tp, &c, ino, now);
	} else if (m->ino != ino) { /* younger than the probe; born when its clocks began, or later */
		struct mark young = { .ino = ino, .since = now - c.busy, .told = m->told };
		*m = young;
	}
	fill(&r, m, tp, &c, now);
	if ((only_peers || !well(&r)) && write(ctx, &r, sk))
		return 0; /* the reader's buffer is full: it comes again */
	m->look = sums.look;
	sums.open++;
	sums.unsent += r.unsent;
	sums.unacked += r.unacked;
	sums.segs += r.segs;
	return 0;
}

SEC("iter/task_file")
int look(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	if (!file)
		return 0;
	struct socket *socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	struct sock *sk = socket->sk;
	if (!sk)
		return 0;
	u64 ino = file->f_inode->i_ino;
	struct sock *listener = listening(sk);
	if (listener)
		return look_at_listener(ctx, sk, listener, ino);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || sk->__sk_common.skc_state == TCP_CLOSE)
		return 0;
	return look_at_conn(ctx, sk, tp, ino);
}

static __always_inline struct events *events_of(struct sock *sk)
{
	static const struct events none;
	struct peer p;
	address(p.addr, sk, true);
	struct events *e = bpf_map_lookup_elem(&peers, &p);
	if (!e) {
		bpf_map_update_elem(&peers, &p, &none, BPF_NOEXIST);
		e = bpf_map_lookup_elem(&peers, &p);
	}
	if (!e)
		count(LOST_AGGS);
	return e;
}

/* tcp_retransmit_skb(sk, skb): the socket has counted it already. */
SEC("tp_btf/tcp_retransmit_skb")
int retransmitted(u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	struct mark *m = bpf_sk_storage_get(&marks, sk, 0, 0);
	if (!m)
		return 0;
	count(HITS);
	u32 n = tp->total_retrans - m->told;
	m->told += n;
	struct events *e = events_of(sk);
	if (e)
		__sync_fetch_and_add(&e->retrans, n);
	return 0;
}

/* tcp_receive_reset(sk) */
SEC("tp_btf/tcp_receive_reset")
int reset(u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	if (!bpf_sk_storage_get(&marks, sk, 0, 0))
		return 0;
	count(HITS);
	struct events *e = events_of(sk);
	if (e)
		__sync_fetch_and_add(&e->resets, 1);
	return 0;
}

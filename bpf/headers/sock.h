/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The few fields of sockets that the probe of TCP reads. */
#ifndef PUSHFLEET_SOCK_H
#define PUSHFLEET_SOCK_H

#include "kernel.h"
#include <bpf/bpf_endian.h>

enum { BPF_MAP_TYPE_SK_STORAGE = 24 };
enum { BPF_F_CLONE = 512 };
enum { BPF_SK_STORAGE_GET_F_CREATE = 1 };
enum { AF_INET = 2, AF_INET6 = 10 };
enum { IPPROTO_MPTCP = 262 };
enum { TCP_ESTABLISHED = 1, TCP_CLOSE = 7, TCP_LISTEN = 10 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct in6_addr {
	u8 in6_u[16];
};

struct sock_common {
	union {
		struct {
			__be32 skc_daddr;
			__be32 skc_rcv_saddr;
		};
	};
	union {
		struct {
			__be16 skc_dport;
			__u16 skc_num;
		};
	};
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	atomic_t sk_drops;
	u32 sk_ack_backlog;
	u32 sk_max_ack_backlog;
	__u16 sk_protocol;
};

/* A listener of MPTCP, as Go makes them, keeps its queue in a socket of TCP. */
struct mptcp_sock {
	struct sock *first;
};

struct inet_connection_sock {
	u8 icsk_backoff;
	u8 icsk_probes_out;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	u32 snd_wnd;
	u32 mss_cache;
	u32 snd_cwnd;
	u32 copied_seq;
	u32 data_segs_out;
	u8 chrono_type : 2;
	u32 chrono_start;
	u32 chrono_stat[3];
	u32 write_seq;
	u32 mdev_us;
	u32 rcv_nxt;
	u32 snd_nxt;
	u32 snd_una;
	u32 srtt_us;
	u64 bytes_acked;
	u32 total_retrans;
};

struct socket {
	struct sock *sk;
};

struct inode {
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

#pragma clang attribute pop

#endif

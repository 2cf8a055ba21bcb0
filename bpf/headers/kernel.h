/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The few types of the kernel that the probes touch, instead of a vmlinux.h of
 * megabytes. Fields of structs that the kernel may move are found by their
 * names when a program is loaded (preserve_access_index). */
#ifndef PUSHFLEET_KERNEL_H
#define PUSHFLEET_KERNEL_H

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
typedef __u16 __sum16;
typedef __u8 u8;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;

enum { false = 0, true = 1 };
typedef _Bool bool;

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_STACK_TRACE = 7,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_F_NO_PREALLOC = 1 };
enum { BPF_F_SKIP_FIELD_MASK = 0xff, BPF_F_USER_STACK = 256, BPF_F_FAST_STACK_CMP = 512 };

/* Registers at a breakpoint, as linux/amd64 saves them. */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8;
	unsigned long ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

struct task_struct {
	int pid;
	int tgid;
} __attribute__((preserve_access_index));

#endif

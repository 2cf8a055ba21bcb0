//go:build ignore
/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* A breakpoint that does nothing but count, to learn what one costs here. */
#include "probe.h"

SEC("uprobe.multi")
int empty(void *ctx)
{
	count(HITS);
	return 0;
}

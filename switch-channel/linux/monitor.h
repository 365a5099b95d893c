/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the module needs of the machine below it: the monitor's hypercalls (switch-channel/call.h), and memory of the
 * aperture. monitor.c has it; a test may link another file in its place.
 */
#ifndef SWITCH_CHANNEL_LINUX_MONITOR_H
#define SWITCH_CHANNEL_LINUX_MONITOR_H

#include <linux/types.h>

/* Registers of a call, in and out. */
struct nv_regs {
	u64 rax, rbx, rcx, rdx, rsi, r8, r9, r10, r11;
};

/* One hypercall. -ENODEV: no hypervisor took it. Results are in regs, rax among them. Any context. */
int nv_monitor_call(struct nv_regs *regs);

/*
 * Memory of an accepted channel for the kernel: write-back cached. NULL: no memory. The caller unmaps it before he
 * closes the channel. Process context.
 */
void *nv_monitor_map(u64 gpa, u32 pages);
void nv_monitor_unmap(void *base);

/* The frame number at a guest-physical address of the aperture, for a process's page tables. */
unsigned long nv_monitor_pfn(u64 gpa);

#endif

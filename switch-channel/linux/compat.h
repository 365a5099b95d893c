/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between kernels. 6.1 is the oldest that is supported; every test of a version is here.
 */
#ifndef SWITCH_CHANNEL_LINUX_COMPAT_H
#define SWITCH_CHANNEL_LINUX_COMPAT_H

#include <linux/version.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#include <linux/hex.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "nether-vif needs Linux 6.1 or newer"
#endif

/* hrtimer_setup() came with 6.13; hrtimer_init() went after 6.14. */
static inline void nv_timer_setup(struct hrtimer *timer,
				  enum hrtimer_restart (*function)(struct hrtimer *))
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer->function = function;
#endif
}

/* In a driver's mmap. 6.3 has made the flags constant. */
static inline void nv_set_vm_flags(struct vm_area_struct *vma, unsigned long flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

/* What the stack may put together for this device, in bytes of GSO: again as a new device has it. IPv4's is apart since 6.3. */
static inline void nv_reset_gso_size(struct net_device *dev)
{
	WRITE_ONCE(dev->gso_max_size, GSO_LEGACY_MAX_SIZE);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	WRITE_ONCE(dev->gso_ipv4_max_size, GSO_LEGACY_MAX_SIZE);
#endif
}

#endif

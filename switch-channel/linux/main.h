/* SPDX-License-Identifier: GPL-2.0 */
/* The module's parts that start and stop with it. */
#ifndef SWITCH_CHANNEL_LINUX_MAIN_H
#define SWITCH_CHANNEL_LINUX_MAIN_H

#include <linux/types.h>

int nv_configfs_start(void);
void nv_configfs_stop(void);

int nv_device_start(void);
void nv_device_stop(void);
/* From now on no process gets a channel, until nv_device_let(). -EBUSY: one has one, and nothing has changed. */
int nv_device_hold(void);
void nv_device_let(void);
/*
 * Ends all channels of processes, which get SIGBUS where they had pages, and lets them have no others: for a kernel that is about
 * to end.
 */
void nv_device_revoke_all(void);

int nv_power_start(void);
void nv_power_stop(void);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* The module's parts that start and stop with it. */
#ifndef SWITCH_CHANNEL_LINUX_MAIN_H
#define SWITCH_CHANNEL_LINUX_MAIN_H

#include <linux/types.h>

int nv_configfs_start(void);
void nv_configfs_stop(void);

int nv_device_start(void);
void nv_device_stop(void);
/* Whether a process has a channel open. */
bool nv_device_busy(void);
/* Ends all channels of processes in the monitor; their pages stay theirs. For a kernel that is about to end. */
void nv_device_close_all(void);

int nv_power_start(void);
void nv_power_stop(void);

#endif

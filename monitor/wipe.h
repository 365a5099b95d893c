/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_WIPE_H
#define MONITOR_WIPE_H

/*
 * Zeroes every page of RAM that L1 cannot read, but for the monitor's own; what is not known to be L1's
 * counts as secret. Every other CPU has stopped for good.
 */
void wipe_guests(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_RESET_H
#define MONITOR_RESET_H

/* Resets the machine: the chipset's reset control register, else the keyboard controller. */
_Noreturn void reset_machine(void);

#endif

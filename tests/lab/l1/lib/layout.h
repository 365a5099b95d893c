/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that assembly and C share. */
#ifndef L1_LIB_LAYOUT_H
#define L1_LIB_LAYOUT_H

#define TRAMPOLINE 0x8000  /* where an AP starts: SIPI vector 8 */
#define REAL_GUEST 0x10000 /* 64 KiB for guests in real mode */
#define STACK_SIZE 0x8000
#define MAX_CPUS 8

#define SEL_CODE32 0x08
#define SEL_DATA 0x10
#define SEL_CODE64 0x18
#define SEL_USER_CODE64 0x23
#define SEL_USER_DATA 0x2b
#define SEL_TSS 0x30
#define SEL_LDT 0x40
#define SEL_ABSENT 0x50
#define SEL_TSS32_A 0x58
#define SEL_TSS32_B 0x60
#define SEL_DATA16 0x68

#endif

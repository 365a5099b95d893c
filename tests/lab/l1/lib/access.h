/* SPDX-License-Identifier: Apache-2.0 */
/* Guest code that reads, writes or executes what RBX points to; RCX is what is written. */
#ifndef L1_LIB_ACCESS_H
#define L1_LIB_ACCESS_H

#include "lib/guest.h"

GUEST(guest_read, "mov (%rbx), %rax; after_read:" STOP);
GUEST_LABEL(after_read);
GUEST(guest_write, "mov %rcx, (%rbx); after_write:" STOP);
GUEST_LABEL(after_write);
GUEST(guest_modify, "lock addq $1, (%rbx)\n" STOP);
GUEST(guest_jump, "jmp *%rbx\n");
GUEST(guest_stop, STOP);
GUEST(guest_fetch_long, "movabs $0x1122334455667788, %rax; mov %rcx, (%rbx)\n" STOP);
GUEST(guest_read32, ".code32; mov (%ebx), %eax;" STOP);

/* For tables of a guest's own: a virtual address that is no physical one. */
#define TEST_VA 0x10000000000ull

#endif

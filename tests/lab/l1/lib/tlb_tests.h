/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of translations: what both vendors share of them. */
#ifndef L1_LIB_TLB_TESTS_H
#define L1_LIB_TLB_TESTS_H

#include "lib/access.h"
#include "vendor_guest.h"

#define ROUNDS 50

/* They read, change the entry at RDX to RCX, flush by themselves, and read again to R8. */
GUEST(guest_reload, "mov (%rbx), %rax; mov %rcx, (%rdx); mov %cr3, %rsi; mov %rsi, %cr3;"
		    "mov (%rbx), %r8;" STOP);
GUEST(guest_invlpg, "mov (%rbx), %rax; mov %rcx, (%rdx); invlpg (%rbx); mov (%rbx), %r8;" STOP);

/* A guest that reads one page of its own, through tables of its own, and the page it may be sent to. */
struct pair {
	struct guest g;
	uint64_t *own, *first, *second;
};

/* The pages' first words are `one` and `two`; the first is at TEST_VA, RBX. */
struct pair new_pair(const void *code, uint64_t one, uint64_t two);

/* Runs it from `code` to its STOP: RAX. */
uint64_t run_from(struct pair *p, const void *code);

/* guest_reload and guest_invlpg: the change is seen without an exit. Of a pair of 1 and 2. */
void check_guest_flushes(struct pair *p);

/* Two guests in turn, of different nested tables, at the same gpa and gva. Of pairs of 1 and of 2. */
void share_addresses(struct pair *a, struct pair *b);

/* The host's own translations, by tables of its own, survive a guest's, and the other way round. */
void check_host_and_guest(struct pair *p, uint64_t *host);

/* The same guest on another CPU, with the nested table changed in between. Of a pair of 1 and 2. */
void check_moves_between_cpus(struct pair *p);

#endif

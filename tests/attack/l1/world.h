/* SPDX-License-Identifier: Apache-2.0 */
/* Guests that attacks are made of, and the outcome of an attack. */
#ifndef ATTACK_L1_WORLD_H
#define ATTACK_L1_WORLD_H

#include "lib/monitor.h"
#include "lib/smp.h"
#include "lib/trap.h"
#include "tests/attack/l1/hv.h"
#include "tests/attack/l1/victim.h"

/* Why a guest came out. */
enum came {
	CAME_SIGNAL,  /* it has done what it was told */
	CAME_STRING,  /* string I/O at STRING_PORT */
	CAME_PORT,    /* another port */
	CAME_FAULT,   /* its nested table */
	CAME_CALL,    /* a hypercall */
	CAME_REFUSED, /* it was not entered */
	CAME_OTHER,
};

/* A guest that runs victim.c. Pages are L1's own addresses: those of one kind are contiguous. */
struct vm {
	struct guest g;
	uint64_t *root;
	struct shared *shared;
	uint8_t *code, *tables;
	uint8_t *data[DATA_PAGES], *given[GIVEN_PAGES];
	uint64_t check[CHECKS]; /* as the victim told it; 0 before */
	uint64_t exit;          /* the last one */
	size_t mark;            /* of the page pool, before it */
	uint64_t born;          /* the monitor's last id of a guest, before it */
	bool over;              /* torn down */
	bool mute;              /* its only vCPU is lost */
};

/* Built, and never entered: its nested table can be changed still. */
struct vm *vm_new(void);

/* Enters it, on this CPU. vm_came() does that with another control structure for the same guest. */
enum came vm_enter(struct vm *vm);
enum came vm_came(struct vm *vm, struct guest *g);

/* Its first entry. */
bool vm_launch(struct vm *vm);

/* Gives it a command; true if it was carried out. vm_tell() does not enter it. */
bool vm_do(struct vm *vm, enum command command, uint64_t a, uint64_t b);
void vm_tell(struct vm *vm, enum command command, uint64_t a, uint64_t b);

/* Another vCPU of the guest's, at rip. */
struct guest vm_vcpu(struct vm *vm, const void *rip);

/* The entry of its nested table for gpa; that of a data page. */
uint64_t *vm_entry(struct vm *vm, uint64_t gpa);
uint64_t *data_entry(struct vm *vm, unsigned page);

/* An entry is stored by one MOV of 8 bytes. */
static inline void set_entry(uint64_t *entry, uint64_t value)
{
	__asm__ volatile("mov %1, %0" : "=m"(*entry) : "r"(value) : "memory");
}

/* Tears it down as Xen does, and takes its pages back. vm_drop() frees them too: the newest guest only. */
void vm_end(struct vm *vm);
void vm_drop(struct vm *vm);

/* One that is launched and has its secret; the attack's victim. Another that was started as well. */
struct vm *victim_new(void);
void victim_start(struct vm *vm);
void victim_is(struct vm *vm);

/* Whether memory has a word of the victim's secret, at a multiple of 8. */
bool has_secret(const struct vm *victim, const volatile void *memory, size_t size);

/* Whether it was stopped by the monitor; why, in words; whether it goes on, and found no change. */
bool vm_stopped(const struct vm *vm, const char **why);
bool vm_intact(struct vm *vm);

/* The outcome, in words for the table. The first one counts. */
void succeeded(const char *fmt, ...);
void failed(const char *fmt, ...);

/* By what the victim finds in its memory; by the secret in `memory`. */
void judge_change(struct vm *victim, const char *how);
void judge_secret(const struct vm *victim, const volatile void *memory, size_t size,
		  const char *where);

/* Several ways to do the same: without the monitor all must work, with it none. */
void way_begin(const char *name);
void way(bool worked);
void judge_ways(void);

/* fn(arg) runs on CPU 1 until it returns. */
void other_cpu(void (*fn)(void *), void *arg);
void other_cpu_wait(void);

/* For other_cpu(), with a struct run: enters the guest there. */
struct run {
	struct vm *vm;
	volatile enum came came;
};
void run_guest(void *arg);

/* A new page of L1's, filled with words that mean nothing. */
void *junk_page(void);

/* Runs the attacks that the command line asks for: only=PREFIX, from=NUMBER. */
struct attack;
void world_run(const struct attack *const *lists);

#endif

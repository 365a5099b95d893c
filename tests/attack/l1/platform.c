/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks by what ends an operating system: INITs at a CPU in the victim, another kernel in Xen's place. */
#include "lib/apic.h"
#include "lib/layout.h"
#include "lib/mem.h"
#include "lib/pages.h"
#include "lib/tables.h"
#include "tests/attack/l1/attacks.h"
#include "tests/attack/l1/race.h"

#define BURST 34u
#define GRAB \
	0x20000u /* L1's own code for a start-up IPI, below 1 MiB; it says 0x100, 0x120 itself */
#define GRAB_REGS 0x100
#define GRAB_DONE 0x120
#define REGS 8u
#define REG_EDX 2u /* tells the CPU's model */
#define FOUR_GIB_TABLES 6u

/* Stores what real mode sees of the registers. */
GUEST(grab,
      ".code16\n"
      "movl %eax, %cs:0x100\nmovl %ecx, %cs:0x104\nmovl %edx, %cs:0x108\nmovl %ebx, %cs:0x10c\n"
      "movl %esp, %cs:0x110\nmovl %ebp, %cs:0x114\nmovl %esi, %cs:0x118\nmovl %edi, %cs:0x11c\n"
      "movl $1, %cs:0x120\n1: hlt\njmp 1b");

/* The CPU goes from the victim to code of L1's by INIT and start-up IPI. Has it brought registers along? */
static bool brings_registers(void)
{
	volatile uint32_t *regs = (volatile uint32_t *)(uint64_t)(GRAB + GRAB_REGS);
	volatile uint32_t *done = (volatile uint32_t *)(uint64_t)(GRAB + GRAB_DONE);
	uint32_t any = 0;

	*done = 0;
	/* In VMX operation it is deaf until it has left that. */
	for (unsigned i = 0; i < 1000 && !*done; i++) {
		apic_send(1, ICR_INIT);
		apic_send(1, ICR_SIPI | GRAB >> PAGE_SHIFT);
		cpu_idle(100000);
	}
	CHECK(*done, "CPU 1 does not start at L1's code");
	for (unsigned i = 0; i < REGS; i++)
		any |= i == REG_EDX ? 0 : regs[i];
	return any;
}

/*
 * The victim runs on CPU 1 with its secret in registers, INITs and start-up IPIs take it out wherever it
 * is, and it is entered again.
 */
static void init_storm(void)
{
	struct vm *v = victim_new();
	volatile struct shared *says = v->shared;
	struct run r = {.vm = v};
	/* On a bare machine the victim is lost with the first INIT: nobody has saved its registers. */
	uint64_t rounds = monitor_present() ? option("rounds", 300) : 1;
	bool seen = false;

	if (!hv_takes_init()) {
		failed("not tried: this emulated CPU keeps each INIT for ever");
		return;
	}
	memcpy((void *)(uint64_t)GRAB, grab, (size_t)(grab_end - grab));
	vm_tell(v, VICTIM_SPIN_HOLD, 0, 0);
	for (uint64_t round = 0; round < rounds && !seen; round++) {
		uint64_t before = says->spins;

		guest_release(&v->g);
		other_cpu(run_guest, &r);
		CHECK(WAIT_FOR(says->spins > before), "CPU 1 does not run it: round %u", round);
		for (unsigned i = 0; i < BURST; i++) {
			cpu_idle(random_below(&dice, 2000) + 1);
			apic_send(1, i % 8 == 7 ? ICR_SIPI | GRAB >> PAGE_SHIFT : ICR_INIT);
		}
		seen = brings_registers() || has_secret(v, &v->g, sizeof(v->g)) ||
		       (hv_memory(&v->g) && has_secret(v, hv_memory(&v->g), PAGE_SIZE));
	}
	apic_send(1, ICR_INIT);
	says->stop = 1;
	if (monitor_present())
		CHECK(vm_enter(v) == CAME_SIGNAL && v->shared->reply,
		      "it does not go on with its registers: exit 0x%x", v->exit);
	if (seen)
		succeeded("registers of the victim's are to be had");
	judge_secret(v, v->data[0], PAGE_SIZE, "its memory, after a storm of INITs,");
}

/* Page tables of its own, as the next kernel would make them: 4 GiB, one to one. */
static uint64_t new_tables(void)
{
	uint64_t *t = pages_alloc(FOUR_GIB_TABLES, PAGE_SIZE);

	t[0] = (uint64_t)(t + PAGE_WORDS) | PTE_P | PTE_W;
	for (uint64_t i = 0; i < 4; i++)
		t[PAGE_WORDS + i] = (uint64_t)(t + (2 + i) * PAGE_WORDS) | PTE_P | PTE_W;
	for (uint64_t i = 0; i < 4 * PAGE_WORDS; i++)
		t[2 * PAGE_WORDS + i] = i * 2 * MIB | PTE_P | PTE_W | PTE_LARGE;
	return (uint64_t)t;
}

/*
 * As after a crash of Xen: the other CPUs are stopped, wherever they are, virtualization is off, and a new
 * kernel, which knows nothing of guests, reads all the memory that the old one had.
 */
static void crash_kernel(void)
{
	struct vm *v = victim_new();
	struct run r = {.vm = v};
	uint64_t start, end, old = read_cr3();
	size_t used = pages_mark();
	bool found;

	vm_tell(v, VICTIM_SPIN_HOLD, 0, 0);
	guest_release(&v->g);
	other_cpu(run_guest, &r);
	CHECK(WAIT_FOR(((volatile struct shared *)v->shared)->spins), "CPU 1 does not run it");
	apic_send(0, ICR_INIT | ICR_ALL_BUT_SELF);
	cpu_idle(1000000);
	hv_off();
	write_cr3(new_tables());
	pages_range(&start, &end);
	found = has_secret(v, (const void *)start, used);
	write_cr3(old);
	vendor_enable();
	v->shared->stop = 1;
	/* Without the monitor SVM has saved nothing of it. */
	if (monitor_present() || r.came == CAME_OTHER)
		CHECK(vm_enter(v) == CAME_SIGNAL && v->shared->reply,
		      "it does not go on: exit 0x%x", v->exit);
	if (found)
		succeeded("the secret is in memory");
	else
		failed("no secret in all the memory that L1 had given away");
}

const struct attack platform_attacks[] = {
	{"init-storm", init_storm},
	{"crash-kernel", crash_kernel},
	{NULL, NULL},
};

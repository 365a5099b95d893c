/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/panic.h"

#include "monitor/arch.h"
#include "monitor/cpu.h"
#include "monitor/hw.h"
#include "monitor/log.h"
#include "monitor/reset.h"

#define GATE_INTERRUPT 0x8e00 /* present, DPL 0, 64-bit interrupt gate: APM volume 2, 4.8.4 */
#define CODE_SELECTOR 0x08
#define VECTORS 32
#define STUB_SIZE 16

struct gate {
	uint16_t offset0;
	uint16_t selector;
	uint16_t flags;
	uint16_t offset1;
	uint32_t offset2;
	uint32_t reserved;
};

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

extern const char trap_stubs[], msr_try_start[], msr_try_end[], msr_try_failed[];
extern const struct table_pointer boot_gdtr;
static struct gate idt[VECTORS];
static bool dying;

static _Noreturn void stop(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

_Noreturn void die(const char *text)
{
	log_console(true);
	log_line("FATAL: %s", text);
	stop();
}

/* Only the first CPU that gets here goes on. */
static void take_over(void)
{
	if (__atomic_test_and_set(&dying, __ATOMIC_ACQ_REL))
		stop();
	log_seize();
}

/* Until L1 runs nothing is secret, and the boot CPU has no stack of its own. */
static _Noreturn void end(void)
{
	if (cpu_on_own_stack())
		halt_machine();
	cpu_halt_others();
	stop();
}

_Noreturn void panic(const char *text)
{
	take_over();
	log_line("PANIC: %s", text);
	end();
}

_Noreturn void assert_failed(const char *what, const char *file, int line)
{
	take_over();
	log_line("PANIC: %s:%d: assertion failed: %s", file, line, what);
	end();
}

/* The console is the host's, and general registers may hold a word of a key or of a guest's page. */
static void dump(const struct trap_frame *f)
{
	uint64_t cr2, cr3;

	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	log_line("PANIC: exception %lu, error %lx, on the CPU with APIC id %u", f->vector, f->error,
		 arch_cpuid(1, 0).b >> 24);
	log_line("rip %016lx cs %04lx rflags %08lx rsp %016lx", f->rip, f->cs, f->rflags, f->rsp);
	log_line("cr2 %016lx cr3 %016lx", cr2, cr3);
}

void trap(struct trap_frame *frame)
{
	uint64_t rip = frame->rip;

	if (frame->vector == VECTOR_NMI) {
		if (cpu_on_own_stack())
			cpu_this()->nmi_seen = true;
		for (const struct nmi_window *w = hw_nmi_windows; w->start; w++)
			if (rip >= w->start && rip < w->end)
				frame->rip = w->end;
		return;
	}
	if (frame->vector == VECTOR_SX) {
		cpu_this()->init_pending = true;
		return;
	}
	if ((frame->vector == VECTOR_GP || frame->vector == VECTOR_PF) &&
	    rip >= (uint64_t)msr_try_start && rip < (uint64_t)msr_try_end) {
		frame->rip = (uint64_t)msr_try_failed;
		return;
	}
	take_over();
	dump(frame);
	end();
}

const void *trap_table(void)
{
	_Static_assert(sizeof(idt) == TRAP_TABLE_SIZE, "32 gates");
	return idt;
}

void trap_init(void)
{
	struct table_pointer idtr = {sizeof(idt) - 1, (uint64_t)idt};

	for (unsigned int i = 0; i < VECTORS; i++) {
		uint64_t stub = (uint64_t)trap_stubs + i * STUB_SIZE;

		idt[i] = (struct gate){(uint16_t)stub,         CODE_SELECTOR,
				       GATE_INTERRUPT,         (uint16_t)(stub >> 16),
				       (uint32_t)(stub >> 32), 0};
	}
	__asm__ volatile("lgdt %0; lidt %1" ::"m"(boot_gdtr), "m"(idtr));
}

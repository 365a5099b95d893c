/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/exit.h"

#include "ept/format.h"
#include "ept/host.h"
#include "monitor/apic.h"
#include "monitor/bios_call.h"
#include "monitor/call.h"
#include "monitor/guest.h"
#include "monitor/hw.h"
#include "monitor/hypercall.h"
#include "monitor/icr.h"
#include "monitor/irq_devices.h"
#include "monitor/log.h"
#include "monitor/mem.h"
#include "monitor/msr.h"
#include "monitor/panic.h"
#include "monitor/pci_config.h"
#include "monitor/port.h"
#include "monitor/power.h"
#include "monitor/reset.h"

#define CPUID_OSXSAVE (1u << 27) /* leaf 1, ECX */
#define CPUID_OSPKE (1u << 4)    /* leaf 7, ECX */
#define REFUSALS_LOGGED 100      /* the log is small and L1 can provoke any number */

static void refuse(struct cpu *cpu, const char *what, uint64_t where)
{
	static uint32_t refused;

	if (__atomic_add_fetch(&refused, 1, __ATOMIC_RELAXED) <= REFUSALS_LOGGED)
		log_line("refused: %s %lx at rip %lx on CPU %u", what, where, cpu->regs.rip,
			 cpu->index);
	hw_host_inject(cpu, VECTOR_GP, 0);
}

void exit_complete(struct cpu *cpu)
{
	int len = hw_host_insn_len(cpu);

	/* The CPU has just executed it; what cannot be read any more was taken away by L1 itself. */
	if (len <= 0)
		refuse(cpu, "an instruction that changed while it ran,", cpu->regs.rip);
	else
		hw_host_complete(cpu, (unsigned int)len);
}

/* Bits that mirror CR4 show the monitor's when the monitor executes CPUID: put L1's there. */
static void mirror_cr4(const struct cpu *cpu, uint32_t leaf, struct cpuid *r)
{
	struct walk_space space;

	hw_host_space(cpu, &space);
	if (leaf == 1)
		r->c = (r->c & ~CPUID_OSXSAVE) | (space.cr4 & CR4_OSXSAVE ? CPUID_OSXSAVE : 0);
	else if (leaf == 7)
		r->c = (r->c & ~CPUID_OSPKE) | (space.cr4 & CR4_PKE ? CPUID_OSPKE : 0);
}

static void do_cpuid(struct cpu *cpu)
{
	uint32_t leaf = (uint32_t)cpu->regs.r[RAX];
	struct cpuid r;

	hw_host_cpuid(cpu, leaf, (uint32_t)cpu->regs.r[RCX], &r);
	mirror_cr4(cpu, leaf, &r);
	cpu->regs.r[RAX] = r.a;
	cpu->regs.r[RBX] = r.b;
	cpu->regs.r[RCX] = r.c;
	cpu->regs.r[RDX] = r.d;
	exit_complete(cpu);
}

static void do_msr(struct cpu *cpu, bool write)
{
	if (msr_access(cpu, write))
		hw_host_inject(cpu, VECTOR_GP, 0);
	else
		exit_complete(cpu);
}

bool exit_may_repeat(struct cpu *cpu, hpa_t fault)
{
	if (!host_allows(fault, TABLE_RWX) && host_fill(fault))
		return !host_map_device(fault);
	hw_flush(cpu);
	return true;
}

/*
 * L1 touched what the host table does not give it. The monitor's memory answers with #GP, as a
 * non-canonical address would: L1's software takes it for the access it is, an error.
 */
static void do_fault(struct cpu *cpu, const struct exit *exit)
{
	if (mem_is_monitor(exit->fault)) {
		refuse(cpu, exit->write ? "write to monitor memory" : "read of monitor memory",
		       exit->fault.a);
		return;
	}
	if (exit->write && !exit->in_walk &&
	    (icr_page_write(cpu, exit->fault) || irq_devices_write(cpu, exit->fault) ||
	     pci_config_store(cpu, exit->fault) || power_store(cpu, exit->fault)))
		return;
	if (protect_touch(cpu, exit->fault, exit->write, exit->in_walk))
		return;
	if (!exit_may_repeat(cpu, exit->fault))
		refuse(cpu, "access to", exit->fault.a);
}

static void do_hypercall(struct cpu *cpu)
{
	if (bios_call(cpu))
		return;
	if ((uint32_t)cpu->regs.r[RAX] != HYPERCALL_MAGIC) {
		hw_host_no_hypercall(cpu);
		return;
	}
	hypercall(cpu);
	exit_complete(cpu);
}

void exit_host(struct cpu *cpu, const struct exit *exit)
{
	switch (exit->reason) {
	case EXIT_CPUID:
		do_cpuid(cpu);
		break;
	case EXIT_MSR_READ:
	case EXIT_MSR_WRITE:
		do_msr(cpu, exit->reason == EXIT_MSR_WRITE);
		break;
	case EXIT_NESTED_FAULT:
		do_fault(cpu, exit);
		break;
	case EXIT_PORT:
		port_access(cpu, exit);
		break;
	case EXIT_HYPERCALL:
		do_hypercall(cpu);
		break;
	case EXIT_CACHE:
		/* INVD would throw away what other CPUs and the monitor wrote (R4). */
		__asm__ volatile("wbinvd" ::: "memory");
		exit_complete(cpu);
		break;
	case EXIT_SHUTDOWN:
		log_line("L1 ran into a triple fault at rip %lx: resetting the machine",
			 cpu->regs.rip);
		reset_machine();
	default:
		/* An instruction that is newer than the monitor, and exits whatever is set. */
		refuse(cpu, "an exit nobody asked for,", exit->reason);
	}
}

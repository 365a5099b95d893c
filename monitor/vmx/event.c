/* SPDX-License-Identifier: Apache-2.0 */
/* NMI and INIT for L1, and the monitor's own NMIs. */
#include "monitor/vmx/vmx.h"

#define NMI_EVENT (EVENT_VALID | EVENT_TYPE_NMI << 8 | VECTOR_NMI)
#define BLOCKED_ANY (BLOCKED_STI | BLOCKED_MOV_SS | BLOCKED_NMI)

/*
 * The NMI that made this CPU come out has been taken by the exit and blocks others until an IRET:
 * the handler runs by hand, notes the NMI and returns with one. An INIT comes as an exit of its own;
 * L1's are carried out when L1 writes them, so this is a device's, and does the same to L1.
 */
void vmx_nmi_exit(struct cpu *cpu)
{
	if ((uint16_t)vmx_read(VMCS_EXIT_REASON) == REASON_INIT) {
		cpu->init_pending = true;
		return;
	}
	__asm__ volatile("int $2" ::: "memory");
}

/* An exit when the NMI can be taken: L1's or L2's VMCS, whichever is current. */
static void set_window(struct cpu *cpu, bool on)
{
	uint64_t controls = vmx_read(VMCS_CPU_CONTROLS) & ~(uint64_t)CPU_NMI_WINDOW;

	vmx_write(VMCS_CPU_CONTROLS, controls | (on ? CPU_NMI_WINDOW : 0));
	cpu->hw->nmi_window = on;
}

void vmx_close_window(struct cpu *cpu)
{
	set_window(cpu, false);
}

/* Into L1, or into an L2 that L1 has not asked for NMI exits of. */
static void deliver_nmi(struct cpu *cpu, bool l1_window)
{
	bool blocked = (vmx_read(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKED_ANY) ||
		       (vmx_read(VMCS_ENTRY_EVENT) & EVENT_VALID);

	if (cpu->nmi_pending && !blocked) {
		vmx_write(VMCS_ENTRY_EVENT, NMI_EVENT);
		cpu->nmi_pending = false;
	}
	set_window(cpu, cpu->nmi_pending || l1_window);
}

/* SDM vol. 3, 26.2: INIT and, if L1 asked for it, NMI make L2 exit. */
static void deliver_to_guest(struct cpu *cpu)
{
	const uint64_t *f = cpu->hw->current.f;

	if (cpu->init_pending) {
		cpu->init_pending = false;
		vmx_reflect_event(cpu, REASON_INIT, 0, 0);
	} else if (!(f[F_PIN_CONTROLS] & PIN_NMI) && !cpu->hw->running->guest->isolated) {
		deliver_nmi(cpu, f[F_CPU_CONTROLS] & CPU_NMI_WINDOW);
	} else {
		cpu->nmi_pending = false;
		vmx_reflect_event(cpu, REASON_EXCEPTION, NMI_EVENT, 0);
	}
}

bool hw_host_blocks_init(const struct cpu *cpu)
{
	return cpu->hw->vmxon && !cpu->hw->running;
}

void vmx_deliver(struct cpu *cpu)
{
	cpu_nmi(cpu);
	cpu_serve(cpu);
	if (cpu->hw->running && (cpu->init_pending || cpu->nmi_pending))
		deliver_to_guest(cpu);
	if (cpu->hw->running)
		return;
	if (!hw_host_blocks_init(cpu))
		cpu_start_up(cpu);
	if (cpu->nmi_pending || cpu->hw->nmi_window)
		deliver_nmi(cpu, false);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/cpu.h"

#include "ept/host.h"
#include "monitor/apic.h"
#include "monitor/arch.h"
#include "monitor/boot/tboot.h"
#include "monitor/hw.h"
#include "monitor/icr.h"
#include "monitor/iommu/iommu.h"
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/mem.h"
#include "monitor/panic.h"
#include "monitor/reset.h"

#define STOP_TRIES 10000
#define STOP_WAIT 100           /* microseconds */
#define START_TRIES 2           /* start-up IPIs */
#define START_WAIT 20000000000u /* TSC ticks until a CPU that does not answer is given up */

extern const char trampoline[], trampoline_end[];
extern uint64_t ap_cr3, ap_stack;
void ap_main(void);

static unsigned int count;
static struct cpu cpus[CPU_MAX];
static char *stacks[CPU_MAX];
static void (*ap_fn)(struct cpu *);
static unsigned int halted;     /* CPUs that have stopped for good */
static struct cpu *ap_starting; /* cleared by the CPU that came up */

unsigned int cpu_count(void)
{
	return count;
}

struct cpu *cpu_at(unsigned int index)
{
	return &cpus[index];
}

/* The lowest word of each stack, which is aligned to its size, points at its CPU. */
struct cpu *cpu_this(void)
{
	uint64_t sp = (uint64_t)__builtin_frame_address(0);

	return *(struct cpu **)ALIGN_DOWN(sp, CPU_STACK_SIZE);
}

bool cpu_on_own_stack(void)
{
	uint64_t sp = (uint64_t)__builtin_frame_address(0);

	return count && sp >= (uint64_t)stacks[0] &&
	       sp <= (uint64_t)stacks[count - 1] + CPU_STACK_SIZE;
}

void cpu_init(const uint32_t *apic_id, unsigned int n)
{
	size_t pages = CPU_STACK_SIZE / PAGE_SIZE;
	char *block;

	ASSERT(n >= 1 && n <= CPU_MAX);
	/* One stack more than needed, so that the first can be aligned. */
	block = mem_pages((n + 1) * pages);
	block = (char *)ALIGN_UP((uint64_t)block, CPU_STACK_SIZE);
	for (unsigned int i = 0; i < n; i++) {
		cpus[i].index = i;
		cpus[i].apic_id = apic_id[i];
		cpus[i].waiting = true;
		stacks[i] = block + i * CPU_STACK_SIZE;
		*(struct cpu **)stacks[i] = &cpus[i];
	}
	count = n;
}

_Noreturn void cpu_on_stack(struct cpu *cpu, void (*fn)(struct cpu *))
{
	char *top = stacks[cpu->index] + CPU_STACK_SIZE;

	__asm__ volatile("mov %0, %%rsp; xor %%ebp, %%ebp; call *%1; ud2" ::"r"(top), "r"(fn),
			 "D"(cpu));
	__builtin_unreachable();
}

/* A write to port 0x80, which nobody listens to, takes about a microsecond on any PC. */
void cpu_delay(unsigned int microseconds)
{
	while (microseconds--)
		arch_outb(0x80, 0);
}

void cpu_started(void)
{
	__atomic_store_n(&ap_starting, NULL, __ATOMIC_RELEASE);
}

/* Where a started CPU arrives, on its own stack, with the final page tables. */
void ap_main(void)
{
	struct cpu *cpu = cpu_this();

	trap_init();
	ap_fn(cpu);
	panic("a CPU's main function returned");
}

static void send_init_sipi(uint32_t apic_id, hpa_t low)
{
	apic_send(apic_id, ICR_MODE_INIT | ICR_ASSERT);
	cpu_delay(10000);
	for (int i = 0; i < START_TRIES; i++) {
		apic_send(apic_id, ICR_MODE_SIPI | ICR_ASSERT | (uint32_t)(low.a >> 12));
		cpu_delay(200);
	}
}

static bool start_one(struct cpu *cpu, hpa_t low)
{
	__atomic_store_n(&ap_starting, cpu, __ATOMIC_RELEASE);
	*(uint64_t *)mem_at(HPA(&ap_stack)) = (uint64_t)stacks[cpu->index] + CPU_STACK_SIZE;
	if (!tboot_wake(cpu->apic_id, low))
		send_init_sipi(cpu->apic_id, low);
	for (uint64_t start = arch_rdtsc(); arch_rdtsc() - start < START_WAIT; arch_pause())
		if (!__atomic_load_n(&ap_starting, __ATOMIC_ACQUIRE))
			return true;
	return false;
}

unsigned int cpu_start_others(hpa_t low, void (*fn)(struct cpu *))
{
	unsigned int up = 0;

	memcpy(mem_at(low), trampoline, (size_t)(trampoline_end - trampoline));
	/* The trampoline reads these where the image was loaded: their link address. */
	*(uint64_t *)mem_at(HPA(&ap_cr3)) = mem_cr3();
	ap_fn = fn;
	for (unsigned int i = 1; i < count; i++) {
		if (start_one(&cpus[i], low))
			up++;
		else
			log_line("CPU with APIC id %u did not start", cpus[i].apic_id);
	}
	return up;
}

/* At most one NMI of ours is under way to a CPU, so that each one taken can be told from L1's. */
static void kick(struct cpu *cpu)
{
	if (!__atomic_test_and_set(&cpu->kicked, __ATOMIC_SEQ_CST))
		apic_send(cpu->apic_id, ICR_MODE_NMI | ICR_ASSERT);
}

void cpu_nmi(struct cpu *cpu)
{
	if (!cpu->nmi_seen)
		return;
	cpu->nmi_seen = false;
	if (!__atomic_exchange_n(&cpu->kicked, false, __ATOMIC_SEQ_CST))
		cpu->nmi_pending = true;
}

/* Between two looks at another CPU: serves what that one, or a third, may be waiting for. */
static void idle(struct cpu *self)
{
	cpu_serve(self);
	arch_pause();
}

void cpu_request(struct cpu *cpu, uint32_t requests)
{
	struct cpu *self = cpu_this();

	__atomic_or_fetch(&cpu->requests, requests, __ATOMIC_SEQ_CST);
	kick(cpu);
	while (__atomic_load_n(&cpu->requests, __ATOMIC_ACQUIRE) & requests)
		idle(self);
}

void cpu_halt_others(void)
{
	const struct cpu *self = cpu_this();

	for (unsigned int i = 0; i < count; i++) {
		if (&cpus[i] == self)
			continue;
		__atomic_or_fetch(&cpus[i].requests, CPU_HALT, __ATOMIC_SEQ_CST);
		kick(&cpus[i]);
	}
}

void cpu_stop_others(void)
{
	cpu_halt_others();
	for (unsigned int i = 0; i < STOP_TRIES; i++) {
		if (__atomic_load_n(&halted, __ATOMIC_ACQUIRE) + 1 >= count)
			return;
		cpu_delay(STOP_WAIT);
	}
	log_line("a CPU does not stop");
}

void cpu_start_up(struct cpu *cpu)
{
	if (cpu->init_pending) {
		hw_host_reset(cpu);
		cpu->waiting = true;
	}
	if (!cpu->waiting)
		return;
	for (;;) {
		cpu_serve(cpu);
		cpu->init_pending = false;
		if (cpu->sipi_pending)
			break;
		hw_sleep(&cpu->nmi_seen);
		cpu_nmi(cpu);
	}
	cpu->sipi_pending = false;
	cpu->nmi_pending = false;
	cpu->waiting = false;
	hw_host_sipi(cpu, cpu->sipi_vector);
	cpu->regs.rip = 0;
}

void phys_relax(void)
{
	idle(cpu_this());
}

static bool flushed(const struct cpu *cpu, uint32_t ticket)
{
	return (int32_t)(__atomic_load_n(&cpu->flush_done, __ATOMIC_ACQUIRE) - ticket) >= 0;
}

/* Those of the CPUs in the mask have flushed when it returns. */
static void flush(uint64_t mask)
{
	struct cpu *self = cpu_this();
	uint32_t ticket[CPU_MAX] = {0};

	for (unsigned int i = 0; i < count; i++) {
		if (!(mask >> i & 1))
			continue;
		ticket[i] = __atomic_add_fetch(&cpus[i].flush_wanted, 1, __ATOMIC_SEQ_CST);
		if (&cpus[i] != self)
			kick(&cpus[i]);
	}
	cpu_serve(self);
	for (unsigned int i = 0; i < count; i++)
		while ((mask >> i & 1) && !flushed(&cpus[i], ticket[i]))
			idle(self);
}

void phys_flush(void)
{
	uint32_t retired = host_retired();

	iommu_flush();
	flush(UINT64_MAX);
	host_release(retired);
}

void phys_flush_guest(unsigned int guest)
{
	uint64_t mask = 0;

	if (host_retires_no_more()) {
		phys_flush();
		return;
	}
	/* A CPU that meets the guest only now sees its table, and its state, as they are. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned int c = 0; c < count; c++)
		mask |= (uint64_t)cpu_knows(&cpus[c], guest) << c;
	flush(mask);
}

static _Noreturn void halt_for_ever(void)
{
	hw_cpu_disable();
	__atomic_add_fetch(&halted, 1, __ATOMIC_RELEASE);
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void serve_flush(struct cpu *cpu)
{
	uint32_t wanted = __atomic_load_n(&cpu->flush_wanted, __ATOMIC_ACQUIRE);

	if (wanted == cpu->flush_done)
		return;
	hw_flush(cpu);
	cpu_forgets(cpu);
	__atomic_store_n(&cpu->flush_done, wanted, __ATOMIC_RELEASE);
}

void cpu_serve(struct cpu *cpu)
{
	uint32_t requests;

	serve_flush(cpu);
	if (!__atomic_load_n(&cpu->requests, __ATOMIC_ACQUIRE))
		return;
	requests = __atomic_exchange_n(&cpu->requests, 0, __ATOMIC_ACQ_REL);
	if (requests & CPU_HALT)
		halt_for_ever();
	if (requests & CPU_RESET)
		reset_machine();
	icr_arrived(cpu, requests);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/fake/cpu.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "ept/host.h"
#include "ept/phys.h"
#include "monitor/digest.h"
#include "monitor/iommu/iommu.h"
#include "monitor/panic.h"
#include "monitor/reset.h"

#define CPUID_LEAVES 8

const char hw_name[8] = "fake";
const uint8_t hw_hypercall_insn[3] = {0x0f, 0x01, 0xd9};

static struct {
	unsigned int count;
	struct cpu cpu[FAKE_CPUS_MAX];
	struct hw_cpu hw[FAKE_CPUS_MAX];
	unsigned int vcpus;
	struct hw_vcpu vcpu[256];
	struct {
		uint32_t leaf;
		struct cpuid value;
	} cpuid[CPUID_LEAVES];
	unsigned int cpuid_count;
	bool (*next)(struct cpu *cpu, struct exit *exit);
	const char *panic_text;
	struct last_write last[LAST_WRITES_MAX];
	unsigned int last_count;
	bool running;
	jmp_buf end;
} m;

static _Thread_local struct cpu *this_cpu;

/* --- the test's side ------------------------------------------------------------------------- */

void fake_cpus(unsigned int n)
{
	uint32_t id[FAKE_CPUS_MAX] = {0};

	ASSERT(n <= FAKE_CPUS_MAX);
	memset(&m, 0, sizeof(m));
	for (unsigned int i = 0; i < n; i++)
		id[i] = FAKE_APIC_ID(i);
	cpu_init(id, n);
	for (unsigned int i = 0; i < n; i++) {
		hw_cpu_prepare(&m.cpu[i]);
		hw_cpu_enable(&m.cpu[i]);
		hw_host_flat(&m.cpu[i]);
		fake_forget(&m.cpu[i]);
	}
	fake_become(&m.cpu[0]);
}

void fake_become(struct cpu *cpu)
{
	this_cpu = cpu;
}

void fake_forget(struct cpu *cpu)
{
	struct hw_cpu *hw = cpu->hw;

	memset(&hw->completed, 0, sizeof(*hw) - offsetof(struct hw_cpu, completed));
}

static _Noreturn void stop(enum fake_end why, const char *text)
{
	m.panic_text = text;
	if (!m.running)
		abort();
	longjmp(m.end, (int)why);
}

static enum fake_end run(struct cpu *cpu, const struct exit *exit)
{
	/* The values of enum fake_end but FAKE_RETURNED, which is 0. */
	enum fake_end end = (enum fake_end)setjmp(m.end);

	if (end == FAKE_RETURNED) {
		m.running = true;
		fake_catch();
		fake_become(cpu);
		if (exit)
			exit_host(cpu, exit);
		else
			hw_run(cpu);
	}
	m.running = false;
	return end;
}

enum fake_end fake_exit(struct cpu *cpu, const struct exit *exit)
{
	return run(cpu, exit);
}

enum fake_end fake_run(struct cpu *cpu, bool (*next)(struct cpu *cpu, struct exit *exit))
{
	m.next = next;
	return run(cpu, NULL);
}

const char *fake_panic_text(void)
{
	return m.panic_text;
}

const struct last_write *fake_last_writes(unsigned int *n)
{
	*n = m.last_count;
	return m.last;
}

void fake_set_cpuid(uint32_t leaf, struct cpuid value)
{
	ASSERT(m.cpuid_count < CPUID_LEAVES);
	m.cpuid[m.cpuid_count].leaf = leaf;
	m.cpuid[m.cpuid_count++].value = value;
}

/* --- monitor/panic.h, monitor/reset.h -------------------------------------------------------- */

_Noreturn void panic(const char *text)
{
	stop(FAKE_PANIC, text);
}

_Noreturn void die(const char *text)
{
	stop(FAKE_PANIC, text);
}

_Noreturn void reset_machine(void)
{
	stop(FAKE_RESET, NULL);
}

_Noreturn void power_off(const struct last_write *last, unsigned int n)
{
	ASSERT(n <= LAST_WRITES_MAX);
	memcpy(m.last, last, n * sizeof(*last));
	m.last_count = n;
	stop(FAKE_OFF, NULL);
}

/* --- monitor/cpu.h --------------------------------------------------------------------------- */

void cpu_init(const uint32_t *apic_id, unsigned int n)
{
	ASSERT(n >= 1 && n <= FAKE_CPUS_MAX);
	for (unsigned int i = 0; i < n; i++) {
		m.cpu[i].index = i;
		m.cpu[i].apic_id = apic_id[i];
		m.cpu[i].waiting = true;
	}
	m.count = n;
}

unsigned int cpu_count(void)
{
	return m.count;
}

struct cpu *cpu_at(unsigned int index)
{
	ASSERT(index < m.count);
	return &m.cpu[index];
}

struct cpu *cpu_this(void)
{
	return this_cpu;
}

/* The bits stay for the test to see: no CPU comes by to serve them. */
void cpu_request(struct cpu *cpu, uint32_t requests)
{
	__atomic_or_fetch(&cpu->requests, requests, __ATOMIC_SEQ_CST);
}

void phys_flush(void)
{
	uint32_t retired = host_retired();

	iommu_flush();
	for (unsigned int i = 0; i < m.count; i++) {
		hw_flush(&m.cpu[i]);
		cpu_forgets(&m.cpu[i]);
	}
	host_release(retired);
}

void phys_flush_guest(unsigned int guest)
{
	for (unsigned int i = 0; i < m.count; i++) {
		if (!cpu_knows(&m.cpu[i], guest))
			continue;
		hw_flush(&m.cpu[i]);
		cpu_forgets(&m.cpu[i]);
	}
}

/* --- monitor/hw.h ---------------------------------------------------------------------------- */

int hw_check(const char **why)
{
	*why = "";
	return 0;
}

unsigned int hw_address_bits(void)
{
	return 40;
}

void hw_cpu_prepare(struct cpu *cpu)
{
	cpu->hw = &m.hw[cpu->index];
}

struct hw_vcpu *hw_vcpu_create(void)
{
	struct hw_vcpu *v = &m.vcpu[m.vcpus];

	ASSERT(m.vcpus < ARRAY_SIZE(m.vcpu));
	v->number = m.vcpus++;
	return v;
}

void hw_cpu_enable(struct cpu *cpu)
{
	hw_host_reset(cpu);
}

_Noreturn void hw_run(struct cpu *cpu)
{
	struct exit exit;

	while (m.next(cpu, &exit))
		exit_host(cpu, &exit);
	stop(FAKE_NO_MORE, NULL);
}

void hw_host_reset(struct cpu *cpu)
{
	struct hw_cpu *hw = cpu->hw;

	hw->space = (struct walk_space){.cr0 = CR0_ET, .phys_bits = 40};
	memset(hw->segment, 0, sizeof(hw->segment));
	hw->segment[SEG_CS] = 0xffff0000;
	hw->mode = DECODE_16;
	hw->resets++;
	memset(&cpu->regs, 0, sizeof(cpu->regs));
	cpu->regs.rip = 0xfff0;
	cpu->regs.rflags = RFLAGS_FIXED;
}

void hw_host_sipi(struct cpu *cpu, uint8_t vector)
{
	cpu->hw->segment[SEG_CS] = (uint64_t)vector << 12;
	cpu->hw->sipi_vector = vector;
	cpu->hw->started++;
}

void hw_host_flat(struct cpu *cpu)
{
	cpu->hw->segment[SEG_CS] = 0;
	cpu->hw->space.cr0 = CR0_PE | CR0_ET;
	cpu->hw->mode = DECODE_32;
}

void hw_host_space(const struct cpu *cpu, struct walk_space *space)
{
	*space = cpu->hw->space;
}

enum decode_mode hw_host_mode(const struct cpu *cpu)
{
	return cpu->hw->mode;
}

/* FS and GS have a base in every mode. */
uint64_t hw_host_segment(const struct cpu *cpu, unsigned int seg)
{
	ASSERT(seg < SEG_COUNT);
	if (cpu->hw->mode == DECODE_64 && seg != SEG_FS && seg != SEG_GS)
		return 0;
	return cpu->hw->segment[seg];
}

int hw_host_insn_len(struct cpu *cpu)
{
	uint8_t bytes[DECODE_MAX];
	size_t n = walk_fetch(&cpu->hw->space, GVA(hw_host_segment(cpu, SEG_CS) + cpu->regs.rip),
			      bytes, sizeof(bytes));

	return decode_length(bytes, n, cpu->hw->mode);
}

/* A guest runs in what the test has put into the same places. */
void hw_guest_space(const struct cpu *cpu, struct walk_space *space)
{
	hw_host_space(cpu, space);
}

enum decode_mode hw_guest_mode(const struct cpu *cpu)
{
	return hw_host_mode(cpu);
}

uint64_t hw_guest_segment(const struct cpu *cpu, unsigned int seg)
{
	return hw_host_segment(cpu, seg);
}

/* Of an instruction in a guest's memory. */
int hw_guest_insn_len(struct cpu *cpu)
{
	return cpu->hw->guest_insn_len;
}

void hw_guest_complete(struct cpu *cpu)
{
	hw_host_complete(cpu, (unsigned int)cpu->hw->guest_insn_len);
}

void hw_guest_state(struct cpu *cpu, uint64_t *state)
{
	memcpy(state, cpu->hw->guest_state, sizeof(cpu->hw->guest_state));
	memcpy(state, cpu->regs.r, sizeof(cpu->regs.r));
	state[DIGEST_RIP] = cpu->regs.rip;
	state[DIGEST_RFLAGS] = cpu->regs.rflags;
}

const bool hw_keeps_guest = true;

void hw_guest_entry(const struct cpu *cpu, struct hw_entry *entry)
{
	*entry = cpu->hw->entry;
}

void hw_guest_offer(const struct cpu *cpu, struct hw_offer *offer)
{
	const uint64_t *state = cpu->hw->guest_state;
	const uint64_t *cs = &state[DIGEST_SEGMENT + 4 * SEG_CS];

	*offer = (struct hw_offer){.cs_base = cs[1],
				   .cs_selector = (uint16_t)cs[0],
				   .rip = cpu->regs.rip,
				   .cr0 = state[DIGEST_CR0],
				   .efer = state[DIGEST_EFER]};
}

void hw_guest_reset(struct cpu *cpu, uint8_t vector)
{
	cpu->hw->began++;
	cpu->hw->sipi_vector = vector;
	cpu->regs = (struct regs){.rflags = RFLAGS_FIXED};
}

void hw_guest_moved(struct cpu *cpu)
{
	cpu->hw->moved++;
	cpu->hw->entry.shadow = false;
}

void hw_guest_deliver(struct cpu *cpu, const struct injection *event)
{
	cpu->hw->entry.event = *event;
}

void hw_guest_takes(struct cpu *cpu, const struct injection *event)
{
	cpu->hw->took++;
	cpu->hw->vector = event->vector;
}

/* As far as no processor may have such. */
bool hw_guest_control(struct cpu *cpu, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	if ((cr0 & CR0_PG) && !(cr0 & CR0_PE))
		return false;
	cpu->hw->space.cr0 = cr0;
	cpu->hw->space.cr4 = cr4;
	cpu->hw->space.efer = efer;
	return true;
}

/* In place of monitor/fpu.c, which is a matter of real registers. */
void fpu_create(struct fpu *f)
{
}

bool fpu_xsetbv(struct cpu *cpu, struct guest_vcpu *v, uint32_t xcr, uint64_t value)
{
	if (xcr || !(value & 1))
		return false;
	cpu->hw->xcr0 = value;
	return true;
}

void hw_host_complete(struct cpu *cpu, unsigned int len)
{
	cpu->regs.rip += len;
	if (cpu->hw->mode != DECODE_64)
		cpu->regs.rip &= UINT32_MAX;
	cpu->hw->completed++;
	cpu->hw->insn_len = len;
}

void hw_host_inject(struct cpu *cpu, unsigned int vector, uint32_t error_code)
{
	cpu->hw->injected++;
	cpu->hw->vector = vector;
	cpu->hw->error_code = error_code;
}

/* EFER is the one register that the software machine keeps for L1. */
int hw_host_msr_read(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	if (msr != MSR_EFER)
		return ERR_NOENT;
	*value = cpu->hw->space.efer;
	return 0;
}

int hw_host_msr_write(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	if (msr != MSR_EFER)
		return ERR_NOENT;
	if (value & ~(uint64_t)(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE))
		return ERR_INVAL;
	cpu->hw->space.efer = value;
	return 0;
}

void hw_host_cpuid(struct cpu *cpu, uint32_t leaf, uint32_t subleaf, struct cpuid *out)
{
	*out = (struct cpuid){0};
	for (unsigned int i = 0; i < m.cpuid_count; i++)
		if (m.cpuid[i].leaf == leaf)
			*out = m.cpuid[i].value;
}

void hw_flush(struct cpu *cpu)
{
	__atomic_add_fetch(&cpu->hw->flushed, 1, __ATOMIC_RELAXED);
}

void hw_host_no_hypercall(struct cpu *cpu)
{
	hw_host_inject(cpu, VECTOR_UD, 0);
}

bool hw_host_blocks_init(const struct cpu *cpu)
{
	return cpu->hw->blocks_init;
}

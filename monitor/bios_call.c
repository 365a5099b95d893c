/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/bios_call.h"

#include "monitor/boot/bios.h"
#include "monitor/hw.h"
#include "monitor/lib.h"
#include "monitor/mem.h"

#define IVT_INT15 (0x15 * 4)
#define STACK_FLAGS 4 /* INT pushed IP, CS and FLAGS */

extern const char int15_stub[], int15_iret[], int15_chain[], int15_stub_end[];

static hpa_t stub;
static const struct memmap *l1_map;

void bios_call_init(hpa_t low, const struct memmap *map)
{
	char *page = mem_at(low);
	uint16_t far[2] = {0, (uint16_t)(low.a >> 4)};

	stub = low;
	l1_map = map;
	memset(page, 0, PAGE_SIZE);
	memcpy(page, int15_stub, (size_t)(int15_stub_end - int15_stub));
	memcpy(page, hw_hypercall_insn, sizeof(hw_hypercall_insn));
	/* The far jump behind the opcode goes where the vector went. */
	memcpy(page + (int15_chain - int15_stub) + 1, mem_at(HPA(IVT_INT15)), sizeof(far));
	memcpy(mem_at(HPA(IVT_INT15)), far, sizeof(far));
}

static void put_low(uint64_t *reg, uint32_t value)
{
	*reg = (*reg & ~(uint64_t)UINT32_MAX) | value;
}

/* False if the caller's buffer or stack is not memory: then the BIOS may have it. */
static bool store_answer(struct cpu *cpu, const struct bios_answer *answer)
{
	uint64_t *r = cpu->regs.r;
	uint64_t flags_at = hw_host_segment(cpu, SEG_SS) + (uint16_t)(r[RSP] + STACK_FLAGS);
	uint64_t entry_at = hw_host_segment(cpu, SEG_ES) + (uint16_t)r[RDI];
	uint16_t *flags = phys_host_rw(HPA(flags_at), sizeof(*flags));
	void *entry = phys_host_rw(HPA(entry_at), answer->len);
	uint16_t value;

	if (!flags || (answer->len && !entry))
		return false;
	if (answer->len)
		memcpy(entry, answer->entry, answer->len);
	memcpy(&value, flags, sizeof(value));
	value = (uint16_t)((value & ~RFLAGS_CF) | (answer->carry ? RFLAGS_CF : 0));
	memcpy(flags, &value, sizeof(value));
	put_low(&r[RAX], answer->regs.eax);
	put_low(&r[RBX], answer->regs.ebx);
	put_low(&r[RCX], answer->regs.ecx);
	put_low(&r[RDX], answer->regs.edx);
	return true;
}

bool bios_call(struct cpu *cpu)
{
	const uint64_t *r = cpu->regs.r;
	struct bios_regs in = {(uint32_t)r[RAX], (uint32_t)r[RBX], (uint32_t)r[RCX],
			       (uint32_t)r[RDX]};
	struct bios_answer answer;
	struct walk_space space;
	bool served;

	hw_host_space(cpu, &space);
	if (!stub.a || (space.cr0 & CR0_PE) ||
	    hw_host_segment(cpu, SEG_CS) + cpu->regs.rip != stub.a)
		return false;
	served = bios_int15(&answer, &in, l1_map) && store_answer(cpu, &answer);
	hw_host_complete(cpu, (unsigned int)((served ? int15_iret : int15_chain) - int15_stub));
	return true;
}

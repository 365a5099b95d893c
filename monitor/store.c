/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/store.h"

#include "monitor/hw.h"

/* Which instruction L1 is at, read anew: L1 is stopped, but its other CPUs may change the bytes. */
static int fetch(struct cpu *cpu, struct decode_insn *insn)
{
	struct walk_space space;
	uint8_t bytes[DECODE_MAX];
	size_t n;

	hw_host_space(cpu, &space);
	n = walk_fetch(&space, GVA(hw_host_segment(cpu, SEG_CS) + cpu->regs.rip), bytes,
		       sizeof(bytes));
	return decode(bytes, n, hw_host_mode(cpu), insn);
}

static uint64_t source(const struct cpu *cpu, const struct decode_insn *insn)
{
	if (insn->has_imm)
		return insn->imm;
	return insn->reg_high ? cpu->regs.r[insn->reg] >> 8 : cpu->regs.r[insn->reg];
}

int store_decode(struct cpu *cpu, hpa_t hpa, struct store *store)
{
	struct decode_insn insn;
	uint64_t base[SEG_COUNT];
	gva_t at;
	int err = fetch(cpu, &insn);

	if (err)
		return err;
	if ((insn.op != OP_MOV && insn.op != OP_MOVNTI) || !insn.has_mem || !insn.to_rm)
		return ERR_NOSYS;
	for (unsigned int i = 0; i < SEG_COUNT; i++)
		base[i] = hw_host_segment(cpu, i);
	at = decode_address(&insn, &insn.mem, cpu->regs.r, cpu->regs.rip, base);
	if (page_offset(at.a) != page_offset(hpa.a) || at.a % insn.memsize)
		return ERR_INVAL;
	*store = (struct store){hpa, insn.memsize, source(cpu, &insn), insn.len};
	return 0;
}

void store_perform(struct cpu *cpu, const struct store *store, volatile void *at)
{
	switch (store->size) {
	case 1:
		*(volatile uint8_t *)at = (uint8_t)store->value;
		break;
	case 2:
		*(volatile uint16_t *)at = (uint16_t)store->value;
		break;
	case 4:
		*(volatile uint32_t *)at = (uint32_t)store->value;
		break;
	default:
		*(volatile uint64_t *)at = store->value;
	}
	hw_host_complete(cpu, store->insn_len);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Input: struct input. What is taken for a store must be one, to that place, and do nothing else. */
#include <string.h>

#include "monitor/fake/cpu.h"
#include "monitor/fake/machine.h"
#include "monitor/store.h"

#define CODE 0x1000u
#define PAGE 0x3000u /* the page that was written to */
#define RAM_SIZE (8 * PAGE_SIZE)

struct input {
	uint64_t r[16];
	uint64_t base[SEG_COUNT];
	uint16_t offset;
	uint8_t mode;
	uint8_t aimed; /* one register points at the place */
	uint8_t code[DECODE_MAX];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void set_up(struct cpu *cpu, const struct input *in)
{
	static const enum decode_mode modes[] = {DECODE_16, DECODE_32, DECODE_64};

	if (!phys_host(HPA(0), 1))
		fake_add_ram(HPA(0), RAM_SIZE);
	cpu->hw->mode = modes[in->mode % 3];
	memcpy(cpu->hw->segment, in->base, sizeof(in->base));
	cpu->hw->segment[SEG_CS] = 0;
	memcpy(fake_at(HPA(CODE), DECODE_MAX), in->code, DECODE_MAX);
	memcpy(cpu->regs.r, in->r, sizeof(in->r));
	cpu->regs.r[in->aimed % 16] = PAGE + in->offset % PAGE_SIZE;
	cpu->regs.rip = CODE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t page[PAGE_SIZE];
	struct store store;
	struct cpu *cpu;
	struct input in;
	struct regs regs;
	hpa_t hpa;

	if (size < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	fake_cpus(1);
	cpu = cpu_at(0);
	set_up(cpu, &in);
	regs = cpu->regs;
	hpa = HPA(PAGE + in.offset % PAGE_SIZE);
	if (store_decode(cpu, hpa, &store)) {
		ASSERT(!memcmp(&regs, &cpu->regs, sizeof(regs)));
		ASSERT(!cpu->hw->completed && !cpu->hw->injected);
		return 0;
	}
	ASSERT(store.hpa.a == hpa.a);
	ASSERT(store.size == 1 || store.size == 2 || store.size == 4 || store.size == 8);
	ASSERT(hpa.a % store.size == 0);
	ASSERT(store.insn_len >= 1 && store.insn_len <= DECODE_MAX);
	ASSERT(hw_host_insn_len(cpu) == (int)store.insn_len);
	memcpy(page, fake_at(HPA(PAGE), PAGE_SIZE), PAGE_SIZE);
	memcpy(page + page_offset(hpa.a), &store.value, store.size);
	store_perform(cpu, &store, fake_at(hpa, store.size));
	ASSERT(!memcmp(page, fake_at(HPA(PAGE), PAGE_SIZE), PAGE_SIZE));
	ASSERT(cpu->hw->completed == 1 && cpu->regs.rip == CODE + store.insn_len);
	ASSERT(!memcmp(regs.r, cpu->regs.r, sizeof(regs.r)));
	return 0;
}

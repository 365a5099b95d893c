/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operands of L1's VMX instructions, from the VM-exit instruction information (SDM vol. 3, tables
 * 28-8 to 28-14). Segment limits are not checked: only L1 in 64-bit mode, where there are none, can
 * enter a guest.
 */
#include "ept/host.h"
#include "ept/phys.h"
#include "monitor/decode.h"
#include "monitor/lib.h"
#include "monitor/vmx/vmx.h"

#define INFO_SCALE(i) ((i)&3)
#define INFO_ADDRESS_SIZE(i) (((i) >> 7) & 7) /* 0: 16 bits, 1: 32, 2: 64 */
#define INFO_REGISTER (1u << 10)
#define INFO_SEGMENT(i) (((i) >> 15) & 7)
#define INFO_INDEX(i) (((i) >> 18) & 0xf)
#define INFO_NO_INDEX (1u << 22)
#define INFO_BASE(i) (((i) >> 23) & 0xf)
#define INFO_NO_BASE (1u << 27)

bool operand_is_register(void)
{
	return vmx_read(VMCS_EXIT_INSN_INFO) & INFO_REGISTER;
}

uint64_t *operand_reg(struct cpu *cpu, unsigned int shift)
{
	return &cpu->regs.r[vmx_read(VMCS_EXIT_INSN_INFO) >> shift & 0xf];
}

static gva_t address(const struct cpu *cpu)
{
	static const uint64_t mask[] = {UINT16_MAX, UINT32_MAX, UINT64_MAX};
	uint32_t info = (uint32_t)vmx_read(VMCS_EXIT_INSN_INFO);
	uint64_t a = vmx_read(VMCS_EXIT_QUALIFICATION); /* the displacement */
	unsigned int size = INFO_ADDRESS_SIZE(info);

	if (!(info & INFO_NO_BASE))
		a += cpu->regs.r[INFO_BASE(info)];
	if (!(info & INFO_NO_INDEX))
		a += cpu->regs.r[INFO_INDEX(info)] << INFO_SCALE(info);
	a &= mask[size < ARRAY_SIZE(mask) ? size : 2];
	a += hw_host_segment(cpu, INFO_SEGMENT(info));
	return GVA(hw_host_mode(cpu) == DECODE_64 ? a : (uint32_t)a);
}

static int fault(struct cpu *cpu, gva_t at, const struct walk_result *r)
{
	bool stack = INFO_SEGMENT(vmx_read(VMCS_EXIT_INSN_INFO)) == SEG_SS;

	if (r->stop != WALK_GUEST || !r->canonical) {
		hw_host_inject(cpu, stack && r->stop == WALK_GUEST ? VECTOR_SS : VECTOR_GP, 0);
		return ERR_FAULT;
	}
	__asm__ volatile("mov %0, %%cr2" ::"r"(at.a));
	hw_host_inject(cpu, VECTOR_PF, r->error_code);
	return ERR_FAULT;
}

int operand_read(struct cpu *cpu, void *buf, size_t n)
{
	struct walk_space space;
	struct walk_result r;
	gva_t at = address(cpu);
	size_t done;

	hw_host_space(cpu, &space);
	done = walk_copy(&space, at, WALK_READ, buf, n);
	if (done == n)
		return 0;
	at.a += done;
	if (!walk_gva(&space, at, WALK_READ, &r))
		r.stop = WALK_MEMORY; /* it translates, to something that is not L1's memory */
	return fault(cpu, at, &r);
}

/* Where a byte of L1's may be written, or NULL with the fault injected. */
static char *writable(struct cpu *cpu, const struct walk_space *space, gva_t at)
{
	struct walk_result r;
	char *p = NULL;

	if (!walk_gva(space, at, WALK_WRITE, &r)) {
		r.stop = WALK_MEMORY;
		p = phys_host_rw(r.hpa, 1);
	}
	if (!p)
		fault(cpu, at, &r);
	return p;
}

int operand_write(struct cpu *cpu, const void *buf, size_t n)
{
	struct walk_space space;
	gva_t at = address(cpu);
	size_t first = PAGE_SIZE - page_offset(at.a);
	char *p[2];

	if (first > n)
		first = n;
	hw_host_space(cpu, &space);
	p[0] = writable(cpu, &space, at);
	if (!p[0])
		return ERR_FAULT;
	p[1] = first < n ? writable(cpu, &space, GVA(at.a + first)) : NULL;
	if (first < n && !p[1])
		return ERR_FAULT;
	memcpy(p[0], buf, first);
	if (first < n)
		memcpy(p[1], (const char *)buf + first, n - first);
	return 0;
}

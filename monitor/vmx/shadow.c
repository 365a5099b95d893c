/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMCS shadowing (SDM vol. 3, 25.10): L1's VMREAD and VMWRITE of the fields that change at every
 * exit go to a VMCS of ours that nothing else uses. Two copies, at L1's entry and exit, take the
 * place of a dozen exits.
 */
#include "monitor/lib.h"
#include "monitor/mem.h"
#include "monitor/vmx/vmx.h"

#define MISC_WRITE_INFO (1ul << 29) /* VMWRITE can write exit information */
#define REVISION_SHADOW (1u << 31)
#define BITMAP_BYTES PAGE_SIZE

/* Not 64 bits wide and writable: an access to an upper half exits and would miss L1's last write. */
static const uint8_t more[] = {
	F_ENTRY_EVENT, F_ENTRY_ERROR_CODE, F_ENTRY_INSN_LEN, F_CPU_CONTROLS,
	F_CR0_SHADOW,  F_TPR_THRESHOLD,    F_CR4_SHADOW,
};

static struct field_set shown;   /* L1 reads them there */
static struct field_set written; /* and writes them */
static uint64_t read_bitmap, write_bitmap;
bool shadow_off;

void shadow_create(struct hw_cpu *hw)
{
	uint8_t *bitmap;

	if (shadow_off || !(hw_caps.cpu2.may & CPU2_SHADOWING) || !(hw_caps.misc & MISC_WRITE_INFO))
		return;
	hw->shadow.hpa = mem_hpa(mem_pages(1)).a;
	if (read_bitmap)
		return;
	bitmap = mem_pages(2);
	memset(bitmap, 0xff, 2 * BITMAP_BYTES);
	read_bitmap = mem_hpa(bitmap).a;
	write_bitmap = read_bitmap + BITMAP_BYTES;
}

static void open_field(uint64_t bitmap, unsigned int field)
{
	uint8_t *bits = mem_at(HPA(bitmap));
	uint16_t encoding = field_encoding[field];

	bits[encoding / 8] &= (uint8_t) ~(1u << (encoding % 8));
}

/* Which fields there are is known only now. */
static void choose_fields(void)
{
	written = fields_of[GUEST];
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		if (field_exists(more[i]))
			set_add(&written, more[i]);
	shown = written;
	for (int i = -1; (i = set_next(&fields_of[INFO], i)) >= 0;)
		if (i != F_INSN_ERROR)
			set_add(&shown, (unsigned int)i);
	for (int i = -1; (i = set_next(&shown, i)) >= 0;)
		open_field(read_bitmap, (unsigned int)i);
	for (int i = -1; (i = set_next(&written, i)) >= 0;)
		open_field(write_bitmap, (unsigned int)i);
}

void shadow_enable(struct hw_cpu *hw)
{
	if (!hw->shadow.hpa)
		return;
	if (set_next(&shown, -1) < 0)
		choose_fields();
	vmx_vmcs_init(&hw->shadow);
	*(uint32_t *)mem_at(HPA(hw->shadow.hpa)) |= REVISION_SHADOW;
	vmx_write(VMCS_VMREAD_BITMAP, read_bitmap);
	vmx_write(VMCS_VMWRITE_BITMAP, write_bitmap);
}

void shadow_switch(struct hw_cpu *hw, bool on)
{
	uint64_t cpu2;

	if (!hw->shadow.hpa)
		return;
	cpu2 = vmx_read(VMCS_CPU2_CONTROLS) & ~(uint64_t)CPU2_SHADOWING;
	vmx_write(VMCS_CPU2_CONTROLS, cpu2 | (on ? CPU2_SHADOWING : 0));
	vmx_write(VMCS_LINK_POINTER, on ? hw->shadow.hpa : NO_VMCS);
}

void shadow_show(struct hw_cpu *hw)
{
	if (!hw->shadow.hpa)
		return;
	vmx_load(&hw->shadow);
	for (int i = -1; (i = set_next(&shown, i)) >= 0;)
		vmx_write(field_encoding[i], hw->current.f[i]);
	vmx_clear(&hw->shadow);
	vmx_load(&hw->l1);
}

void shadow_collect(struct hw_cpu *hw)
{
	struct l1_vmcs *current = &hw->current;

	if (!hw->shadow.hpa)
		return;
	vmx_load(&hw->shadow);
	for (int i = -1; (i = set_next(&written, i)) >= 0;) {
		uint64_t value = vmx_read(field_encoding[i]);

		if (value == current->f[i])
			continue;
		current->f[i] = value;
		set_add(&current->dirty, (unsigned int)i);
	}
	vmx_clear(&hw->shadow);
	vmx_load(&hw->l1);
}

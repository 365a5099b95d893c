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

/* Beside guest state. None of 64 bits: an access to an upper half exits, and would miss L1's write. */
static const uint8_t more[] = {
	F_ENTRY_EVENT, F_ENTRY_ERROR_CODE, F_ENTRY_INSN_LEN, F_CPU_CONTROLS,
	F_CR0_SHADOW,  F_TPR_THRESHOLD,    F_CR4_SHADOW,     F_HOST_RSP,
};

static struct field_list shown;   /* L1 reads them there */
static struct field_list written; /* and writes them */
static uint64_t read_bitmap, write_bitmap;
bool shadow_off;

void shadow_create(struct hw_cpu *hw)
{
	if (shadow_off || !(hw_caps.cpu2.may & CPU2_SHADOWING) || !(hw_caps.misc & MISC_WRITE_INFO))
		return;
	hw->shadow.hpa = mem_hpa(mem_pages(1)).a;
	if (!read_bitmap)
		read_bitmap = mem_hpa(mem_pages(2)).a;
	write_bitmap = read_bitmap + BITMAP_BYTES;
}

static void open_field(uint64_t bitmap, unsigned int field)
{
	uint8_t *bits = mem_at(HPA(bitmap));
	uint16_t encoding = field_encoding[field];

	bits[encoding / 8] &= (uint8_t) ~(1u << (encoding % 8));
}

static void open_fields(uint64_t bitmap, const struct field_list *list)
{
	for (unsigned int i = 0; i < list->count; i++)
		open_field(bitmap, list->f[i]);
}

/* Which fields there are is known only now. */
static void choose_fields(void)
{
	struct field_set set = fields_of[GUEST];

	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		if (field_exists(more[i]))
			set_add(&set, more[i]);
	field_list(&written, &set);
	for (int i = -1; (i = set_next(&fields_of[INFO], i)) >= 0;)
		if (i != F_INSN_ERROR)
			set_add(&set, (unsigned int)i);
	field_list(&shown, &set);
	memset(mem_at(HPA(read_bitmap)), 0xff, 2 * BITMAP_BYTES);
	open_fields(read_bitmap, &shown);
	open_fields(write_bitmap, &written);
}

void shadow_enable(struct hw_cpu *hw)
{
	if (!hw->shadow.hpa)
		return;
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
	for (unsigned int i = 0; i < shown.count; i++)
		vmx_write(field_encoding[shown.f[i]], hw->current.f[shown.f[i]]);
	vmx_clear(&hw->shadow);
	vmx_load(&hw->l1);
}

void shadow_collect(struct hw_cpu *hw)
{
	struct l1_vmcs *current = &hw->current;

	if (!hw->shadow.hpa)
		return;
	vmx_load(&hw->shadow);
	for (unsigned int i = 0; i < written.count; i++) {
		unsigned int f = written.f[i];
		uint64_t value = vmx_read(field_encoding[f]);

		if (value == current->f[f])
			continue;
		current->f[f] = value;
		set_add(&current->dirty, f);
	}
	vmx_clear(&hw->shadow);
	vmx_load(&hw->l1);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* An isolated guest that has come out: its VMCS, and L1's. What shown.c and hide.c call is here. */
#ifndef TESTS_UNIT_TEST_VMX_ISOLATED_H
#define TESTS_UNIT_TEST_VMX_ISOLATED_H

#define MONITOR_LIB_H /* libc has what it declares */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/fake/machine.h"
#include "monitor/guest.h"
#include "tests/unit/test_vmx_vmcs.h"

/* Themselves: monitor/fake has functions of these names. */
#include "monitor/vmx/hide.c"  /* NOLINT(bugprone-suspicious-include) */
#include "monitor/vmx/shown.c" /* NOLINT(bugprone-suspicious-include) */
#include "monitor/vmx/space.c" /* NOLINT(bugprone-suspicious-include) */
#include "monitor/vmx/view.c"  /* NOLINT(bugprone-suspicious-include) */

enum { OTHER, L1, L2 }; /* VMCSs */

#define EPTP 0x1005e
#define MUST (CR4_VMXE | CR4_MCE)
#define LONG (EFER_LME | EFER_LMA)
#define CR3 0x20ffu

static struct cpu cpu;
static struct hw_cpu hw;
static struct hw_vcpu hw_vcpu;
static struct guest guest;
static struct disclosure disclosure;
static struct guest_vcpu vcpu = {.hw = &hw_vcpu, .guest = &guest, .disclosure = &disclosure};
static uint64_t *f = hw.current.f;

/* --- what is called ---------------------------------------------------------------------------------- */

static struct {
	unsigned int disclosed, debug, begun;
	struct guest_exit x;
	uint64_t cr2;
} calls;

enum disclose_result disclose(struct cpu *c, struct guest_vcpu *v, const struct guest_exit *x)
{
	assert_ptr_equal(v, &vcpu);
	calls.disclosed++;
	calls.x = *x;
	return DISCLOSE_TELL;
}

void guest_space(const struct guest *g, struct walk_space *space)
{
	space->private = true;
}

/* Other tests' matter: gpa is hpa. */
int walk_gpa(const struct walk_space *s, gpa_t gpa, uint32_t access, struct walk_result *out)
{
	assert_true(s->private);
	assert_int_equal(s->nested_root.a, EPTP & PAGE_MASK);
	out->hpa = HPA(gpa.a);
	return 0;
}

uint64_t vmx_regs_offer_cr2(const struct cpu *c)
{
	return 0xc2;
}

void vmx_regs_set_cr2(struct cpu *c, uint64_t value)
{
	calls.cr2 = value;
}

void vmx_regs_begin(struct guest_vcpu *v)
{
	assert_ptr_equal(v, &vcpu);
	calls.begun++;
}

void vmx_regs_take_debug(struct cpu *c)
{
	calls.debug++;
}

/* --- the machine ------------------------------------------------------------------------------------- */

static inline bool all_fields(uint64_t encoding)
{
	return true;
}

static inline uint64_t in_l2(uint16_t encoding)
{
	return vmcs.of[L2][encoding];
}

static inline void set(uint16_t encoding, uint64_t value)
{
	vmcs.of[L2][encoding] = value;
}

static inline uint64_t guests(unsigned int field)
{
	return field_set_value(field_encoding[field], 0, 0x1000100010001 * (field + 1));
}

static inline bool is_state(unsigned int field)
{
	return (field_encoding[field] >> 10 & 3) == 2 && field != F_LINK_POINTER;
}

/* The guest in long mode, with something in every field. */
static inline void start(void)
{
	fake_reset();
	fake_add_ram(HPA(0), MIB);
	vmcs_catch();
	fields_init(all_fields);
	memset(&hw, 0, sizeof(hw));
	memset(&calls, 0, sizeof(calls));
	memset(&disclosure, 0, sizeof(disclosure));
	hw_vcpu = (struct hw_vcpu){.vmcs = {L2, true}};
	hw_vcpu.vpid.value = 7;
	guest = (struct guest){.isolated = true};
	vcpu.entered = true;
	hw_caps = l1_caps = (struct vmx_caps){
		.cpu = {0x04006172, UINT32_MAX},
		.cr0_must = CR0_PG | CR0_NE | CR0_PE,
		.cr4_must = CR4_VMXE,
		.cr4_may = 0x7727ff,
		.phys_bits = 40,
	};
	cpu.hw = &hw;
	cpu.regs = (struct regs){.rflags = RFLAGS_FIXED};
	hw.running = &vcpu;
	vmcs_load(L2);
	for (unsigned int i = 0; i < FIELD_COUNT; i++)
		set(field_encoding[i], guests(i));
	f[F_EPT_POINTER] = EPTP;
	set(VMCS_GUEST_EFER, LONG | EFER_NXE);
	set(VMCS_GUEST_CR3, CR3);
	set(VMCS_ENTRY_CONTROLS, 0x11ff | ENTRY_GUEST_64);
	set(VMCS_GUEST_CS_RIGHTS, 0xa09b);
	set(VMCS_GUEST_INTERRUPTIBILITY, 0);
	set(VMCS_GUEST_ACTIVITY, 0);
	set(VMCS_GUEST_PENDING_DEBUG, 0);
	set(VMCS_GUEST_DEBUGCTL, 0);
	set(VMCS_EXIT_EVENT, 0);
	set(VMCS_VECTORING_EVENT, 0);
	vmx_set_cr0(CR0_PG | CR0_PE | CR0_WP | CR0_TS);
	vmx_set_cr4(CR4_PAE, 0);
}

#endif

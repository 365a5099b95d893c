/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: struct edit after struct edit of a VMCS that VM entry accepts. After each, the checks accept
 * what the rules below accept, which are the manual's said in another way (SDM volume 3, 27.2), and
 * nothing else; above all, no address in use is anywhere but in the host's memory.
 */
#include <string.h>

#include "monitor/arch.h"
#include "monitor/fake/machine.h"
#include "monitor/vmx/vmx.h"

#define LOW_RAM (16 * PAGE_SIZE)
#define HIGH_RAM MIB
#define HIGH_RAM_END (HIGH_RAM + 8 * PAGE_SIZE)
#define TPR (0x5000 + 0x80)

struct edit {
	uint8_t field, how;
	uint16_t small;
	uint64_t value;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct vmx_caps caps = {
	.pin = {0x16, 0x16 | 0x29},
	.cpu = {0x04006172, 0x04006172 | 0xfaf91e8c},
	.cpu2 = {0x8, 0x1114ff},
	.exit = {0x36ffb, 0x36ffb | 0x3c8004},
	.entry = {0x11fb, 0x11fb | 0xc204},
	.cr0_must = 0x80000021,
	.cr0_may = 0xffffffff,
	.cr4_must = 0x2000,
	.cr4_may = 0x3727ff,
	.ept_vpid = 1 << 8 | 1 << 21,
	.misc = 1 << 30,
	.phys_bits = 40,
};
static uint64_t f[FIELD_COUNT];

static void good_vmcs(void)
{
	memset(f, 0, sizeof(f));
	f[F_PIN_CONTROLS] = 0x3f;
	f[F_CPU_CONTROLS] = 0xb6a07ffa;
	f[F_CPU2_CONTROLS] = 0xab;
	f[F_EXIT_CONTROLS] = 0x3fefff;
	f[F_ENTRY_CONTROLS] = 0xd3ff;
	f[F_VPID] = 1;
	f[F_EPT_POINTER] = HIGH_RAM | 0x1e;
	f[F_IO_BITMAP_A] = 0x1000;
	f[F_IO_BITMAP_B] = 0x2000;
	f[F_MSR_BITMAP] = 0x3000;
	f[F_APIC_ACCESS] = 0x4000;
	f[F_VIRTUAL_APIC] = 0x5000;
	f[F_EXIT_MSR_STORE] = 0x6000;
	f[F_EXIT_MSR_LOAD] = 0x6000;
	f[F_ENTRY_MSR_LOAD] = 0x6000;
	f[F_EXIT_MSR_STORE_COUNT] = 1;
	f[F_GUEST_CR0] = 0x80000021;
	f[F_HOST_CR0] = 0x80000031;
	f[F_HOST_CR3] = 0x7000;
	f[F_HOST_CR4] = 0x2020;
	f[F_HOST_PAT] = 0x0007040600070406;
	f[F_HOST_EFER] = 0xd01;
	f[F_HOST_CS_SELECTOR] = 8;
	f[F_HOST_TR_SELECTOR] = 0x40;
}

/* --- the rules ----------------------------------------------------------------------------------- */

static bool bit(enum vmcs_field field, unsigned int n)
{
	return f[field] >> n & 1;
}

static bool secondary(unsigned int n)
{
	return bit(F_CPU_CONTROLS, 31) && bit(F_CPU2_CONTROLS, n);
}

/* [at, at + len) is RAM; len is small. */
static bool ram(uint64_t at, uint64_t len)
{
	return at < LOW_RAM ? at + len <= LOW_RAM
			    : at >= HIGH_RAM && at < HIGH_RAM_END && at + len <= HIGH_RAM_END;
}

static bool page(enum vmcs_field field)
{
	return f[field] % 0x1000 == 0 && ram(f[field], 0x1000);
}

static bool offered(enum vmcs_field field, struct control_caps c)
{
	return (f[field] | c.must) == f[field] && (f[field] | c.may) == c.may;
}

static bool list(enum vmcs_field at, enum vmcs_field count)
{
	return f[count] == 0 || (f[count] < 513 && f[at] % 16 == 0 && ram(f[at], 16 * f[count]));
}

static bool apic(void)
{
	uint8_t tpr;

	if (!bit(F_CPU_CONTROLS, 21))
		return !secondary(4);
	if (!page(F_VIRTUAL_APIC) || f[F_TPR_THRESHOLD] >= 16)
		return false;
	memcpy(&tpr, fake_at(HPA(f[F_VIRTUAL_APIC] + 0x80), 1), 1);
	return secondary(0) || tpr / 16 >= f[F_TPR_THRESHOLD];
}

static bool ept(void)
{
	uint64_t root = f[F_EPT_POINTER];

	if (!secondary(1))
		return !secondary(7);
	return ((root & 0xfbf) == 0x1e || (root & 0xfbf) == 0x18) && ram(root & ~0xfffull, 0x1000);
}

static bool execution(void)
{
	if (bit(F_PIN_CONTROLS, 5) ? !bit(F_PIN_CONTROLS, 3) : bit(F_CPU_CONTROLS, 22))
		return false;
	if (bit(F_CPU_CONTROLS, 25) && !(page(F_IO_BITMAP_A) && page(F_IO_BITMAP_B)))
		return false;
	if (bit(F_CPU_CONTROLS, 28) && !page(F_MSR_BITMAP))
		return false;
	if (secondary(0) && (!page(F_APIC_ACCESS) || secondary(4)))
		return false;
	return f[F_CR3_TARGET_COUNT] < 5 && !(secondary(5) && f[F_VPID] == 0);
}

static bool controls(void)
{
	return offered(F_PIN_CONTROLS, caps.pin) && offered(F_CPU_CONTROLS, caps.cpu) &&
	       (!bit(F_CPU_CONTROLS, 31) || offered(F_CPU2_CONTROLS, caps.cpu2)) &&
	       offered(F_EXIT_CONTROLS, caps.exit) && offered(F_ENTRY_CONTROLS, caps.entry) &&
	       execution() && apic() && ept() && list(F_EXIT_MSR_STORE, F_EXIT_MSR_STORE_COUNT) &&
	       list(F_EXIT_MSR_LOAD, F_EXIT_MSR_LOAD_COUNT) &&
	       list(F_ENTRY_MSR_LOAD, F_ENTRY_MSR_LOAD_COUNT);
}

static bool event(void)
{
	static const uint32_t with_error = 0x27d00; /* vectors 8, 10 to 14, 17 */
	uint32_t e = (uint32_t)f[F_ENTRY_EVENT], vector = e & 0xff, type = e >> 8 & 7;
	bool real = secondary(7) && !bit(F_GUEST_CR0, 0);
	bool error = type == 3 && vector < 32 && (with_error >> vector & 1) && !real;

	if (!(e >> 31))
		return true;
	if ((e << 1) >> 13 || (e >> 11 & 1) != error)
		return false;
	if (error && f[F_ENTRY_ERROR_CODE] > 0xffff)
		return false;
	if (type >= 4 && type <= 6)
		return f[F_ENTRY_INSN_LEN] < 16;
	return type == 0 || (type == 2 && vector == 2) || (type == 3 && vector < 32) ||
	       (type == 7 && vector == 0);
}

static bool canonical(uint64_t a)
{
	return a >> 47 == 0 || a >> 47 == 0x1ffff;
}

static bool pat(uint64_t value)
{
	for (; value; value >>= 8)
		if ((value & 0xff) > 7 || (value & 0xfe) == 2)
			return false;
	return true;
}

static bool host(void)
{
	static const uint8_t address[] = {
		F_HOST_FS_BASE,   F_HOST_GS_BASE,      F_HOST_TR_BASE,      F_HOST_GDTR_BASE,
		F_HOST_IDTR_BASE, F_HOST_SYSENTER_ESP, F_HOST_SYSENTER_EIP, F_HOST_RIP,
	};

	for (size_t i = 0; i < ARRAY_SIZE(address); i++)
		if (!canonical(f[address[i]]))
			return false;
	for (int i = F_HOST_ES_SELECTOR; i <= F_HOST_TR_SELECTOR; i++)
		if (f[i] % 8)
			return false;
	return f[F_HOST_CS_SELECTOR] && f[F_HOST_TR_SELECTOR] && f[F_HOST_CR3] < 1ull << 40 &&
	       f[F_HOST_CR0] < 1ull << 32 && (f[F_HOST_CR0] & 0x80000021) == 0x80000021 &&
	       (f[F_HOST_CR4] & 0x2020) == 0x2020 && (f[F_HOST_CR4] | 0x3727ff) == 0x3727ff &&
	       (!bit(F_EXIT_CONTROLS, 19) || pat(f[F_HOST_PAT])) &&
	       (!bit(F_EXIT_CONTROLS, 21) || (f[F_HOST_EFER] & ~0x801ull) == 0x500);
}

/* --- the edits ------------------------------------------------------------------------------------ */

static void compare(void)
{
	ASSERT(!check_controls(f, &caps) == controls());
	ASSERT(!check_event(f, &caps) == event());
	ASSERT(!check_host(f, &caps) == host());
}

/*
 * As VMWRITE would leave it: what is not 64 bits wide has no upper bits. An edit that makes the VMCS
 * wrong is taken back, unless how says that it stays.
 */
static void apply(const struct edit *e)
{
	unsigned int field = e->field % FIELD_COUNT;
	uint64_t old;
	uint64_t value = e->value;

	switch (e->how % 8) {
	case 0:
		break;
	case 1:
		value = f[field] ^ 1ull << e->small % 64;
		break;
	case 2:
		value = e->small;
		break;
	case 3:
		value = (uint64_t)e->small % 32 * PAGE_SIZE;
		break;
	case 4:
		value = HIGH_RAM_END - e->small;
		break;
	case 5:
		value = ~(uint64_t)e->small;
		break;
	case 6: /* an event */
		field = F_ENTRY_EVENT;
		value = 1u << 31 | e->small;
		break;
	default:
		*(uint8_t *)fake_at(HPA(TPR), 1) = (uint8_t)e->small;
		value = f[field];
	}
	old = f[field];
	f[field] = field_set_value(field_encoding[field], old, value);
	compare();
	if (!(e->how & 8) && !(controls() && event() && host()))
		f[field] = old;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct edit e;

	if (!phys_host(HPA(0), 1)) {
		fake_add_ram(HPA(0), LOW_RAM);
		fake_add_ram(HPA(HIGH_RAM), HIGH_RAM_END - HIGH_RAM);
	}
	*(uint8_t *)fake_at(HPA(TPR), 1) = 0;
	good_vmcs();
	compare();
	ASSERT(controls() && event() && host());
	for (; size >= sizeof(e); size -= sizeof(e), data += sizeof(e)) {
		memcpy(&e, data, sizeof(e));
		apply(&e);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "vmx/vmx.h"

#include "lib/mem.h"
#include "lib/monitor.h"
#include "lib/pages.h"
#include "lib/smp.h"
#include "lib/start.h"
#include "lib/trap.h"

#define CPUID_ECX_VMX 0x20u
#define RFLAGS_OTHER 0x894u /* OF SF AF PF */
#define RFLAGS_ZF 0x40u
#define MAX_VMCS 64
#define PATIENCE 3000000000u /* Bochs runs some 30 million instructions a second, one a tick */

#define RIGHTS_CODE64 0xa09b
#define RIGHTS_CODE32 0xc09b
#define RIGHTS_CODE16 0x009b
#define RIGHTS_DATA 0xc093
#define RIGHTS_DATA16 0x0093
#define RIGHTS_TSS 0x008b
#define RIGHTS_LDT 0x0082
#define RIGHTS_USER_CODE64 0xa0fb
#define RIGHTS_USER_DATA 0xc0f3
#define PAT_DEFAULT 0x0007040600070406

static uint32_t regions[MAX_CPUS][1024] __attribute__((aligned(4096)));
static uint64_t current[MAX_CPUS]; /* what we know to be the current VMCS, or 0 */
static uint64_t allocated[MAX_VMCS];
static unsigned allocated_count;

int vm_result(uint64_t flags)
{
	uint64_t error = 0;
	bool unread;

	if (flags & RFLAGS_OTHER || (flags & RFLAGS_ZF && flags & FLAG_CF))
		test_fail("RFLAGS 0x%x after a VMX instruction", flags);
	if (flags & FLAG_CF)
		return VM_FAIL_INVALID;
	if (!(flags & RFLAGS_ZF))
		return 0;
	__asm__ volatile("vmread %2, %0"
			 : "+r"(error), "=@ccbe"(unread)
			 : "r"((uint64_t)I_ERROR)
			 : "memory");
	if (unread || !error)
		test_fail("VMfailValid, but the error number cannot be read");
	return (int)error;
}

int vmxon(uint64_t hpa)
{
	uint64_t flags;

	__asm__ volatile("vmxon %1; pushfq; pop %0" : "=r"(flags) : "m"(hpa) : "memory", "cc");
	return vm_result(flags);
}

int vmxoff(void)
{
	uint64_t flags;

	__asm__ volatile("vmxoff; pushfq; pop %0" : "=r"(flags) : : "memory", "cc");
	current[cpu_index()] = 0;
	return vm_result(flags);
}

int vmclear(uint64_t hpa)
{
	uint64_t flags;

	__asm__ volatile("vmclear %1; pushfq; pop %0" : "=r"(flags) : "m"(hpa) : "memory", "cc");
	if (current[cpu_index()] == hpa)
		current[cpu_index()] = 0;
	return vm_result(flags);
}

int vmptrld(uint64_t hpa)
{
	uint64_t flags;
	int err;

	__asm__ volatile("vmptrld %1; pushfq; pop %0" : "=r"(flags) : "m"(hpa) : "memory", "cc");
	err = vm_result(flags);
	if (!err)
		current[cpu_index()] = hpa;
	return err;
}

int vmptrst(uint64_t *hpa)
{
	uint64_t flags;

	__asm__ volatile("vmptrst %1; pushfq; pop %0" : "=r"(flags), "=m"(*hpa) : : "memory", "cc");
	return vm_result(flags);
}

int vmread(uint64_t field, uint64_t *value)
{
	uint64_t flags;

	__asm__ volatile("vmread %2, %1; pushfq; pop %0"
			 : "=&r"(flags), "+&r"(*value)
			 : "r"(field)
			 : "memory", "cc");
	return vm_result(flags);
}

int vmwrite(uint64_t field, uint64_t value)
{
	uint64_t flags;

	__asm__ volatile("vmwrite %2, %1; pushfq; pop %0"
			 : "=&r"(flags)
			 : "r"(field), "r"(value)
			 : "memory", "cc");
	return vm_result(flags);
}

int invept(uint64_t type, uint64_t eptp, uint64_t reserved)
{
	uint64_t descriptor[2] = {eptp, reserved}, flags;

	__asm__ volatile("invept %1, %2; pushfq; pop %0"
			 : "=&r"(flags)
			 : "m"(descriptor), "r"(type)
			 : "memory", "cc");
	return vm_result(flags);
}

int invvpid(uint64_t type, uint64_t vpid, uint64_t address)
{
	uint64_t descriptor[2] = {vpid, address}, flags;

	__asm__ volatile("invvpid %1, %2; pushfq; pop %0"
			 : "=&r"(flags)
			 : "m"(descriptor), "r"(type)
			 : "memory", "cc");
	return vm_result(flags);
}

uint64_t ept_vpid_capabilities(void)
{
	return rdmsr(MSR_VMX_EPT_VPID);
}

void flush_all(void)
{
	uint64_t caps = ept_vpid_capabilities();

	if (caps & CAP_INVEPT_ALL)
		CHECK_EQ(invept(INV_ALL, 0, 0), 0);
	if (caps & CAP_INVVPID_ALL)
		CHECK_EQ(invvpid(INV_ALL, 0, 0), 0);
}

struct allowed allowed(enum field control)
{
	bool exact = rdmsr(MSR_VMX_BASIC) & BASIC_TRUE;
	uint64_t v;

	switch (control) {
	case C_PIN:
		v = rdmsr(exact ? MSR_VMX_TRUE_PIN : MSR_VMX_PIN);
		break;
	case C_PROC:
		v = rdmsr(exact ? MSR_VMX_TRUE_PROC : MSR_VMX_PROC);
		break;
	case C_EXIT:
		v = rdmsr(exact ? MSR_VMX_TRUE_EXIT : MSR_VMX_EXIT);
		break;
	case C_ENTRY:
		v = rdmsr(exact ? MSR_VMX_TRUE_ENTRY : MSR_VMX_ENTRY);
		break;
	default:
		v = (rdmsr(MSR_VMX_PROC) >> 32 & PROC_SECONDARY) ? rdmsr(MSR_VMX_PROC2) : 0;
	}
	return (struct allowed){(uint32_t)v, (uint32_t)(v >> 32)};
}

bool can(enum field control, uint32_t bits)
{
	return (allowed(control).may & bits) == bits;
}

void need(enum field control, uint32_t bits)
{
	if (!can(control, bits))
		test_skip("the CPU does not offer this control");
}

uint32_t *vmxon_region(void)
{
	uint32_t *region = regions[cpu_index()];

	region[0] = (uint32_t)rdmsr(MSR_VMX_BASIC) & 0x7fffffff;
	return region;
}

uint64_t *vmcs_alloc(void)
{
	uint64_t *page = page_alloc();

	if (allocated_count == MAX_VMCS)
		test_end("out of VMCSs");
	*(uint32_t *)page = (uint32_t)rdmsr(MSR_VMX_BASIC) & 0x7fffffff;
	allocated[allocated_count++] = (uint64_t)page;
	return page;
}

void vmcs_forget(void)
{
	for (; allocated_count; allocated_count--)
		vmclear(allocated[allocated_count - 1]);
}

void vmcs_drop(const struct guest *g)
{
	CHECK(allocated_count && allocated[allocated_count - 1] == (uint64_t)g->vmcs,
	      "not the last VMCS");
	vmclear(allocated[--allocated_count]);
}

void vmx_allow(void)
{
	if (!(rdmsr(MSR_FEATURE_CONTROL) & FEATURE_LOCKED))
		wrmsr(MSR_FEATURE_CONTROL, FEATURE_LOCKED | FEATURE_VMX);
	write_cr0(read_cr0() | rdmsr(MSR_VMX_CR0_FIXED0));
	write_cr4(read_cr4() | CR4_VMXE);
}

void vmx_enable(void)
{
	vmx_allow();
	current[cpu_index()] = 0;
	CHECK(vmxon((uint64_t)vmxon_region()) == 0, "VMXON fails");
}

static void do_vmxoff(void *arg)
{
	(void)arg;
	__asm__ volatile("vmxoff" : : : "memory", "cc");
}

void vmx_disable(void)
{
	expect_fault(do_vmxoff, NULL); /* #UD: it was off */
	current[cpu_index()] = 0;
}

static void vmx_reset(void)
{
	nmis_unblock();
	vmx_disable();
	vmx_enable();
	vmcs_forget();
	flush_all();
}

void vmx_start(void)
{
	bool monitor = monitor_present();

	test_patience = PATIENCE;
	if (!(cpuid(1, 0).c & CPUID_ECX_VMX))
		test_end("this CPU has no VMX");
	if (!can(C_PROC, PROC_SECONDARY | PROC_IO_MAPS | PROC_MSR_MAPS) ||
	    !can(C_PROC2, PROC2_EPT | PROC2_UNRESTRICTED) ||
	    !can(C_EXIT,
		 EXIT_HOST_64 | EXIT_LOAD_EFER | EXIT_SAVE_EFER | EXIT_LOAD_PAT | EXIT_SAVE_PAT))
		test_end("this CPU's VMX lacks what all tests need");
	print("VMX %x, pin %x proc %x %x exit %x entry %x misc %x ept %x, %s\n",
	      rdmsr(MSR_VMX_BASIC), U64(allowed(C_PIN).may), U64(allowed(C_PROC).may),
	      U64(allowed(C_PROC2).may), U64(allowed(C_EXIT).may), U64(allowed(C_ENTRY).may),
	      rdmsr(MSR_VMX_MISC), ept_vpid_capabilities(),
	      monitor ? "above the monitor" : "bare machine");
	test_reset = vmx_reset;
}

void guest_use(const struct guest *g)
{
	if (current[cpu_index()] != (uint64_t)g->vmcs)
		CHECK_EQ(vmptrld((uint64_t)g->vmcs), 0);
}

void guest_clear(struct guest *g)
{
	CHECK_EQ(vmclear((uint64_t)g->vmcs), 0);
	g->launched = false;
}

uint64_t get(const struct guest *g, enum field f)
{
	uint64_t v = 0;
	int err;

	guest_use(g);
	err = vmread(f, &v);
	CHECK(!err, "VMREAD of 0x%x: error %u", U64(f), U64(err));
	return v;
}

void put(const struct guest *g, enum field f, uint64_t value)
{
	int err;

	guest_use(g);
	err = vmwrite(f, value);
	CHECK(!err, "VMWRITE of 0x%x: error %u", U64(f), U64(err));
}

void set_bits(const struct guest *g, enum field f, uint64_t bits)
{
	put(g, f, get(g, f) | bits);
}

void clear_bits(const struct guest *g, enum field f, uint64_t bits)
{
	put(g, f, get(g, f) & ~bits);
}

/* Segment fields are in the same order in each of the four groups. */
static void segment(const struct guest *g, enum field selector_field, uint16_t selector,
		    uint32_t rights, uint32_t limit, uint64_t base)
{
	unsigned n = selector_field - G_ES;

	put(g, G_ES + n, selector);
	put(g, G_ES_RIGHTS + n, rights);
	put(g, G_ES_LIMIT + n, limit);
	put(g, G_ES_BASE + n, base);
}

static void data_segments(const struct guest *g, uint16_t selector, uint32_t rights, uint32_t limit,
			  uint64_t base)
{
	static const enum field all[] = {G_ES, G_SS, G_DS, G_FS, G_GS};

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
		segment(g, all[i], selector, rights, limit, base);
}

static void control(const struct guest *g, enum field f, uint32_t want)
{
	struct allowed a = allowed(f);

	put(g, f, (want & a.may) | a.must);
}

static void controls(const struct guest *g)
{
	control(g, C_PIN, PIN_INTERRUPT | PIN_NMI);
	control(g, C_PROC, PROC_SECONDARY | PROC_IO_MAPS | PROC_MSR_MAPS);
	control(g, C_PROC2, PROC2_EPT | PROC2_UNRESTRICTED | PROC2_RDTSCP | PROC2_INVPCID);
	control(g, C_EXIT,
		EXIT_HOST_64 | EXIT_SAVE_DEBUG | EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER |
			EXIT_LOAD_EFER);
	control(g, C_ENTRY, ENTRY_GUEST_64 | ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER);
	put(g, C_EXCEPTIONS, 0xffffffff);
	put(g, C_PF_MASK, 0);
	put(g, C_PF_MATCH, 0);
	put(g, C_CR3_COUNT, 0);
	put(g, C_EXIT_STORE_COUNT, 0);
	put(g, C_EXIT_LOAD_COUNT, 0);
	put(g, C_ENTRY_LOAD_COUNT, 0);
	put(g, C_EVENT, 0);
	put(g, C_IO_MAP_A, (uint64_t)g->io_a);
	put(g, C_IO_MAP_B, (uint64_t)g->io_b);
	put(g, C_MSR_MAP, (uint64_t)g->msr_map);
	put(g, C_EPTP, (uint64_t)g->ept | EPTP_WB_4_LEVELS);
	put(g, C_TSC_OFFSET, 0);
	put(g, C_CR0_MASK, 0);
	put(g, C_CR4_MASK, 0);
	put(g, C_CR0_SHADOW, 0);
	put(g, C_CR4_SHADOW, 0);
}

static void host_state(const struct guest *g)
{
	static const enum field data[] = {H_ES, H_SS, H_DS, H_FS, H_GS};

	for (unsigned i = 0; i < ARRAY_SIZE(data); i++)
		put(g, data[i], SEL_DATA);
	put(g, H_CS, SEL_CODE64);
	put(g, H_TR, SEL_TSS);
	put(g, H_CR0, read_cr0());
	put(g, H_CR3, read_cr3());
	put(g, H_CR4, read_cr4());
	put(g, H_FS_BASE, rdmsr(MSR_FS_BASE));
	put(g, H_GS_BASE, rdmsr(MSR_GS_BASE));
	put(g, H_TR_BASE, (uint64_t)&tss);
	put(g, H_GDTR_BASE, read_gdtr().base);
	put(g, H_IDTR_BASE, read_idtr().base);
	put(g, H_SYSENTER_CS, rdmsr(MSR_SYSENTER_CS));
	put(g, H_SYSENTER_ESP, rdmsr(MSR_SYSENTER_ESP));
	put(g, H_SYSENTER_EIP, rdmsr(MSR_SYSENTER_EIP));
	put(g, H_PAT, rdmsr(MSR_PAT));
	put(g, H_EFER, rdmsr(MSR_EFER));
	put(g, H_RIP, (uint64_t)vmx_exit_point);
}

static struct guest guest_new(void)
{
	struct guest g = {0};

	g.vmcs = vmcs_alloc();
	g.ept = ept_identity();
	g.io_a = page_alloc();
	g.io_b = page_alloc();
	g.msr_map = page_alloc();
	g.stack = (uint8_t *)page_alloc() + PAGE_SIZE;
	CHECK_EQ(vmclear((uint64_t)g.vmcs), 0);
	controls(&g);
	host_state(&g);
	put(&g, G_LINK, ~0ull);
	put(&g, G_DEBUGCTL, 0);
	put(&g, G_PAT, PAT_DEFAULT);
	put(&g, G_RFLAGS, 2);
	put(&g, G_DR7, 0x400);
	put(&g, G_RSP, (uint64_t)g.stack - 64);
	put(&g, G_INTERRUPTIBILITY, 0);
	put(&g, G_ACTIVITY, ACTIVE);
	put(&g, G_PENDING_DEBUG, 0);
	put(&g, G_SYSENTER_CS, 0);
	put(&g, G_SYSENTER_ESP, 0);
	put(&g, G_SYSENTER_EIP, 0);
	return g;
}

struct guest guest_long(const void *code)
{
	struct guest g = guest_new();

	g.idt = page_alloc();
	for (unsigned i = 0; i < 256; i++)
		g.idt[i] = gate64((uint64_t)guest_stub(i), SEL_CODE64, GATE_INTERRUPT);
	segment(&g, G_CS, SEL_CODE64, RIGHTS_CODE64, 0xffffffff, 0);
	data_segments(&g, SEL_DATA, RIGHTS_DATA, 0xffffffff, 0);
	segment(&g, G_TR, SEL_TSS, RIGHTS_TSS, sizeof(tss) - 1, (uint64_t)&tss);
	segment(&g, G_LDTR, SEL_LDT, RIGHTS_LDT, sizeof(ldt) - 1, (uint64_t)ldt);
	put(&g, G_GDTR_BASE, (uint64_t)gdt);
	put(&g, G_GDTR_LIMIT, (uint64_t)(gdt_end - (uint8_t *)gdt) - 1);
	put(&g, G_IDTR_BASE, (uint64_t)g.idt);
	put(&g, G_IDTR_LIMIT, 0xfff);
	put(&g, G_EFER, rdmsr(MSR_EFER));
	put(&g, G_CR0, read_cr0());
	put(&g, G_CR3, read_cr3());
	put(&g, G_CR4, read_cr4());
	put(&g, G_RIP, (uint64_t)code);
	return g;
}

struct guest guest_protected(const void *code)
{
	struct guest g = guest_long(code);

	segment(&g, G_CS, SEL_CODE32, RIGHTS_CODE32, 0xffffffff, 0);
	clear_bits(&g, C_ENTRY, ENTRY_GUEST_64);
	put(&g, G_EFER, 0);
	put(&g, G_CR0, CR0_PE | CR0_ET | CR0_NE);
	put(&g, G_CR4, CR4_VMXE);
	put(&g, G_CR3, 0);
	return g;
}

struct guest guest_real(const void *code, const void *end)
{
	struct guest g = guest_new();

	memcpy((void *)REAL_GUEST, code, (size_t)((const uint8_t *)end - (const uint8_t *)code));
	segment(&g, G_CS, REAL_GUEST >> 4, RIGHTS_CODE16, 0xffff, REAL_GUEST);
	data_segments(&g, REAL_GUEST >> 4, RIGHTS_DATA16, 0xffff, REAL_GUEST);
	segment(&g, G_TR, 0, RIGHTS_TSS, 0xffff, 0);
	segment(&g, G_LDTR, 0, RIGHTS_LDT, 0xffff, 0);
	put(&g, G_GDTR_BASE, 0);
	put(&g, G_GDTR_LIMIT, 0xffff);
	put(&g, G_IDTR_BASE, REAL_GUEST + 0x8000);
	put(&g, G_IDTR_LIMIT, 0x3ff);
	clear_bits(&g, C_ENTRY, ENTRY_GUEST_64);
	put(&g, G_EFER, 0);
	put(&g, G_CR0, CR0_ET | CR0_NE);
	put(&g, G_CR4, CR4_VMXE);
	put(&g, G_CR3, 0);
	put(&g, G_RSP, 0xff00);
	put(&g, G_RIP, 0);
	return g;
}

void guest_user(struct guest *g)
{
	segment(g, G_CS, SEL_USER_CODE64, RIGHTS_USER_CODE64, 0xffffffff, 0);
	data_segments(g, SEL_USER_DATA, RIGHTS_USER_DATA, 0xffffffff, 0);
	put(g, G_CR3, (uint64_t)table_identity());
}

void guest_at(const struct guest *g, const void *rip)
{
	put(g, G_RIP, (uint64_t)rip);
	put(g, G_INTERRUPTIBILITY, 0);
	put(g, G_ACTIVITY, ACTIVE);
}

int guest_enter(struct guest *g)
{
	uint64_t flags;

	guest_use(g);
	flags = vmx_enter(&g->r, g->launched);
	if (flags)
		return vm_result(flags);
	if (!(get(g, I_REASON) & ENTRY_FAILURE))
		g->launched = true;
	return 0;
}

void guest_expect(struct guest *g, uint64_t reason)
{
	int err = guest_enter(g);
	uint64_t seen;

	CHECK(!err, "VM entry: error %u", U64(err));
	seen = get(g, I_REASON);
	CHECK(seen == reason,
	      "exit 0x%x (qualification 0x%x, event 0x%x error 0x%x, gpa 0x%x) at rip 0x%x, not 0x%x",
	      seen, get(g, I_QUALIFICATION), get(g, I_EVENT), get(g, I_EVENT_ERROR), get(g, I_GPA),
	      get(g, G_RIP), reason);
}

void guest_expect_at(struct guest *g, uint64_t reason, const void *rip)
{
	guest_expect(g, reason);
	CHECK(get(g, G_RIP) == (uint64_t)rip, "exit 0x%x at rip 0x%x, not 0x%x", reason,
	      get(g, G_RIP), U64(rip));
}

void guest_expect_event(struct guest *g, uint64_t event)
{
	guest_expect(g, X_EXCEPTION);
	CHECK(get(g, I_EVENT) == event, "event 0x%x (error 0x%x) at rip 0x%x, not 0x%x",
	      get(g, I_EVENT), get(g, I_EVENT_ERROR), get(g, G_RIP), event);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The real monitor's hypercall. AMD's processors (and Hygon's) take VMMCALL, others VMCALL. Where no hypervisor is, the
 * instruction is undefined: the kernel's table of exceptions leads from there to an error.
 */
#include <linux/io.h>
#include <linux/pfn.h>
#include <asm/asm.h>
#include <asm/processor.h>

#include "switch-channel/linux/monitor.h"

#define NV_CALL(instruction, regs, error)                                                       \
	do {                                                                                    \
		register u64 r8 asm("r8") = (regs)->r8;                                         \
		register u64 r9 asm("r9") = (regs)->r9;                                         \
		register u64 r10 asm("r10") = (regs)->r10;                                      \
		register u64 r11 asm("r11") = (regs)->r11;                                      \
		asm volatile("1:	" instruction "\n"                                      \
			     "	xorl	%[e], %[e]\n"                                               \
			     "2:\n" _ASM_EXTABLE(1b, 2b)                                        \
			     : [e] "+r"(error), "+a"((regs)->rax), "+b"((regs)->rbx), "+r"(r8), \
			       "+r"(r9), "+r"(r10), "+r"(r11)                                   \
			     : "c"((regs)->rcx), "d"((regs)->rdx), "S"((regs)->rsi)             \
			     : "memory", "cc");                                                 \
		(regs)->r8 = r8;                                                                \
		(regs)->r9 = r9;                                                                \
		(regs)->r10 = r10;                                                              \
		(regs)->r11 = r11;                                                              \
	} while (0)

int nv_monitor_call(struct nv_regs *regs)
{
	int error = -ENODEV; /* stays so where the instruction faults */

	if (boot_cpu_data.x86_vendor == X86_VENDOR_AMD ||
	    boot_cpu_data.x86_vendor == X86_VENDOR_HYGON)
		NV_CALL("vmmcall", regs, error);
	else
		NV_CALL("vmcall", regs, error);
	return error;
}

void *nv_monitor_map(u64 gpa, u32 pages)
{
	return memremap(gpa, (size_t)pages << PAGE_SHIFT, MEMREMAP_WB);
}

void nv_monitor_unmap(void *base)
{
	memunmap(base);
}

unsigned long nv_monitor_pfn(u64 gpa)
{
	return PFN_DOWN(gpa);
}

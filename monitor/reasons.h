/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a CPU came out of L1 or L2, in words that fit both vendors: X(NAME, "text").
 * The order is the hypercall ABI: append only, and count up HYPERCALL_ABI when it changes.
 */
#ifndef MONITOR_REASONS_H
#define MONITOR_REASONS_H

#define EXIT_REASONS(X)                          \
	X(UNKNOWN, "unknown")                    \
	X(INTR, "external interrupt")            \
	X(NMI, "NMI")                            \
	X(INIT, "INIT")                          \
	X(EXCEPTION, "exception")                \
	X(SHUTDOWN, "shutdown (triple fault)")   \
	X(VINTR, "interrupt window")             \
	X(CR, "control register")                \
	X(DR, "debug register")                  \
	X(DESCRIPTOR, "descriptor table")        \
	X(TASK, "task switch")                   \
	X(CPUID, "CPUID")                        \
	X(HLT, "HLT")                            \
	X(PAUSE, "PAUSE")                        \
	X(MWAIT, "MONITOR/MWAIT")                \
	X(INVLPG, "INVLPG")                      \
	X(CACHE, "INVD/WBINVD")                  \
	X(TSC, "RDTSC")                          \
	X(MSR_READ, "RDMSR")                     \
	X(MSR_WRITE, "WRMSR")                    \
	X(XSETBV, "XSETBV")                      \
	X(PORT, "port I/O")                      \
	X(NESTED_FAULT, "nested page fault")     \
	X(HYPERCALL, "hypercall")                \
	X(ENTER, "guest entry (VMRUN/VMRESUME)") \
	X(STATE, "guest state (VMLOAD/VMWRITE)") \
	X(GIF, "STGI/CLGI")                      \
	X(TLB, "INVLPGA/INVEPT/INVVPID")         \
	X(INVALID, "invalid guest state")        \
	X(OTHER, "other instruction")            \
	X(APIC, "local APIC access")             \
	X(PMC, "RDPMC/RDPRU")                    \
	X(TSCP, "RDTSCP")                        \
	X(IRET, "IRET")

enum exit_reason {
#define X(name, text) EXIT_##name,
	EXIT_REASONS(X)
#undef X
		EXIT_REASON_COUNT
};

#endif

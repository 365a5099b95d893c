/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What L1 learns of an isolated guest's registers when the guest comes out, and what of them it may
 * change until the guest goes on: one table, a row for each kind of exit (I6, R15). What no row shows
 * is zero to L1; what no row accepts is as the guest last had it, whatever L1 left there.
 *
 * At every exit L1 sees the mode (CR0, CR4, EFER, CS.L and CS.D, RFLAGS.VM), CPL, RFLAGS.IF and TF and
 * whether interrupts are held off for an instruction. RIP is shown as 0, and the next instruction as
 * its length. RSP, CR2, CR3, segments, descriptor tables, debug registers, the MSRs of system calls, and
 * x87, SSE and AVX state are never shown, but by EMULATED, which shows what an emulator of the
 * instruction needs: general registers, RIP, RFLAGS, CR3 and the segments' bases and limits; and CR3 by
 * HYPERCALL, for the structures that a call names.
 */
#ifndef MONITOR_EXPOSURE_H
#define MONITOR_EXPOSURE_H

#include "monitor/arch.h"
#include "monitor/cpu.h"

/* Sets of general registers, by number. */
#define EXPOSURE_R(n) (1u << (n))
#define EXPOSURE_OPERAND (1u << 16) /* the register that the instruction names */

/* Sets of exceptions, by vector. */
#define EXPOSURE_UD (1u << VECTOR_UD)
#define EXPOSURE_GP (1u << VECTOR_GP)
#define EXPOSURE_SAME (1u << 31) /* the exception that the exit is for */
/* Of an instruction with a memory operand. */
#define EXPOSURE_MEM (EXPOSURE_UD | EXPOSURE_GP | 1u << VECTOR_SS | 1u << VECTOR_PF)

enum exposure_rip {
	EXPOSURE_STAYS, /* the guest goes on where it was */
	EXPOSURE_NEXT,  /* or behind the instruction, as the monitor decoded it */
	EXPOSURE_RESULT /* the instruction's results are judged one by one: emulated.h, guestcall.h */
};

/*
 * X(ROW, bytes of a register that are shown and accepted; 0: the operand's size,
 *   shown, accepted, RIP, exceptions that L1 may raise,
 *   "what L1 learns", "what it does", "why that is safe"). In the last three: docs/exposure.md.
 * bytes = EXPOSURE_NEVER: L1 does not get this exit; the text says what happens instead.
 */
#define EXPOSURE_NEVER 0xff
/* clang-format off */
#define EXPOSURE_ROWS(X)                                                                         \
	X(UNKNOWN, EXPOSURE_NEVER, 0, 0, EXPOSURE_STAYS, 0,                                      \
	  "nothing", "the guest is stopped",                                                     \
	  "what the monitor does not know it cannot judge (I7)")                                 \
	X(INTR, 8, 0, 0, EXPOSURE_STAYS, 0,                                                      \
	  "that a device interrupted", "schedules", "no register")                               \
	X(NMI, 8, 0, 0, EXPOSURE_STAYS, 0,                                                       \
	  "that an NMI came", "schedules", "no register")                                        \
	X(INIT, 8, 0, 0, EXPOSURE_STAYS, 0,                                                      \
	  "that an INIT came for the processor", "resets its own processor", "no register")      \
	X(EXCEPTION, 8, 0, 0, EXPOSURE_STAYS, EXPOSURE_SAME,                                     \
	  "vector and error code of #DB, #AC or #MC", "delivers it to the guest",                \
	  "only the same one: the processor raised it, and L1 merely stands in between")         \
	X(SHUTDOWN, 8, 0, 0, EXPOSURE_STAYS, 0,                                                  \
	  "that the guest is over", "destroys it, or lets it start anew", "no register")         \
	X(VINTR, 8, 0, 0, EXPOSURE_STAYS, 0,                                                     \
	  "that the guest can take an interrupt", "injects one", "no register")                  \
	X(CR, 8, EXPOSURE_OPERAND, 0, EXPOSURE_NEXT, EXPOSURE_GP,                                \
	  "the value for CR0 or CR4", "accepts the mode, or refuses it by #GP",                  \
	  "the monitor takes the value from the guest's register itself; the mode is shown anyway") \
	X(DR, EXPOSURE_NEVER, 0, 0, EXPOSURE_STAYS, 0,                                           \
	  "nothing", "the guest does it", "the monitor keeps them for it")                       \
	X(DESCRIPTOR, EXPOSURE_NEVER, 0, 0, EXPOSURE_STAYS, 0,                                   \
	  "nothing", "the guest does it", "no host needs it")                                    \
	X(TASK, EXPOSURE_NEVER, 0, 0, EXPOSURE_STAYS, 0,                                         \
	  "nothing", "the guest is stopped",                                                     \
	  "L1 would have to carry out the switch: all registers in either direction")            \
	X(CPUID, 4, EXPOSURE_R(RAX) | EXPOSURE_R(RCX),                                           \
	  EXPOSURE_R(RAX) | EXPOSURE_R(RBX) | EXPOSURE_R(RCX) | EXPOSURE_R(RDX),                 \
	  EXPOSURE_NEXT, 0,                                                                      \
	  "leaf and subleaf", "answers",                                                         \
	  "its first answer stays; what guests trust for security, XSAVE's sizes, Xen's leaves and APIC ids are the monitor's (manifest.h)")   \
	X(HLT, 8, 0, 0, EXPOSURE_NEXT, 0,                                                        \
	  "that the guest waits", "wakes it, also for nothing", "HLT may end at any time")       \
	X(PAUSE, 8, 0, 0, EXPOSURE_NEXT, 0,                                                      \
	  "that the guest spins", "schedules", "PAUSE is a hint")                                \
	X(MWAIT, 8, 0, 0, EXPOSURE_NEXT, EXPOSURE_UD | EXPOSURE_GP,                              \
	  "that the guest waits", "refuses by #UD, or goes on", "MWAIT may end at any time")     \
	X(INVLPG, EXPOSURE_NEVER, 0, 0, EXPOSURE_STAYS, 0,                                       \
	  "nothing", "the guest does it", "with nested paging L1 has nothing to do")             \
	X(CACHE, 8, 0, 0, EXPOSURE_NEXT, 0,                                                      \
	  "that the guest writes caches back", "writes them back, or not",                       \
	  "caches are coherent; INVD never comes to L1, it is WBINVD (R4)")                      \
	X(TSC, 4, 0, EXPOSURE_R(RAX) | EXPOSURE_R(RDX), EXPOSURE_NEXT, 0,                        \
	  "that the guest asks for the time", "answers",                                         \
	  "time is the host's: it has the TSC's offset as well; CR4.TSD's #GP comes before the exit") \
	X(TSCP, 4, 0, EXPOSURE_R(RAX) | EXPOSURE_R(RCX) | EXPOSURE_R(RDX), EXPOSURE_NEXT, 0,     \
	  "that the guest asks for the time", "answers, with TSC_AUX", "the same")               \
	X(PMC, 4, EXPOSURE_R(RCX), EXPOSURE_R(RAX) | EXPOSURE_R(RDX), EXPOSURE_NEXT,             \
	  EXPOSURE_UD | EXPOSURE_GP,                                                             \
	  "which performance counter", "answers", "counters are the platform's")                 \
	X(MSR_READ, 4, EXPOSURE_R(RCX), EXPOSURE_R(RAX) | EXPOSURE_R(RDX), EXPOSURE_NEXT,        \
	  EXPOSURE_GP, "which MSR", "answers",                                                   \
	  "those that the monitor keeps do not exit to L1; others are the platform's")           \
	X(MSR_WRITE, 4, EXPOSURE_R(RAX) | EXPOSURE_R(RCX) | EXPOSURE_R(RDX), 0, EXPOSURE_NEXT,   \
	  EXPOSURE_GP, "which MSR, and the value", "accepts it, or refuses it by #GP",           \
	  "the same; the monitor takes EFER from the guest's registers itself")                  \
	X(XSETBV, 4, EXPOSURE_R(RAX) | EXPOSURE_R(RCX) | EXPOSURE_R(RDX), 0, EXPOSURE_NEXT,      \
	  EXPOSURE_UD | EXPOSURE_GP, "XCR0", "accepts it, or refuses it by #GP",                 \
	  "the monitor takes it from the guest's registers itself")                              \
	X(PORT_OUT, 0, EXPOSURE_R(RAX), 0, EXPOSURE_NEXT, EXPOSURE_GP,                           \
	  "port, size and value", "gives it to a device", "that is what OUT is for")             \
	X(PORT_IN, 0, 0, EXPOSURE_R(RAX), EXPOSURE_NEXT, EXPOSURE_GP,                            \
	  "port and size", "answers for a device", "that is what IN is for; no more than its size") \
	X(NESTED_FAULT, 8, 0, 0, EXPOSURE_STAYS, 0,                                              \
	  "address, access, and whether it was a page table's", "repairs its table",             \
	  "the guest repeats its access (R12)")                                                  \
	X(EMULATED, 8, 0xffff, EXPOSURE_OPERAND, EXPOSURE_RESULT, EXPOSURE_MEM,                  \
	  "all general registers, RIP, RFLAGS, CR3, segments, the instruction, its operands",    \
	  "carries it out",                                                                      \
	  "only at devices' addresses, fixed at launch; results are judged by the monitor's decode (R12)") \
	X(HYPERCALL, 8, 0, EXPOSURE_R(RAX), EXPOSURE_RESULT, EXPOSURE_UD | EXPOSURE_GP,          \
	  "the call's number and arguments, CR3, and its structures", "carries it out",          \
	  "a row for each call that is let through, at CPL 0 only (R15): monitor/guestcall.c")   \
	X(ENTER, EXPOSURE_NEVER, 0, 0, EXPOSURE_STAYS, 0,                                        \
	  "nothing", "the guest takes #UD", "no virtualization below it is offered")             \
	X(STATE, EXPOSURE_NEVER, 0, 0, EXPOSURE_STAYS, 0,                                        \
	  "nothing", "the guest takes #UD", "the same")                                          \
	X(GIF, EXPOSURE_NEVER, 0, 0, EXPOSURE_STAYS, 0,                                          \
	  "nothing", "the guest takes #UD", "the same")                                          \
	X(TLB, EXPOSURE_NEVER, 0, 0, EXPOSURE_STAYS, 0,                                          \
	  "nothing", "the guest takes #UD", "the same")                                          \
	X(INVALID, EXPOSURE_NEVER, 0, 0, EXPOSURE_STAYS, 0,                                      \
	  "nothing", "the guest is stopped", "the processor refused its state")                  \
	X(IRET, 8, 0, 0, EXPOSURE_STAYS, 0,                                                      \
	  "that NMIs are about to be open", "sees that", "the guest does it")                    \
	X(OTHER, 8, 0, 0, EXPOSURE_STAYS, EXPOSURE_UD,                                           \
	  "which instruction: SKINIT, GETSEC ..", "refuses by #UD",                              \
	  "no register, and no instruction is skipped")
/* clang-format on */

enum exposure_row {
#define X(name, ...) EXPOSURE_##name,
	EXPOSURE_ROWS(X)
#undef X
		EXPOSURE_ROW_COUNT
};

/* One exit of a vCPU. */
struct exposure {
	uint8_t row;     /* enum exposure_row */
	uint8_t operand; /* CR: number of the register */
	uint8_t bytes;   /* PORT_*: size of the access, 1, 2 or 4 */
	uint8_t len;     /* of the instruction, where RIP may move: 1..15 */
	uint8_t vector;  /* EXCEPTION */
	bool wide;       /* 64-bit code */
};

/* What of RFLAGS L1 sees at every exit. */
#define EXPOSURE_RFLAGS (RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF | RFLAGS_VM)

/* The row of an exit that L1 does not emulate. out: it is an OUT. */
enum exposure_row exposure_row(enum exit_reason reason, bool out);

/* Whether L1 gets such exits at all. */
bool exposure_told(enum exposure_row row);

/* Whether RIP may advance by the length of the instruction, which the caller has to find out. */
bool exposure_moves(enum exposure_row row);

/* Sets of exceptions that L1 may raise (bits by vector) after this exit. */
uint32_t exposure_raises(const struct exposure *e);

/* What L1 gets to see for the guest's own registers; those of EMULATED are all. */
void exposure_show(const struct exposure *e, const struct regs *own, struct regs *shown);

/*
 * The registers that the guest goes on with, after rows other than EXPOSURE_RESULT's: own, as given to
 * exposure_show(), and of `after`, as L1 left them, what the row accepts if RIP has advanced. *out may
 * be `after`. Returns 1 if RIP has advanced; 0 if the guest repeats the instruction; or ERR_PERM with *out
 * undefined if RIP is elsewhere, where no honest host puts it.
 */
int exposure_accept(const struct exposure *e, const struct regs *own, const struct regs *after,
		    struct regs *out);

#endif

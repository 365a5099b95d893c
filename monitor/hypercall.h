/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's hypercalls, for programs in L1 (VMMCALL on AMD, VMCALL on Intel), at any privilege
 * level: they only read. Everything travels in registers, so that the monitor never follows a
 * pointer of the caller.
 *
 * In:  RAX = HYPERCALL_MAGIC, RCX = function, RDX and RSI = arguments.
 * Out: RAX = 0 or a negative error (ept/base.h), results as listed; other registers unchanged.
 * Where no monitor runs, the instruction raises #UD (SIGILL in a Linux program).
 */
#ifndef MONITOR_HYPERCALL_H
#define MONITOR_HYPERCALL_H

#define HYPERCALL_MAGIC 0x4e455448u /* "NETH"; Xen's own hypercall numbers are < 64 or 0x4000xxxx */
#define HYPERCALL_ABI 2

enum hypercall {
	/* RBX = HYPERCALL_ABI; R8..R11 = version text, 32 bytes, NUL-padded; R12 = backend name, 8 bytes */
	HYPERCALL_VERSION = 0,
	/*
	 * RBX = bytes of RAM the host owns, R8 = bytes the monitor owns, R9 = hpa of the monitor's
	 * block, R10 = CPUs held, R11 = guest records in the table, R12 = TSC at the monitor's start
	 */
	HYPERCALL_INFO = 1,
	/*
	 * RDX = index (0 is the host itself, L1; then guests, < R11 of INFO).
	 * RBX = id (never reused; 0 for the host), R8 = root of its nested table (hpa), R9 = vCPUs
	 * seen, R10 = 0 running, 1 stopped, R11 = why it was stopped (enum stop_reason), R12 = its
	 * exits so far. ERR_NOENT: no guest in this record.
	 */
	HYPERCALL_GUEST = 2,
	/* RDX = index, RSI = enum exit_reason: RBX = exits, R8 = TSC cycles the monitor spent on them */
	HYPERCALL_EXITS = 3,
	/*
	 * RDX = position in the log, in bytes since boot: RBX = position of the first byte returned
	 * (larger than asked if older bytes are gone), R8 = bytes returned (0..48), R9..R14 = bytes
	 */
	HYPERCALL_LOG = 4,
};

/* Why the monitor will not enter a guest any more. X(NAME, "text"); append only. */
#define STOP_REASONS(X)                                           \
	X(NONE, "running")                                        \
	X(UNKNOWN_EXIT, "an exit that the monitor does not know") \
	X(BAD_EVENT, "an interrupted event that cannot be delivered again")

enum stop_reason {
#define X(name, text) STOP_##name,
	STOP_REASONS(X)
#undef X
		STOP_REASON_COUNT
};

#endif

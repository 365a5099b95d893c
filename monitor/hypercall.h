/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's hypercalls, for programs in L1 (VMMCALL on AMD, VMCALL on Intel), at any privilege
 * level: none can take anything from a guest that the host has not been given. Everything travels in registers: an address of the
 * caller's names the page behind it, and nothing is read or written there, unless it says so.
 *
 * In:  RAX = HYPERCALL_MAGIC, RCX = function, RDX and RSI = arguments.
 * Out: RAX = 0 or a negative error (ept/base.h), results as listed; other registers unchanged.
 * Where no monitor runs, the instruction raises #UD (SIGILL in a Linux program).
 */
#ifndef MONITOR_HYPERCALL_H
#define MONITOR_HYPERCALL_H

#define HYPERCALL_MAGIC 0x4e455448u /* "NETH"; Xen's own hypercall numbers are < 64 or 0x4000xxxx */
#define HYPERCALL_ABI 9

enum hypercall {
	/* RBX = HYPERCALL_ABI; R8..R11 = version text, 32 bytes, NUL-padded; R12 = backend name, 8 bytes */
	HYPERCALL_VERSION = 0,
	/*
	 * RBX = bytes of RAM the host owns, R8 = bytes the monitor owns, R9 = hpa of the monitor's
	 * block, R10 = CPUs held, R11 = guest records in the table, R12 = TSC at the monitor's start,
	 * R13 = IOMMUs that the monitor drives, R14 = DMA_ flags
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
	/*
	 * RSI = 0: RDX = index of a guest, as above; 1: RDX = address of the caller's where it has
	 * mapped a page of a guest. RBX = id, R8..R11 = launch digest, 32 bytes, R12 = LAUNCH_
	 * flags, R13 = index. ERR_NOENT: no such guest, or the page is no guest's (yet); ERR_FAULT:
	 * nothing is mapped there. Without LAUNCH_PROTECTED in R12 there is no digest.
	 */
	HYPERCALL_LAUNCH = 5,
	/*
	 * RDX = address as above, of a page that a guest not launched yet has: RSI = 1 declares
	 * that guest sealed, 0 withdraws that. ERR_PERM: the guest is launched already; ERR_FAULT.
	 */
	HYPERCALL_DECLARE = 6,
	/*
	 * RDX = enum refusal: RBX = what L1 tried of this kind and was refused, R8 = the last of them,
	 * an MSR's number or a physical address
	 */
	HYPERCALL_REFUSED = 7,
	/*
	 * RBX = writes of L1's to ports, PCI configuration space and device registers that were
	 * refused; R8 = where the last was (1 port, 2 PCI, 3 memory), R9 = its address there (of PCI
	 * as in memory-mapped space), R10 = its value; R11 = PLATFORM_OPEN_ flags
	 */
	HYPERCALL_PLATFORM = 8,
	/*
	 * In an image for development only; else ERR_NOSYS. RDX = address of the caller's of a
	 * struct mailbox_attach (iodecrypt/mailbox.h), within a page; RSI = address of the caller's where it has mapped a
	 * page of a guest that is not launched yet, which will be a sealed one. RBX = the disk's number, never used again. ERR_INVAL; ERR_FAULT;
	 * ERR_PERM: the guest is launched already; ERR_BUSY: this image is in use; ERR_NOMEM: too many disks.
	 */
	HYPERCALL_DISK_ATTACH = 9,
	/*
	 * RDX = number of a disk, RSI = address of the caller's of its mailbox, all pages one behind
	 * the other. Opens a disk that was attached; closes one that is open and whose guest is over, or
	 * has not come yet. ERR_AGAIN: the mailbox has requests, do them and call again; 0: done;
	 * ERR_NOENT: no such disk (any more); ERR_BUSY: its guest is running; ERR_FAULT: no mailbox is
	 * there; other errors: it is given up, as iodecrypt/disk.h has them. After a 0 for closing:
	 * R8..R9 = root, R10 = generation, of the receipt, and the disk is no more.
	 */
	HYPERCALL_DISK_SERVE = 10,
	/*
	 * RDX = index, 0..: RBX = number, R8..R9 = uuid, R10 = DISK_STATE_, R11 = id of its guest or 0, R12 = drive; RSI = 0: R13 = sectors read,
	 * R14 = sectors written; 1: R13 = sectors refused to the guest, R14 = nodes that did not verify; 2: R13 = nodes fetched,
	 * R14 = checkpoints; 3: R13 = bytes of journal, R14 = syncs. ERR_NOENT: no disk in this place; ERR_INVAL: no such place.
	 */
	HYPERCALL_DISK = 11,
	/*
	 * RDX = address of the caller's of RSI bytes, which begin with a nonce of 32 bytes; the evidence for it (attest/evidence.h) takes
	 * their place. RBX = bytes of that. ERR_2BIG: RBX are needed, and nothing was written; ERR_FAULT: the caller may not
	 * read or write all of it, or has not touched it yet: what was written of it is to be thrown away.
	 */
	HYPERCALL_EVIDENCE = 12,
	/*
	 * RDX = address of the caller's of a struct release_message (attest/release.h), within a page; RSI = address of the caller's where it
	 * has mapped a page of a guest that is not launched yet, which will be a sealed one. RBX = the disk's number, as after
	 * HYPERCALL_DISK_ATTACH; it becomes the guest's at a launch with the digest that the message names. ERR_KEY: the message is not
	 * for this monitor since its boot, or was changed; ERR_STALE: expired, or taken before; ERR_INVAL: no message, or it expires too far
	 * away; ERR_FAULT; ERR_PERM: the guest is launched already; ERR_BUSY: this image is in use; ERR_NODEV: nothing
	 * was measured, no TPM vouches for this monitor; ERR_NOSYS: it has no clock; ERR_NOMEM: too many disks, or messages.
	 */
	HYPERCALL_RELEASE = 13,
	/*
	 * RDX = address of the caller's, of a whole page that it may write to; RSI = position in the event log
	 * (docs/attestation.md): up to 4096 bytes from there on are put into the page. RBX = how many (0 at the end), R8 = bytes
	 * of the whole log, R9 = 1 if all was measured, the monitor's keys included. ERR_NOENT: no TPM, so no log; ERR_INVAL: not a
	 * page's start, or behind the log's end; ERR_FAULT. With EVENTLOG_TXT in RSI, besides the position: of the log of the TXT launch that
	 * started the monitor; ERR_NOENT: none did, or it left no log that is whole.
	 */
	HYPERCALL_EVENTLOG = 14,
	/*
	 * Channels (docs/channel.md). RSI & 0xff = enum hypercall_channel, the rest of RSI an argument:
	 * LIST:   RDX = index, 0..: RBX = id (never reused), R8..R9 = service, R10 = enum channel_state in bits 7:0, enum channel_reason
	 *         of the last end in 15:8, enum channel_peer that the offer names in 23:16, pages in 63:32; R11 = how often accepted,
	 *         R12 = id of the guest that offers, R13 = of the one that has accepted; all ones: the host; 0: nobody.
	 *         ERR_NOENT: no channel in this place; ERR_INVAL: no such place.
	 * PAGE:   RDX = id of one that is offered to the host, RSI >> 8 = n: RBX = guest frame number where the offerer has page n, R8 =
	 *         how many from n on lie one behind the other. ERR_NOENT: no such channel, or page.
	 * ACCEPT: RDX = id: all of L1 may read and write its pages, not its devices. RSI >> 16 = page number (address >> 12) of the
	 *         caller's where it has mapped a page of the guest that offers it: what Xen lets only those do who may do this.
	 *         ERR_NOENT: none that is offered to the host and waits; ERR_FAULT: nothing is mapped there; ERR_PERM: no page
	 *         of that guest is; ERR_BUSY: another one has been LEFT by the same guest, and is to be closed first; ERR_NOMEM.
	 * CLOSE:  RDX = id, RSI >> 16 as for ACCEPT, bits 15:8 = enum channel_reason: of one that was accepted so, when nobody in
	 *         L1 writes to it any more: a write that comes later ends the guest. ERR_NOENT, ERR_FAULT, ERR_PERM as there;
	 *         ERR_INVAL: not a reason of a side's.
	 */
	HYPERCALL_CHANNEL = 15,
};

enum hypercall_channel {
	HYPERCALL_CHANNEL_LIST,
	HYPERCALL_CHANNEL_PAGE,
	HYPERCALL_CHANNEL_ACCEPT,
	HYPERCALL_CHANNEL_CLOSE,
};

#define EVENTLOG_TXT (1ull << 63)

enum disk_slot_state {
	DISK_STATE_FREE,
	DISK_STATE_OPENING, /* attached; HYPERCALL_DISK_SERVE opens it */
	DISK_STATE_READY,   /* open; its guest is not launched */
	DISK_STATE_LIVE,
	DISK_STATE_OVER, /* its guest is over: HYPERCALL_DISK_SERVE closes it */
};

/* What this machine leaves open to L1. */
#define PLATFORM_OPEN_CHIPSET 1u /* registers of a chipset that the monitor does not know */
#define PLATFORM_OPEN_CONFIG 2u  /* some of memory-mapped PCI configuration space */
#define PLATFORM_OPEN_POWER \
	4u /* sleep and reset registers that ACPI does not name, or out of reach */
#define PLATFORM_OPEN_MEMORY 8u /* a reset that the monitor does not see leaves RAM as it is */
#define PLATFORM_OPEN_CPUS 16u  /* CPUs that ACPI does not list, if there are any, are not held */

/* What the monitor keeps L1 from changing. X(NAME, "text"); append only. */
#define REFUSALS(X)                                             \
	X(OTHER, "other MSR")                                   \
	X(MICROCODE, "microcode")                               \
	X(MEMORY, "memory map, memory encryption")              \
	X(SMM, "system management mode")                        \
	X(TRACE, "tracing and profiling")                       \
	X(POWER, "voltage and power")                           \
	X(APIC, "local APIC: base, delivery mode, destination") \
	X(IRQ, "I/O APIC or HPET: delivery mode, address")

enum refusal {
#define X(name, text) REFUSAL_##name,
	REFUSALS(X)
#undef X
		REFUSAL_COUNT
};

#define DMA_OPEN 1u       /* no IOMMU is driven: devices reach all memory */
#define DMA_BLOCKED 2u    /* before what was loaded was copied; now but the host's memory */
#define DMA_INTERRUPTS 4u /* and send no other interrupts than ordinary ones */

#define LAUNCH_PROTECTED 1u /* the guest's memory was taken and hashed */
#define LAUNCH_SEALED 2u

/* Why the monitor will not enter a guest any more. X(NAME, "text"); append only. */
#define STOP_REASONS(X)                                                                  \
	X(NONE, "running")                                                               \
	X(UNKNOWN_EXIT, "an exit that the monitor does not know")                        \
	X(BAD_EVENT, "an interrupted event that cannot be delivered again")              \
	X(HOST_WRITE, "L1 wrote to its memory")                                          \
	X(TABLE_STORE, "L1 changed its table in a way that is not allowed")              \
	X(NO_MEMORY, "the monitor has no memory left for it")                            \
	X(NO_PAGE, "L1 has taken a page away that it needs, or not populated it")        \
	X(INSTRUCTION, "an instruction on device memory that the monitor does not know") \
	X(REGISTERS, "L1 changed registers that the instruction does not write")         \
	X(TASK_SWITCH, "a task switch by hardware")                                      \
	X(LAUNCH, "its launch could not be measured")                                    \
	X(EVENT, "L1 injected an event that the guest does not expect")                  \
	X(IDENTITY, "L1 gave a virtual processor another APIC id")                       \
	X(ENTRY, "an entry was broken off after its registers were loaded")              \
	X(LEASE, "the lease of a disk of its is over")

enum stop_reason {
#define X(name, text) STOP_##name,
	STOP_REASONS(X)
#undef X
		STOP_REASON_COUNT
};

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * A protected guest's hypercalls to the monitor about channels: docs/channel.md, "Grants". One header for the monitor, the guest's
 * kernel driver and tests. VMMCALL on AMD, VMCALL on Intel, in 64-bit mode at CPL 0; from other modes ERR_PERM.
 *
 * In:  RAX = CHANNEL_MAGIC, RCX = enum channel_call, RDX and RSI = arguments.
 * Out: RAX = 0 or a negative error (enum channel_error), results as listed; other registers unchanged.
 * Plain Xen, and a guest that is not isolated, answers with -38 (ENOSYS).
 *
 * Integers are little-endian. What an argument points to is read once, lies within one page, and is the guest's own memory.
 */
#ifndef SWITCH_CHANNEL_CALL_H
#define SWITCH_CHANNEL_CALL_H

#ifdef __KERNEL__
#include <linux/types.h>
typedef __u8 channel_u8;
typedef __u16 channel_u16;
typedef __u32 channel_u32;
typedef __u64 channel_u64;
#else
#include <stdint.h>
typedef uint8_t channel_u8;
typedef uint16_t channel_u16;
typedef uint32_t channel_u32;
typedef uint64_t channel_u64;
#endif

#define CHANNEL_MAGIC 0x4e455448u /* "NETH"; Xen's own hypercall numbers are < 64 or 0x4000xxxx */
#define CHANNEL_ABI 1

#define CHANNEL_SERVICE 16        /* bytes of a service's name, NUL-padded; not empty */
#define CHANNEL_IDENTITY 32       /* bytes of a launch digest, or of a tenant's X25519 public key */
#define CHANNEL_PAGES_MAX 2048u   /* of one channel: 8 MiB */
#define CHANNEL_GUEST_PAGES 4096u /* that one guest has offered at a time */
#define CHANNEL_OFFERS_MAX 8u     /* that one guest has made at a time */
#define CHANNEL_ACCEPTS_MAX 64u   /* that one guest has accepted at a time */
#define CHANNEL_EXTENTS_MAX 64u   /* of one offer */

/* Where accepted channels are: a guest-physical range that nothing else is in, of slots of 2 MiB. */
#define CHANNEL_APERTURE 0x8000000000u /* 512 GiB */
#define CHANNEL_APERTURE_BYTES 0x40000000u
#define CHANNEL_SLOT 0x200000u

enum channel_call {
	/*
	 * RBX = CHANNEL_ABI, R8 = start of the aperture, R9 = its bytes (0: this guest cannot accept, it has memory of its own
	 * there, or addresses of fewer than 40 bits), R10 = the caller's guest id
	 */
	CHANNEL_VERSION = 0,
	/*
	 * RDX = address of a struct channel_offer. RBX = the channel's id (never reused, not 0). The pages are zeroed.
	 * A page that the host has too (shared_info, the grant table, the console) cannot be offered (CHANNEL_EPERM), nor one over which its
	 * device emulation or a disk's transfer has a window (CHANNEL_EBUSY). What a transfer moves in another page's place
	 * (docs/disks.md, "DMA") can: it has no part in that transfer as long as it is a channel's.
	 */
	CHANNEL_OFFER = 1,
	/*
	 * RDX = id, RSI = 0: the caller's first offer to accept with a larger id than this, that names the caller's identity.
	 * RBX = id, R8..R9 = service, R10 = pages, R11 = the offerer's guest id. CHANNEL_ENOENT: no more.
	 * RSI = 1, 2: of the offer with this id, R8..R11 = launch digest (1) or tenant (2; zeros: none) of the offerer.
	 */
	CHANNEL_PENDING = 2,
	/* RDX = address of a struct channel_accept. */
	CHANNEL_ACCEPT = 3,
	/*
	 * RDX = id, RSI = CHANNEL_REASON_CLOSED, _VIOLATION or _STALLED: the caller wants no more of a channel that it has offered or accepted. When it returns the
	 * other side has no access to the offerer's pages, which are zeros.
	 */
	CHANNEL_CLOSE = 4,
	/*
	 * RDX = id. RBX = enum channel_state, R8 = how often it was accepted, R9 = guest id of the peer (CHANNEL_HOST: the host; 0:
	 * none now), R10 = pages, R11 = enum channel_reason of the last end.
	 */
	CHANNEL_STATUS = 5,
};

enum channel_error {
	CHANNEL_OK = 0,
	CHANNEL_EPERM =
		-1, /* not in 64-bit mode at CPL 0; a page that is not the caller's own memory; another service, or identity of the offerer */
	CHANNEL_ENOENT =
		-2, /* no such channel of the caller's, or that he could accept (an offer that does not name him is none) */
	CHANNEL_EAGAIN = -11, /* the host is changing one of the pages: again */
	CHANNEL_ENOMEM = -12, /* the caller's limits, or no memory in the monitor */
	CHANNEL_EFAULT = -14, /* what the argument points to is not mapped, or crosses a page */
	CHANNEL_EBUSY =
		-16, /* a page that a channel or the host's device emulation is using; a slot that is not free; CHANNEL_ACCEPT: the host has put something where the aperture is */
	CHANNEL_EINVAL = -22, /* a field out of its range; a page twice */
	CHANNEL_ENOSYS = -38, /* no such call; CHANNEL_ACCEPT: addresses of fewer than 40 bits */
};

enum channel_peer {
	CHANNEL_PEER_DIGEST = 1, /* the guest with this launch digest */
	CHANNEL_PEER_TENANT = 2, /* a guest whose disks' keys this tenant has released */
	CHANNEL_PEER_HOST =
		3, /* the host itself: whoever is in L1 sees and writes these pages. Identity: zeros */
};

struct channel_extent {
	channel_u64 gfn;   /* guest frame number of the first page; no page twice */
	channel_u32 pages; /* 1.. */
	channel_u32 zero;
};

struct channel_offer {
	channel_u8 service[CHANNEL_SERVICE];
	channel_u32 peer; /* enum channel_peer */
	channel_u32
		extents; /* 1..CHANNEL_EXTENTS_MAX; the channel's pages in this order, 1..CHANNEL_PAGES_MAX in all */
	channel_u8 identity[CHANNEL_IDENTITY];
	struct channel_extent extent[CHANNEL_EXTENTS_MAX]; /* those used are read */
};

struct channel_accept {
	channel_u64 id;
	channel_u8 service[CHANNEL_SERVICE]; /* as offered */
	channel_u32 peer;                    /* CHANNEL_PEER_DIGEST or CHANNEL_PEER_TENANT */
	channel_u32 zero;
	channel_u8 identity[CHANNEL_IDENTITY]; /* the offerer's */
	channel_u64
		gpa; /* a multiple of CHANNEL_SLOT, in the aperture; as many slots as its pages fill */
};

enum channel_state {
	CHANNEL_OFFERED = 1,
	CHANNEL_OPEN = 2,
	/* Told to the acceptor alone: the offerer is over, or has closed. Its slots show memory of nobody's until it closes too. */
	CHANNEL_LEFT = 3,
	/* In lists and evidence alone: what a guest that lives has offered, and ended, or the host has taken pages of. */
	CHANNEL_ENDED = 4,
};

enum channel_reason {
	CHANNEL_REASON_NONE = 0,
	CHANNEL_REASON_CLOSED = 1,    /* by a side that was done */
	CHANNEL_REASON_VIOLATION = 2, /* by a side: the other broke the ring's rules */
	CHANNEL_REASON_STALLED = 3,   /* by a side: no heartbeat of the other's */
	CHANNEL_REASON_OVER = 4,  /* a side's guest is over (the monitor says so, nobody else) */
	CHANNEL_REASON_PAGES = 5, /* the host took pages of it away (the same) */
};

#define CHANNEL_HOST 0xffffffffffffffffu

#endif

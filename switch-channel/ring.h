/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What is in a channel's pages: docs/channel.md, "The ring". One header for kernel modules, ordinary programs and tests; how it is
 * used without trust in the other side is ring_ops.h.
 *
 * All integers are little-endian and naturally aligned; each is read and written by one access of its size. Every block of
 * NRING_BLOCK bytes has one writer. Fields that are not named are zeros, and are not looked at.
 */
#ifndef SWITCH_CHANNEL_RING_H
#define SWITCH_CHANNEL_RING_H

#ifdef __KERNEL__
#include <linux/types.h>
typedef __u8 nring_u8;
typedef __u16 nring_u16;
typedef __u32 nring_u32;
typedef __u64 nring_u64;
#else
#include <stdint.h>
typedef uint8_t nring_u8;
typedef uint16_t nring_u16;
typedef uint32_t nring_u32;
typedef uint64_t nring_u64;
#endif

#define NRING_MAGIC 0x474e49524854454eull /* "NETHRING" */
#define NRING_VERSION 1u

#define NRING_PAGE 4096u
#define NRING_PAGES_MIN 16u
#define NRING_PAGES_MAX 2048u /* CHANNEL_PAGES_MAX */
#define NRING_QUEUES_MAX 8u
#define NRING_ORDER_MIN 4u /* log2 of a ring's descriptors */
#define NRING_ORDER_MAX 14u
#define NRING_BLOCK 128u /* two cache lines, which processors fetch in pairs */

#define NRING_FRAME_MIN 14u /* an Ethernet header */
#define NRING_FRAME_MAX \
	(65536u + 128u)      /* 64 KiB and its headers; less where data areas are small */
#define NRING_DATA_MIN 4096u /* bytes of a ring's data area; a frame has at most half of it */
#define NRING_ALIGN 64u      /* frames start at multiples of this in their data area */
#define NRING_MTU_MIN 68u
#define NRING_MTU_EXTRA 22u /* a frame's bytes beyond the MTU: Ethernet header, two VLAN tags */

/* Where things are, in bytes from the start: headers, control, then descriptors of all rings, then data of all rings. */
#define NRING_CONTROL NRING_PAGE
#define NRING_DESCRIPTORS (3u * NRING_PAGE)

/* What frames may ask of their receiver, in both directions: those that both sides have set. */
enum nring_feature {
	NRING_F_CSUM =
		1u << 0, /* NRING_NEEDS_CSUM: the checksum is the receiver's work, or is left out */
	NRING_F_TSO4 = 1u << 1, /* NRING_GSO_TCPV4; needs F_CSUM */
	NRING_F_TSO6 = 1u << 2, /* NRING_GSO_TCPV6; needs F_CSUM */
	NRING_F_ECN = 1u << 3,  /* NRING_GSO_ECN */
	NRING_F_USO = 1u << 4,  /* NRING_GSO_UDP_L4; needs F_CSUM */
	NRING_F_SLEEP =
		1u << 5, /* who sleeps says so, and is woken (`port`); otherwise nobody looks */
	NRING_F_ALL = 0x3f,
};

enum nring_state {
	NRING_STATE_UP = 1u << 0,      /* the interface is up: it takes frames */
	NRING_STATE_CARRIER = 1u << 1, /* what is behind it has a link */
};

/* At offset 0: written by the offerer, once for each epoch; `magic` last. */
struct nring_offer {
	nring_u64 magic;
	nring_u32 version;
	nring_u32 epoch;    /* never 0, another one for each start */
	nring_u32 pages;    /* of the channel: NRING_PAGES_MIN.. */
	nring_u32 queues;   /* 1..NRING_QUEUES_MAX */
	nring_u32 order;    /* log2 of the descriptors of each ring */
	nring_u32 features; /* enum nring_feature */
	nring_u32
		mtu; /* NRING_MTU_MIN..65535, and with NRING_MTU_EXTRA not above the largest frame */
	nring_u32 domid; /* Xen's of the offerer, for the acceptor's event channels; hint */
	nring_u32 zero[22];
};

/* Written by the acceptor, once for each epoch; `epoch` last. */
struct nring_accept {
	nring_u32 epoch;   /* the offerer's, when the acceptor is ready; 0: it is not, or no more */
	nring_u32 refused; /* an epoch in which the acceptor does not start, or go on */
	nring_u32
		reason; /* of that: 0: it wants a new one, as it starts anew; or enum nring_violation */
	nring_u32 features; /* some of those offered */
	nring_u32 mtu;      /* as offered, or less */
	nring_u32 domid;    /* Xen's of the acceptor; hint */
	/* event channel of each queue, of the acceptor's domain, that the offerer may bind; 0: none; hint */
	nring_u32 port[NRING_QUEUES_MAX];
	nring_u32 zero[18];
};

/* Written by its side at any time. */
struct nring_live {
	nring_u32 heartbeat; /* differs at least every NRING_HEARTBEAT_MS */
	nring_u32 state;     /* enum nring_state */
	nring_u32 zero[30];
};

struct nring_header {
	struct nring_offer offer;
	struct nring_live offerer;
	struct nring_accept accept;
	struct nring_live acceptor;
};

#define NRING_HEARTBEAT_MS 250u
#define NRING_STALLED_MS 5000u /* without one: the other side is gone, or stopped */

/* An index runs freely through 32 bits. `sleep` is odd while its writer sleeps, or is about to, and another number each time. */
struct nring_word {
	nring_u32 value;
	nring_u32 zero[31];
};

/* Of ring 2 * queue (from the offerer to the acceptor) and 2 * queue + 1 (back), at NRING_CONTROL + ring * its size. */
struct nring_control {
	struct nring_word produced; /* by the producer: descriptors that are valid end here */
	struct nring_word
		consumed; /* by the consumer: descriptors that the producer may use again end here */
	struct nring_word producer_sleep; /* by the producer: it waits for room */
	struct nring_word consumer_sleep; /* by the consumer: it waits for frames */
};

/*
 * A frame, lying in one piece in the ring's data area. Two words of 64 bits. Flags and fields are those of virtio_net_hdr (Virtio
 * 1.2, 5.1.6), little-endian.
 */
struct nring_desc {
	nring_u64
		place; /* bits 0..23 offset in the data area, 24..31 flags, 32..55 length, 56..63 gso_type */
	nring_u64
		offload; /* bits 0..15 hdr_len, 16..31 gso_size, 32..47 csum_start, 48..63 csum_offset */
};

#define NRING_PLACE_MASK 0xffffffu     /* of offset and length */
#define NRING_FLAGS 0x1000000ull       /* 1 in the place of the flags, */
#define NRING_LENGTH 0x100000000ull    /* of the length, */
#define NRING_GSO 0x100000000000000ull /* of gso_type */

enum nring_flag { /* struct virtio_net_hdr's flags */
		  NRING_NEEDS_CSUM = 1,
		  NRING_DATA_VALID = 2,
};

enum nring_gso { /* struct virtio_net_hdr's gso_type */
		 NRING_GSO_NONE = 0,
		 NRING_GSO_TCPV4 = 1,
		 NRING_GSO_TCPV6 = 4,
		 NRING_GSO_UDP_L4 = 5,
		 NRING_GSO_ECN = 0x80,
};

/* What the other side has done that the specification excludes; counted by kind. */
enum nring_violation {
	NRING_BAD_NONE = 0,
	NRING_BAD_INDEX = 1,  /* an index that is not within the ring: nothing is taken */
	NRING_BAD_PLACE = 2,  /* a frame that is not within the data area: left out */
	NRING_BAD_LENGTH = 3, /* a frame below NRING_FRAME_MIN or above the largest: left out */
	NRING_BAD_OFFLOAD =
		4, /* flags or fields that were not agreed on, or point out of the frame: left out */
	NRING_BAD_VERSION = 5,  /* no common version: not attached */
	NRING_BAD_GEOMETRY = 6, /* pages, queues or descriptors out of bounds: not attached */
	NRING_BAD_CONFIG = 7,   /* features or MTU that cannot be: not attached */
	NRING_VIOLATIONS = 8,
};

_Static_assert(sizeof(struct nring_offer) == NRING_BLOCK &&
		       sizeof(struct nring_accept) == NRING_BLOCK &&
		       sizeof(struct nring_live) == NRING_BLOCK &&
		       sizeof(struct nring_word) == NRING_BLOCK && sizeof(struct nring_desc) == 16,
	       "the ABI");

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the monitor says of itself and its guests, signed with the key that it measured at boot: docs/attestation.md,
 * "Evidence". Little-endian; a struct evidence, then guests, then disks, then
 * channels, then the signature.
 */
#ifndef ATTEST_EVIDENCE_H
#define ATTEST_EVIDENCE_H

#include <stdint.h>

#define EVIDENCE_MAGIC "NHEVIDEN"
#define EVIDENCE_VERSION 2u
#define EVIDENCE_NONCE 32u
#define EVIDENCE_SIGNATURE 64u /* ECDSA with SHA-256 of all before it: r and s, big-endian */
#define EVIDENCE_GUESTS_MAX 64u
#define EVIDENCE_DISKS_MAX 64u
#define EVIDENCE_CHANNELS_MAX 512u

/* evidence.flags */
#define EVIDENCE_NO_TPM 1u       /* nothing was measured: no keys can be released to this monitor */
#define EVIDENCE_NO_ISOLATION 2u /* the option no-isolation */
#define EVIDENCE_ANCHORS 8u      /* disks can be anchored in the TPM (docs/image-format.md) */
#define EVIDENCE_DEV_KEYS 4u     /* an image for development */

struct evidence {
	uint8_t magic[8];
	uint32_t version;
	uint32_t bytes; /* of all, with the signature */
	uint8_t nonce[EVIDENCE_NONCE];
	char monitor[32]; /* version, NUL-padded */
	char backend[8];
	uint8_t receive[32]; /* as struct measured_keys */
	uint8_t sign[64];
	uint64_t uptime;                   /* milliseconds since boot, by the monitor's clock */
	uint32_t iommus, dma, open, tboot; /* as they were measured */
	uint32_t flags;
	uint32_t guests, disks, channels;
};

#define EVIDENCE_GUEST_STOPPED 0x100u /* besides LAUNCH_ flags */

struct evidence_guest {
	uint64_t id;
	uint8_t digest[32]; /* of its launch (docs/launch-digest.md) */
	uint32_t flags;
	uint32_t vcpus;
	uint32_t stop_reason; /* enum stop_reason */
	uint32_t zero;
};

struct evidence_disk {
	uint8_t uuid[16];
	uint64_t guest; /* id, or 0 */
	uint32_t drive;
	uint32_t state; /* enum disk_slot_state */
	uint8_t tenant
		[32]; /* who released its keys: an X25519 public key; zeros in an image for development */
	uint8_t release[16]; /* by which message */
};

#define EVIDENCE_CHANNEL_HOST UINT64_MAX

/* docs/channel.md; the words are those of switch-channel/call.h. */
struct evidence_channel {
	uint64_t id;
	uint8_t service[16];
	uint64_t offerer;  /* id of the guest */
	uint64_t acceptor; /* the same; 0: nobody now; EVIDENCE_CHANNEL_HOST */
	uint8_t identity
		[32]; /* whom the offer names: by a launch digest or as a tenant; zeros: the host */
	uint32_t peer; /* as which of these: enum channel_peer */
	uint32_t
		state; /* enum channel_state: LEFT: the host has not closed what the offerer has; ENDED: is no more */
	uint64_t accepts; /* how often it was accepted */
	uint32_t pages;   /* 0: ENDED */
	uint32_t
		reason; /* of its last end, or of that of the one that this guest had by this name before: enum channel_reason */
};

_Static_assert(sizeof(struct evidence) == 224, "no padding");
_Static_assert(sizeof(struct evidence_guest) == 56, "no padding");
_Static_assert(sizeof(struct evidence_disk) == 80, "no padding");
_Static_assert(sizeof(struct evidence_channel) == 96, "no padding");

#define EVIDENCE_MAX                                                                     \
	(sizeof(struct evidence) + EVIDENCE_GUESTS_MAX * sizeof(struct evidence_guest) + \
	 EVIDENCE_DISKS_MAX * sizeof(struct evidence_disk) +                             \
	 EVIDENCE_CHANNELS_MAX * sizeof(struct evidence_channel) + EVIDENCE_SIGNATURE)

/* In the making: in this order of calls, into EVIDENCE_MAX bytes. No more guests, disks and channels than there is room for. */
struct evidence_writer {
	uint8_t *out;
	struct evidence head;
};

/* Of the head, magic, version, bytes and counts are filled in at the end. */
void evidence_begin(struct evidence_writer *w, void *out, const struct evidence *head);
void evidence_add_guest(struct evidence_writer *w, const struct evidence_guest *g);
void evidence_add_disk(struct evidence_writer *w, const struct evidence_disk *d);
void evidence_add_channel(struct evidence_writer *w, const struct evidence_channel *c);

/* How many bytes it will be. */
uint32_t evidence_bytes(const struct evidence_writer *w);

/* Finished: sign is given the SHA-256 of all before the signature. */
void evidence_end(struct evidence_writer *w,
		  void (*sign)(uint8_t out[EVIDENCE_SIGNATURE], const uint8_t digest[32]));

/* A quote's qualifying data: SHA-256 of this text without its NUL, the nonce, and the evidence with its signature (R23). */
#define EVIDENCE_QUOTE "nethervisor quote v1"

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The message by which a tenant releases an image's keys to a monitor: docs/attestation.md, "Release". Little-endian.
 *
 * HPKE (RFC 9180) in mode_auth: DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, AES-256-GCM 0x0002; one message of
 * a context. info is RELEASE_INFO without its NUL, aad is all of the message before sealed. The sender's key is the tenant's
 * identity.
 */
#ifndef ATTEST_RELEASE_H
#define ATTEST_RELEASE_H

#include <stdint.h>

#define RELEASE_MAGIC "NHRELEAS"
#define RELEASE_VERSION 1u
#define RELEASE_INFO "nethervisor release v1"
#define RELEASE_EXPIRY_MAX (60u * 60 * 1000) /* milliseconds from now on: the furthest expiry */

/* What is sealed. */
struct release {
	uint8_t id[16];     /* random: a message is taken once */
	uint64_t expires;   /* the monitor's uptime, in milliseconds, until which it may be taken */
	uint64_t lease;     /* that until which the guest may run; 0: no end */
	uint8_t digest[32]; /* the only launch digest of a guest that gets the disk */
	uint8_t drive;      /* 0 primary master, .. 3 secondary slave; or AHCI port 0 .. 3 */
	uint8_t plain;      /* bit i: drive i may be one that is not encrypted */
	uint8_t consent; /* 1: also to an image that was not closed, or is newer than generation */
	uint8_t root_known; /* 1: root is that of the receipt with this generation */
	uint8_t anchor;     /* enum disk_anchor_need (iodecrypt/disk.h): 0, 1, 2 */
	uint8_t zero[3];
	uint64_t generation;
	uint8_t root[16];
	uint8_t uuid[16];
	uint8_t key_id[16];
	uint8_t xts[64];
	uint8_t tag[32];
};
_Static_assert(sizeof(struct release) == 224, "no padding");

struct release_message {
	uint8_t magic[8];
	uint32_t version;
	uint32_t bytes;                              /* of all */
	uint8_t enc[32];                             /* the KEM's encapsulated key */
	uint8_t tenant[32];                          /* the sender's public key, pkS */
	uint8_t sealed[sizeof(struct release) + 16]; /* with GCM's tag */
};
_Static_assert(sizeof(struct release_message) == 320, "no padding");

/*
 * Opens a message that nobody else can change meanwhile, with the monitor's key and its public half, and checks all but what
 * depends on time and place. 0; ERR_INVAL: it is none, or what the tenant sealed makes no sense; ERR_KEY: sealed for another
 * key, or changed. After an error out is zeros. The caller wipes out.
 */
int release_open(struct release *out, const struct release_message *m, const uint8_t public[32],
		 const uint8_t key[32]) __attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launch digest: SHA-256 over all that a guest starts with, from which a tenant knows what was
 * started. docs/launch-digest.md specifies the bytes that are hashed.
 */
#ifndef MONITOR_DIGEST_H
#define MONITOR_DIGEST_H

#include "crypto/sha256.h"
#include "monitor/layout.h"

#define DIGEST_BYTES CRYPTO_SHA256_BYTES

/*
 * The boot vCPU's state, in the order in which it is hashed. Control registers, EFER, PAT and DR7
 * are those that the processor is to run the guest with. A segment has selector, base, limit in
 * bytes, and attributes: bits 47:40 of its descriptor in bits 7:0, bits 55:52 in bits 11:8 (the
 * layout of AMD's VMCB); four zeros if unusable.
 */
enum digest_state {
	DIGEST_GPR = 0, /* 16, by their numbers in encodings */
	DIGEST_RIP = 16,
	DIGEST_RFLAGS,
	DIGEST_CR0,
	DIGEST_CR3,
	DIGEST_CR4,
	DIGEST_EFER,
	DIGEST_PAT,
	DIGEST_DR7,
	DIGEST_SEGMENT,                       /* 4 each: ES CS SS DS FS GS LDTR TR */
	DIGEST_GDTR = DIGEST_SEGMENT + 8 * 4, /* base, limit */
	DIGEST_IDTR = DIGEST_GDTR + 2,
	DIGEST_STATES = DIGEST_IDTR + 2
};

/* A digest under way; the functions' own. */
struct digest {
	struct crypto_sha256 hash;
	gpa_t zero; /* pages of zeros that were met and not hashed yet: from here, so many */
	uint64_t zeroes;
};

/* To be called in this order; digest_page() for each private page, by ascending gpa. */
void digest_begin(struct digest *d, bool sealed);
void digest_shared(struct digest *d, const struct guest_layout *layout);

/*
 * The context is a struct digest: for guest_table_each(). The page is the guest's already. Serves
 * other CPUs (phys_relax). Returns 0.
 */
int digest_page(void *context, gpa_t gpa, hpa_t page);

void digest_state(struct digest *d, const uint64_t state[DIGEST_STATES]);

/* What manifest.h forces. */
void digest_manifest(struct digest *d, const void *bytes, size_t len);

void digest_end(struct digest *d, uint8_t out[DIGEST_BYTES]);

#endif

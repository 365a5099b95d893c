/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/evidence.h"

#include "crypto/sha256.h"
#include "ept/base.h"

void evidence_begin(struct evidence_writer *w, void *out, const struct evidence *head)
{
	w->out = out;
	w->head = *head;
	__builtin_memcpy(w->head.magic, EVIDENCE_MAGIC, sizeof(w->head.magic));
	w->head.version = EVIDENCE_VERSION;
	w->head.guests = w->head.disks = w->head.channels = 0;
}

static uint32_t used(const struct evidence_writer *w)
{
	return (uint32_t)(sizeof(w->head) + w->head.guests * sizeof(struct evidence_guest) +
			  w->head.disks * sizeof(struct evidence_disk) +
			  w->head.channels * sizeof(struct evidence_channel));
}

void evidence_add_guest(struct evidence_writer *w, const struct evidence_guest *g)
{
	ASSERT(w->head.guests < EVIDENCE_GUESTS_MAX && !w->head.disks && !w->head.channels);
	__builtin_memcpy(w->out + used(w), g, sizeof(*g));
	w->head.guests++;
}

void evidence_add_disk(struct evidence_writer *w, const struct evidence_disk *d)
{
	ASSERT(w->head.disks < EVIDENCE_DISKS_MAX && !w->head.channels);
	__builtin_memcpy(w->out + used(w), d, sizeof(*d));
	w->head.disks++;
}

void evidence_add_channel(struct evidence_writer *w, const struct evidence_channel *c)
{
	ASSERT(w->head.channels < EVIDENCE_CHANNELS_MAX);
	__builtin_memcpy(w->out + used(w), c, sizeof(*c));
	w->head.channels++;
}

uint32_t evidence_bytes(const struct evidence_writer *w)
{
	return used(w) + EVIDENCE_SIGNATURE;
}

void evidence_end(struct evidence_writer *w,
		  void (*sign)(uint8_t out[EVIDENCE_SIGNATURE], const uint8_t digest[32]))
{
	uint8_t digest[CRYPTO_SHA256_BYTES];

	w->head.bytes = evidence_bytes(w);
	__builtin_memcpy(w->out, &w->head, sizeof(w->head));
	crypto_sha256(w->out, used(w), digest);
	sign(w->out + used(w), digest);
}

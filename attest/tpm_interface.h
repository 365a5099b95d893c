/* SPDX-License-Identifier: Apache-2.0 */
/* The TPM's two interfaces, for attest/tpm.c. */
#ifndef ATTEST_TPM_INTERFACE_H
#define ATTEST_TPM_INTERFACE_H

#include "attest/tpm.h"
#include "attest/tpm_bytes.h"

/*
 * PTP 6.5.1.3 has TIMEOUT_A 750 ms, B 2 s, C 200 ms, D 30 ms, and commands of 2 s at most (6.5.1.4). A TPM that is waited for longer
 * than it promised takes no harm, and one that keeps its promises is never waited for: so the longest stands for all four, and an
 * answer has time for a loaded emulator.
 */
#define TPM_TIMEOUT (2u * 1000 * 1000)
#define TPM_TIMEOUT_ANSWER (10u * 1000 * 1000)

static inline uint32_t tpm_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Until the register has that value below mask; false: it took too long. */
bool tpm_wait8(uint64_t at, uint8_t mask, uint8_t value, uint32_t timeout);
bool tpm_wait32(uint64_t at, uint32_t mask, uint32_t value, uint32_t timeout);

/* The size that a response's header says, if that is possible; else 0. */
uint32_t tpm_response_size(const struct tpm *t);

/* Locality 0: 0 or ERR_IO with *why. Giving it back never fails. */
int tpm_tis_request(const struct tpm *t, const char **why);
void tpm_tis_relinquish(const struct tpm *t);
int tpm_crb_request(const struct tpm *t, const char **why);
void tpm_crb_relinquish(const struct tpm *t);

/*
 * Sends n bytes of t->command; the response to t->response, of *got bytes, no less and no more than its header says. ERR_IO with *why
 * set; the TPM has then been asked to drop the command.
 */
int tpm_tis_run(struct tpm *t, uint32_t n, uint32_t *got, const char **why);
int tpm_crb_run(struct tpm *t, uint32_t n, uint32_t *got, const char **why);

#endif

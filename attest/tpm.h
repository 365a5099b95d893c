/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TPM 2.0 as the monitor needs it before L1 runs: data is measured into PCRs, by locality 0. Two interfaces, FIFO ("TIS") and
 * CRB (TCG PC Client Platform TPM Profile 1.05, 6: "PTP" below); the commands are those of the TPM 2.0 library, parts 2 and 3.
 *
 * Why locality 0, also after a TXT launch, where 2 could be had: PCRs 11 and 12 can be extended by all localities and reset by
 * none, so another one would say nothing more; and dom0's driver expects none to be in use.
 */
#ifndef ATTEST_TPM_H
#define ATTEST_TPM_H

#include "ept/base.h"

/* PTP 6.3.2: where locality 0's registers are, and how far apart those of the next ones. */
#define TPM_LOCALITY_0 0xfed40000u
#define TPM_LOCALITY_SIZE 0x1000u
#define TPM_CRB_CONTROL 0x40u /* the control area behind the start of a locality's registers */

#define TPM_PCRS 24u
#define TPM_BANKS_MAX 8u
#define TPM_DIGEST_MAX 64u
#define TPM_SHA256 0x000bu /* part 2, table 9: TPM_ALG_SHA256 */

/* A command that takes TPM_EVENT_MAX bytes, and the longest answer: TPM2_PCR_Event()'s in all banks. */
#define TPM_EVENT_MAX 1024u
#define TPM_BUFFER (TPM_EVENT_MAX + 64u)

struct tpm {
	uint64_t
		locality; /* the registers of locality 0; 0: a control area elsewhere, which has no localities */
	uint64_t control; /* CRB's control area; 0: FIFO */
	bool started;     /* nobody had started it since the machine's reset */
	uint32_t code;    /* of the last response */
	unsigned int bank_count;
	uint16_t bank[TPM_BANKS_MAX]; /* active: those that have every PCR we use */
	uint8_t command[TPM_BUFFER], response[TPM_BUFFER];
};

/* What TPM2_PCR_Event() gives: one digest for each active bank, and maybe more. No algorithm comes twice. */
struct tpm_digests {
	unsigned int count;
	struct {
		uint16_t algorithm;
		uint8_t digest[TPM_DIGEST_MAX];
	} of[TPM_BANKS_MAX];
};

/* Bytes of that algorithm's digest, 0 if it is unknown. */
uint32_t tpm_digest_bytes(uint16_t algorithm);

/*
 * Finds the TPM, takes locality 0 and reads which banks are active; pcrs has a bit for each PCR that a bank must have to count. control:
 * the control area's address that ACPI gives, or 0. Returns 0; ERR_NOENT if there is none; ERR_IO if it does not do as it
 * should, ERR_NOSYS if it has no active SHA-256 bank; *why says what. After an error it is as after tpm_close().
 */
int tpm_open(struct tpm *t, uint64_t control, uint32_t pcrs, const char **why);

/* Gives locality 0 back: ready for L1's driver. */
void tpm_close(struct tpm *t);

/*
 * Extends the PCR in all active banks by the digest of data (n <= TPM_EVENT_MAX bytes), which the TPM computes. ERR_IO with *why set:
 * it is not known whether it was extended.
 */
int tpm_event(struct tpm *t, uint32_t pcr, const void *data, uint32_t n, struct tpm_digests *out,
	      const char **why);

/*
 * Gives the TPM a command as it is, whose head says its size (<= TPM_BUFFER), at message; its response takes that place, of room bytes,
 * zeros behind it. ERR_IO with *why set, also if the TPM refuses it.
 */
int tpm_exchange(struct tpm *t, uint8_t *message, uint32_t room, const char **why);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The command response buffer interface: PTP 6.5.3. */
#include "attest/tpm_interface.h"
#include "attest/tpm_io.h"

/* Of a locality. */
#define LOC_STATE 0x00u
#define LOC_STATE_VALID 0x80u
#define LOC_STATE_ACTIVE 0x1cu /* its number */
#define LOC_STATE_ASSIGNED 0x02u
#define LOC_CTRL 0x08u
#define LOC_CTRL_REQUEST 1u
#define LOC_CTRL_RELINQUISH 2u

/* Of the control area. */
#define REQ 0x00u
#define REQ_READY 1u
#define REQ_IDLE 2u
#define STS 0x04u
#define STS_ERROR 1u
#define STS_IDLE 2u
#define CANCEL 0x08u
#define START 0x0cu
#define COMMAND_SIZE 0x18u
#define COMMAND_LOW 0x1cu
#define COMMAND_HIGH 0x20u
#define RESPONSE_SIZE 0x24u
#define RESPONSE_LOW 0x28u
#define RESPONSE_HIGH 0x2cu

static uint32_t reg(const struct tpm *t, uint32_t offset)
{
	return tpm_io_read32(t->control + offset);
}

static void set(const struct tpm *t, uint32_t offset, uint32_t value)
{
	tpm_io_write32(t->control + offset, value);
}

int tpm_crb_request(const struct tpm *t, const char **why)
{
	if (!t->locality)
		return 0;
	tpm_io_write32(t->locality + LOC_CTRL, LOC_CTRL_REQUEST);
	if (tpm_wait32(t->locality + LOC_STATE,
		       LOC_STATE_VALID | LOC_STATE_ASSIGNED | LOC_STATE_ACTIVE,
		       LOC_STATE_VALID | LOC_STATE_ASSIGNED, TPM_TIMEOUT))
		return 0;
	*why = "it does not give locality 0";
	return ERR_IO;
}

void tpm_crb_relinquish(const struct tpm *t)
{
	if (t->locality)
		tpm_io_write32(t->locality + LOC_CTRL, LOC_CTRL_RELINQUISH);
}

/* A buffer of at least n bytes, and no memory of anybody's; 0: there is none. */
static uint64_t buffer(const struct tpm *t, uint32_t size_at, uint32_t low, uint32_t high,
		       uint32_t n)
{
	uint64_t at = reg(t, low) | (uint64_t)reg(t, high) << 32;

	return reg(t, size_at) >= n && tpm_io_reaches(at, n) ? at : 0;
}

static int refuse(const struct tpm *t, const char **why, const char *text)
{
	set(t, REQ, REQ_IDLE);
	*why = text;
	return ERR_IO;
}

static int run(const struct tpm *t, uint64_t to, uint32_t n, const char **why)
{
	for (uint32_t i = 0; i < n; i++)
		tpm_io_write8(to + i, t->command[i]);
	set(t, CANCEL, 0);
	set(t, START, 1);
	if (!tpm_wait32(t->control + START, 1, 0, TPM_TIMEOUT_ANSWER)) {
		set(t, CANCEL, 1);
		tpm_wait32(t->control + START, 1, 0, TPM_TIMEOUT);
		set(t, CANCEL, 0);
		return refuse(t, why, "it does not answer");
	}
	if (reg(t, STS) & STS_ERROR)
		return refuse(t, why, "it has failed");
	return 0;
}

int tpm_crb_run(struct tpm *t, uint32_t n, uint32_t *got, const char **why)
{
	uint64_t to, from;
	int err;

	set(t, REQ, REQ_READY);
	if (!tpm_wait32(t->control + REQ, REQ_READY, 0, TPM_TIMEOUT) ||
	    !tpm_wait32(t->control + STS, STS_IDLE | STS_ERROR, 0, TPM_TIMEOUT))
		return refuse(t, why, "it does not get ready for a command");
	to = buffer(t, COMMAND_SIZE, COMMAND_LOW, COMMAND_HIGH, n);
	from = buffer(t, RESPONSE_SIZE, RESPONSE_LOW, RESPONSE_HIGH, TPM_HEADER);
	if (!to || !from)
		return refuse(t, why, "its buffers are too small, or no device's memory");
	err = run(t, to, n, why);
	if (err)
		return err;
	for (uint32_t i = 0; i < TPM_HEADER; i++)
		t->response[i] = tpm_io_read8(from + i);
	*got = tpm_response_size(t);
	if (!*got || !buffer(t, RESPONSE_SIZE, RESPONSE_LOW, RESPONSE_HIGH, *got))
		return refuse(t, why, "its answer has a wrong size");
	for (uint32_t i = TPM_HEADER; i < *got; i++)
		t->response[i] = tpm_io_read8(from + i);
	set(t, REQ, REQ_IDLE);
	tpm_wait32(t->control + REQ, REQ_IDLE, 0, TPM_TIMEOUT);
	return 0;
}

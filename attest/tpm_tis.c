/* SPDX-License-Identifier: Apache-2.0 */
/* The FIFO interface: PTP 6.5.2. Its status bits are in the registers' first bytes. */
#include "attest/tpm_interface.h"
#include "attest/tpm_io.h"

#define ACCESS 0x00u
#define ACCESS_VALID 0x80u
#define ACCESS_ACTIVE 0x20u /* writing it gives the locality back */
#define ACCESS_REQUEST 0x02u

#define STS 0x18u
#define STS_VALID 0x80u
#define STS_READY 0x40u /* writing it makes the TPM ready, and drops what is under way */
#define STS_GO 0x20u
#define STS_AVAILABLE 0x10u
#define STS_EXPECT 0x08u
#define STS_BURST(v) ((v) >> 8 & 0xffffu)

#define FIFO 0x24u

static int refuse(const struct tpm *t, const char **why, const char *text)
{
	tpm_io_write8(t->locality + STS, STS_READY);
	*why = text;
	return ERR_IO;
}

int tpm_tis_request(const struct tpm *t, const char **why)
{
	uint8_t mine = ACCESS_VALID | ACCESS_ACTIVE;

	if ((tpm_io_read8(t->locality + ACCESS) & mine) == mine)
		return 0;
	tpm_io_write8(t->locality + ACCESS, ACCESS_REQUEST);
	if (tpm_wait8(t->locality + ACCESS, mine, mine, TPM_TIMEOUT))
		return 0;
	*why = "it does not give locality 0";
	return ERR_IO;
}

void tpm_tis_relinquish(const struct tpm *t)
{
	tpm_io_write8(t->locality + ACCESS, ACCESS_ACTIVE);
}

/* Bytes that can be moved without another look: 0 if there were none for too long. */
static uint32_t burst(const struct tpm *t)
{
	uint32_t start = tpm_io_now(), n;

	do
		n = STS_BURST(tpm_io_read32(t->locality + STS));
	while (!n && tpm_io_now() - start < TPM_TIMEOUT);
	return n;
}

static bool status(const struct tpm *t, uint8_t mask, uint8_t value)
{
	return tpm_wait8(t->locality + STS, STS_VALID | mask, STS_VALID | value, TPM_TIMEOUT);
}

/* It has to want the last byte, and no more behind it. */
static bool send(const struct tpm *t, const uint8_t *bytes, uint32_t n)
{
	uint32_t room = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (i == n - 1 && !status(t, STS_EXPECT, STS_EXPECT))
			return false;
		if (!room)
			room = burst(t);
		if (!room--)
			return false;
		tpm_io_write8(t->locality + FIFO, bytes[i]);
	}
	return status(t, STS_EXPECT, 0);
}

static bool receive(const struct tpm *t, uint8_t *bytes, uint32_t n)
{
	uint32_t ready = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (!status(t, STS_AVAILABLE, STS_AVAILABLE))
			return false;
		if (!ready)
			ready = burst(t);
		if (!ready--)
			return false;
		bytes[i] = tpm_io_read8(t->locality + FIFO);
	}
	return true;
}

int tpm_tis_run(struct tpm *t, uint32_t n, uint32_t *got, const char **why)
{
	uint8_t answered = STS_VALID | STS_AVAILABLE;

	tpm_io_write8(t->locality + STS, STS_READY);
	if (!tpm_wait8(t->locality + STS, STS_READY, STS_READY, TPM_TIMEOUT))
		return refuse(t, why, "it does not get ready for a command");
	if (!send(t, t->command, n))
		return refuse(t, why, "it does not take a command");
	tpm_io_write8(t->locality + STS, STS_GO);
	if (!tpm_wait8(t->locality + STS, answered, answered, TPM_TIMEOUT_ANSWER))
		return refuse(t, why, "it does not answer");
	if (!receive(t, t->response, TPM_HEADER))
		return refuse(t, why, "its answer is too short");
	*got = tpm_response_size(t);
	if (!*got)
		return refuse(t, why, "its answer has a wrong size");
	if (!receive(t, t->response + TPM_HEADER, *got - TPM_HEADER))
		return refuse(t, why, "its answer is too short");
	if (!status(t, STS_AVAILABLE, 0))
		return refuse(t, why, "its answer is longer than it says");
	tpm_io_write8(t->locality + STS, STS_READY);
	return 0;
}

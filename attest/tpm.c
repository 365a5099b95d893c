/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tpm.h"

#include "attest/tpm_interface.h"
#include "attest/tpm_io.h"

#define INTERFACE_ID 0x30u /* PTP 6.4.2 */
#define INTERFACE_TYPE(id) ((id)&0xfu)
#define INTERFACE_CRB 1u
#define CRB_VENDOR 0x34u /* vendor and device; FIFO's: */
#define FIFO_VENDOR 0xf00u
#define CONTROL_BYTES 0x30u

/* Part 2, tables 12, 16, 19, 22 and 28. */
#define TAG_PLAIN 0x8001u
#define TAG_SESSIONS 0x8002u
#define COMMAND_PCR_EVENT 0x13cu
#define COMMAND_STARTUP 0x144u
#define COMMAND_GET_CAPABILITY 0x17au
#define CODE_INITIALIZE 0x100u
#define CODE_YIELDED 0x908u
#define CODE_TESTING 0x90au
#define CODE_RETRY 0x922u
#define CAPABILITY_PCRS 5u
#define STARTUP_CLEAR 0u
#define HANDLE_PASSWORD 0x40000009u

#define RETRY_PAUSE 5000u /* microseconds */
#define SELECT_MAX 4u     /* bytes of a selection's map: part 2, 10.6.2 */
#define LISTED_MAX 16u    /* banks that a TPM may name, active or not */

bool tpm_wait8(uint64_t at, uint8_t mask, uint8_t value, uint32_t timeout)
{
	uint32_t start = tpm_io_now();

	do
		if ((tpm_io_read8(at) & mask) == value)
			return true;
	while (tpm_io_now() - start < timeout);
	return false;
}

bool tpm_wait32(uint64_t at, uint32_t mask, uint32_t value, uint32_t timeout)
{
	uint32_t start = tpm_io_now();

	do
		if ((tpm_io_read32(at) & mask) == value)
			return true;
	while (tpm_io_now() - start < timeout);
	return false;
}

uint32_t tpm_response_size(const struct tpm *t)
{
	uint32_t size = tpm_get32(t->response + 2);

	return size >= TPM_HEADER && size <= sizeof(t->response) ? size : 0;
}

uint32_t tpm_digest_bytes(uint16_t algorithm)
{
	switch (algorithm) {
	case 0x0004: /* SHA-1 */
		return 20;
	case TPM_SHA256:
	case 0x0012: /* SM3-256 */
	case 0x0027: /* SHA3-256 */
		return 32;
	case 0x000c: /* SHA-384 */
	case 0x0028: /* SHA3-384 */
		return 48;
	case 0x000d: /* SHA-512 */
	case 0x0029: /* SHA3-512 */
		return 64;
	default:
		return 0;
	}
}

/* A command begins: put_size() ends it. */
static struct tpm_cursor begin(struct tpm *t, uint32_t tag, uint32_t command)
{
	struct tpm_cursor c = {t->command, 0, sizeof(t->command), false};

	tpm_put(&c, tag, 2);
	tpm_put(&c, 0, 4);
	tpm_put(&c, command, 4);
	return c;
}

static void put_size(struct tpm *t, const struct tpm_cursor *c)
{
	struct tpm_cursor size = {t->command, 2, sizeof(t->command), false};

	tpm_put(&size, c->at, 4);
}

static bool again(uint32_t code)
{
	return code == CODE_RETRY || code == CODE_YIELDED || code == CODE_TESTING;
}

static void pause(void)
{
	uint32_t start = tpm_io_now();

	while (tpm_io_now() - start < RETRY_PAUSE)
		;
}

/*
 * Sends the command that c has written; *response is behind the header of what came. An error's response has no more than that, and a tag
 * without sessions (part 1, 18.4 and 19.1).
 */
static int run(struct tpm *t, const struct tpm_cursor *c, struct tpm_cursor *response,
	       const char **why)
{
	uint32_t start = tpm_io_now(), got = 0, tag;
	int err;

	put_size(t, c);
	do {
		err = t->control ? tpm_crb_run(t, c->at, &got, why)
				 : tpm_tis_run(t, c->at, &got, why);
		if (err)
			return err;
		*response = (struct tpm_cursor){t->response, 0, got, false};
		tag = tpm_get(response, 2);
		tpm_get(response, 4); /* the size: looked at already */
		t->code = tpm_get(response, 4);
		if (again(t->code))
			pause();
	} while (again(t->code) && tpm_io_now() - start < TPM_TIMEOUT_ANSWER);
	*why = "it refuses a command";
	if (t->code && tag == TAG_PLAIN && tpm_complete(response))
		return ERR_AGAIN;
	*why = "its answer has a wrong tag or size";
	if (t->code)
		return ERR_IO;
	return tag == tpm_get32(t->command) >> 16 ? 0 : ERR_IO;
}

/* An error that the TPM answers is the end for all but one. */
static int run_well(struct tpm *t, const struct tpm_cursor *c, struct tpm_cursor *response,
		    const char **why)
{
	int err = run(t, c, response, why);

	return err == ERR_AGAIN ? ERR_IO : err;
}

static int startup(struct tpm *t, const char **why)
{
	struct tpm_cursor c = begin(t, TAG_PLAIN, COMMAND_STARTUP), response;
	int err;

	tpm_put(&c, STARTUP_CLEAR, 2);
	err = run_well(t, &c, &response, why);
	if (!err && !tpm_complete(&response)) {
		*why = "its answer to TPM2_Startup is malformed";
		err = ERR_IO;
	}
	t->started = !err;
	return err;
}

/* TPML_PCR_SELECTION: part 2, 10.9.7. A bank without all of pcrs is none for us. */
static int parse_banks(struct tpm *t, struct tpm_cursor *c, uint32_t pcrs, const char **why)
{
	bool more = tpm_get(c, 1);
	uint32_t capability = tpm_get(c, 4), count = tpm_get(c, 4);

	*why = "its list of banks is malformed";
	if (more || capability != CAPABILITY_PCRS || count > LISTED_MAX)
		return ERR_IO;
	t->bank_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint16_t algorithm = (uint16_t)tpm_get(c, 2);
		uint32_t bytes = tpm_get(c, 1), map = 0;

		if (bytes > SELECT_MAX)
			return ERR_IO;
		for (uint32_t j = 0; j < bytes; j++)
			map |= tpm_get(c, 1) << 8 * j;
		if (!map || (map & pcrs) != pcrs)
			continue;
		if (t->bank_count == TPM_BANKS_MAX || !tpm_digest_bytes(algorithm))
			return ERR_IO;
		for (unsigned int j = 0; j < t->bank_count; j++)
			if (t->bank[j] == algorithm)
				return ERR_IO;
		t->bank[t->bank_count++] = algorithm;
	}
	return tpm_complete(c) ? 0 : ERR_IO;
}

static int read_banks(struct tpm *t, uint32_t pcrs, const char **why)
{
	struct tpm_cursor c, response;
	int err = ERR_AGAIN;

	for (unsigned int i = 0; i < 2 && err == ERR_AGAIN; i++) {
		c = begin(t, TAG_PLAIN, COMMAND_GET_CAPABILITY);
		tpm_put(&c, CAPABILITY_PCRS, 4);
		tpm_put(&c, 0, 4);
		tpm_put(&c, 1, 4);
		err = run(t, &c, &response, why);
		if (err == ERR_AGAIN && (i || t->code != CODE_INITIALIZE || startup(t, why)))
			err = ERR_IO;
	}
	if (err)
		return err;
	err = parse_banks(t, &response, pcrs, why);
	for (unsigned int i = 0; !err && i < t->bank_count; i++)
		if (t->bank[i] == TPM_SHA256)
			return 0;
	if (!err)
		*why = "its SHA-256 bank is not active";
	return err ? err : ERR_NOSYS;
}

static bool vendor_there(uint64_t at)
{
	uint32_t vendor = tpm_io_read32(at);

	return vendor && vendor != UINT32_MAX;
}

/* Which interface is in use, the register says; only a control area in another place is known from ACPI alone. */
static int find(struct tpm *t, uint64_t control, const char **why)
{
	uint32_t id;

	if (control && control != TPM_LOCALITY_0 + TPM_CRB_CONTROL) {
		*why = "ACPI puts its registers where memory is";
		t->control = control;
		return tpm_io_reaches(control, CONTROL_BYTES) && !(control % 4) ? 0 : ERR_IO;
	}
	t->locality = TPM_LOCALITY_0;
	id = tpm_io_read32(t->locality + INTERFACE_ID);
	*why = "nothing answers";
	if (id != UINT32_MAX && INTERFACE_TYPE(id) == INTERFACE_CRB) {
		t->control = t->locality + TPM_CRB_CONTROL;
		return vendor_there(t->locality + CRB_VENDOR) ? 0 : ERR_NOENT;
	}
	return vendor_there(t->locality + FIFO_VENDOR) ? 0 : ERR_NOENT;
}

int tpm_open(struct tpm *t, uint64_t control, uint32_t pcrs, const char **why)
{
	int err;

	__builtin_memset(t, 0, sizeof(*t));
	err = find(t, control, why);
	if (err)
		return err;
	err = t->control ? tpm_crb_request(t, why) : tpm_tis_request(t, why);
	if (!err)
		err = read_banks(t, pcrs, why);
	if (err)
		tpm_close(t);
	return err;
}

void tpm_close(struct tpm *t)
{
	if (t->control)
		tpm_crb_relinquish(t);
	else
		tpm_tis_relinquish(t);
}

static bool has_digest(const struct tpm_digests *digests, unsigned int n, uint16_t algorithm)
{
	for (unsigned int i = 0; i < n; i++)
		if (digests->of[i].algorithm == algorithm)
			return true;
	return false;
}

/* TPML_DIGEST_VALUES (part 2, 10.9.6): of each active bank, and of others as the TPM likes. */
static bool parse_digests(const struct tpm *t, struct tpm_cursor *c, struct tpm_digests *out)
{
	out->count = tpm_get(c, 4);
	if (out->count > TPM_BANKS_MAX)
		return false;
	for (unsigned int i = 0; i < out->count; i++) {
		uint16_t algorithm = (uint16_t)tpm_get(c, 2);

		if (!tpm_digest_bytes(algorithm) || has_digest(out, i, algorithm))
			return false;
		out->of[i].algorithm = algorithm;
		tpm_get_bytes(c, out->of[i].digest, tpm_digest_bytes(algorithm));
	}
	for (unsigned int i = 0; i < t->bank_count; i++)
		if (!has_digest(out, out->count, t->bank[i]))
			return false;
	return !c->past;
}

/* What follows the parameters: an answer to the empty password (part 1, 19.4). */
static bool parse_session(struct tpm_cursor *c)
{
	uint32_t nonce = tpm_get(c, 2), attributes = tpm_get(c, 1), hmac = tpm_get(c, 2);

	return !nonce && attributes <= 1 && !hmac && tpm_complete(c);
}

int tpm_event(struct tpm *t, uint32_t pcr, const void *data, uint32_t n, struct tpm_digests *out,
	      const char **why)
{
	struct tpm_cursor c = begin(t, TAG_SESSIONS, COMMAND_PCR_EVENT), r;
	uint32_t parameters;
	int err;

	ASSERT(n <= TPM_EVENT_MAX);
	tpm_put(&c, pcr, 4);
	tpm_put(&c, 9, 4); /* bytes of the one authorization: an empty password */
	tpm_put(&c, HANDLE_PASSWORD, 4);
	tpm_put(&c, 0, 2);
	tpm_put(&c, 0, 1);
	tpm_put(&c, 0, 2);
	tpm_put(&c, n, 2);
	tpm_put_bytes(&c, data, n);
	err = run_well(t, &c, &r, why);
	if (err)
		return err;
	parameters = tpm_get(&r, 4) + r.at;
	*why = "its digests are malformed";
	return parse_digests(t, &r, out) && r.at == parameters && parse_session(&r) ? 0 : ERR_IO;
}

int tpm_exchange(struct tpm *t, uint8_t *message, uint32_t room, const char **why)
{
	struct tpm_cursor c = {t->command, tpm_get32(message + 2), sizeof(t->command), false},
			  response;
	int err;

	ASSERT(c.at <= room && c.at <= sizeof(t->command));
	__builtin_memcpy(t->command, message, c.at);
	err = run_well(t, &c, &response, why);
	if (err)
		return err;
	*why = "its answer is too long";
	if (response.end > room)
		return ERR_IO;
	__builtin_memset(message, 0, room);
	__builtin_memcpy(message, t->response, response.end);
	return 0;
}

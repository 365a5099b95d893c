/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TPM's drivers. First byte: bits 1:0 0 registers that read as the bytes that follow, whatever is asked; else one of the model's
 * interfaces, whose answers the bytes are: two with a length, and those. The other bits: what is wrong with it.
 */
#include "tests/unit/test_tpm_model.h"

#include "attest/tpm_interface.h"

#define PCRS (1u << 11 | 1u << 12)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t left;

static uint32_t model_answer(const uint8_t *command, uint32_t n, uint8_t *response)
{
	uint32_t want;

	ASSERT(n >= TPM_HEADER && n <= TPM_BUFFER && model_says(command) == n);
	if (left < 2)
		return 0;
	want = (uint32_t)(input[0] | input[1] << 8) % MODEL_BUFFER;
	input += 2;
	left -= 2;
	want = want < left ? want : (uint32_t)left;
	memcpy(response, input, want);
	input += want;
	left -= want;
	return want;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tpm tpm;
	struct tpm_digests digests;
	const char *why = NULL;
	int err;

	if (!size)
		return 0;
	input = data + 1;
	left = size - 1;
	model_reset((enum model_kind)(data[0] & 3));
	if (!model.kind) {
		model.noise = input;
		model.noise_bytes = (uint32_t)left;
	}
	model.step = 2000;
	model.silent = data[0] & 4;
	model.extra = data[0] >> 3 & 1;
	model.missing = data[0] >> 4 & 3;
	model.fails = data[0] & 0x40;
	err = tpm_open(&tpm, model.kind == MODEL_CRB_ELSEWHERE ? MODEL_ELSEWHERE : 0, PCRS, &why);
	ASSERT(err <= 0 && (!err || why));
	if (err)
		return 0;
	ASSERT(tpm.bank_count && tpm.bank_count <= TPM_BANKS_MAX);
	for (unsigned int i = 0; i < 3; i++) {
		err = tpm_event(&tpm, 11, data,
				size < TPM_EVENT_MAX ? (uint32_t)size : TPM_EVENT_MAX, &digests,
				&why);
		if (err)
			break;
		ASSERT(digests.count >= tpm.bank_count && digests.count <= TPM_BANKS_MAX);
		for (unsigned int j = 0; j < digests.count; j++)
			ASSERT(tpm_digest_bytes(digests.of[j].algorithm));
	}
	tpm_close(&tpm);
	ASSERT(!model.active);
	return 0;
}

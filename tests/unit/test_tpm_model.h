/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers of a TPM, FIFO or CRB, in place of tpm_io_*, with whatever is wrong with it. What it answers is the test's:
 * model_answer(). Time passes by 10 microseconds, or model.step, with each access or look at the clock.
 */
#ifndef TESTS_UNIT_TEST_TPM_MODEL_H
#define TESTS_UNIT_TEST_TPM_MODEL_H

#include <string.h>

#include "attest/tpm.h"
#include "attest/tpm_io.h"

#define MODEL_BUFFER 4096u
#define MODEL_CRB_BUFFER 0xf80u
#define MODEL_ELSEWHERE 0xbf001000u /* a control area without localities */
#define MODEL_DATA 0xbf002000u      /* and its buffer */

enum model_kind { MODEL_NONE, MODEL_FIFO, MODEL_CRB, MODEL_CRB_ELSEWHERE };

static struct {
	enum model_kind kind;
	/* What is wrong. */
	bool no_locality, never_ready, no_burst, greedy, sated, silent, fails, stuck_idle;
	bool small_buffer, far_buffer;
	uint32_t late;           /* microseconds until an answer */
	uint32_t extra, missing; /* bytes behind the answer, and of it */
	/* What it is doing. */
	bool active, ready, idle;
	uint8_t in[MODEL_BUFFER], out[MODEL_BUFFER];
	uint32_t in_bytes, out_bytes, out_at, go_at;
	bool running, cancelled;
	uint32_t clock, step;
	unsigned int commands, aborted;
	/* A fuzzer's, for MODEL_NONE: what its registers read as; zeros behind it. */
	const uint8_t *noise;
	uint32_t noise_bytes;
} model;

/* The response's bytes; both have MODEL_BUFFER bytes of room. */
static uint32_t model_answer(const uint8_t *command, uint32_t n, uint8_t *response);

static void model_reset(enum model_kind kind)
{
	memset(&model, 0, sizeof(model));
	model.kind = kind;
	model.idle = true;
	model.step = 10;
}

static void model_go(void)
{
	model.running = true;
	model.go_at = model.clock;
	model.commands++;
	memset(model.out, 0, sizeof(model.out));
	model.out_bytes = model_answer(model.in, model.in_bytes, model.out) + model.extra;
	model.out_bytes -= model.missing < model.out_bytes ? model.missing : model.out_bytes;
	model.out_at = 0;
}

static bool model_answered(void)
{
	return model.running && !model.silent && model.clock - model.go_at >= model.late;
}

static uint32_t model_says(const uint8_t *p)
{
	return (uint32_t)p[2] << 24 | (uint32_t)p[3] << 16 | (uint32_t)p[4] << 8 | p[5];
}

static bool model_expects(void)
{
	if (model.greedy || model.sated)
		return model.greedy;
	return model.in_bytes < 6 || model.in_bytes < model_says(model.in);
}

static uint32_t fifo_read(uint32_t offset)
{
	switch (offset) {
	case 0x00:
		return 0x80 | (model.active ? 0x20 : 0);
	case 0x18:
		return 0x80 | (model.ready && !model.never_ready && !model.in_bytes ? 0x40 : 0) |
		       (model_answered() && model.out_at < model.out_bytes ? 0x10 : 0) |
		       (!model.running && model.in_bytes && model_expects() ? 0x08 : 0) |
		       (model.no_burst ? 0 : 7u << 8);
	case 0x24:
		return model_answered() && model.out_at < model.out_bytes
			       ? model.out[model.out_at++]
			       : 0xff;
	case 0xf00:
		return 0x00011014;
	default:
		return 0;
	}
}

static void fifo_write(uint32_t offset, uint32_t value)
{
	switch (offset) {
	case 0x00:
		if (value & 0x20)
			model.active = false;
		else if (value & 2)
			model.active = !model.no_locality;
		break;
	case 0x18:
		if (!model.active)
			break;
		if (value == 0x40) {
			model.aborted += model.running && model.out_at < model.out_bytes;
			model.ready = true;
			model.running = false;
			model.in_bytes = 0;
		} else if (value == 0x20 && !model_expects()) {
			model_go();
		}
		break;
	case 0x24:
		if (model.active && model.in_bytes < MODEL_BUFFER)
			model.in[model.in_bytes++] = (uint8_t)value;
		break;
	default:
		break;
	}
}

/* Offsets from the control area. */
static uint32_t crb_read(uint32_t offset)
{
	uint32_t data = model.kind == MODEL_CRB ? TPM_LOCALITY_0 + 0x80 : MODEL_DATA;

	switch (offset) {
	case 0x00:
		return model.never_ready;
	case 0x04:
		return (model.running && model.fails ? 1 : 0) |
		       (model.idle || model.stuck_idle ? 2 : 0);
	case 0x0c:
		return model.running && !model_answered() && !model.cancelled;
	case 0x18:
	case 0x24:
		return model.small_buffer ? 11 : MODEL_CRB_BUFFER;
	case 0x1c:
	case 0x28:
		return model.far_buffer ? 0x100000 : data;
	default:
		return 0;
	}
}

static void crb_write(uint32_t offset, uint32_t value)
{
	switch (offset) {
	case 0x00:
		model.idle = value == 2;
		model.running = false;
		break;
	case 0x08:
		model.cancelled = value;
		model.aborted += value;
		break;
	case 0x0c:
		if (!model.idle && (model.active || model.kind == MODEL_CRB_ELSEWHERE)) {
			model.in_bytes = model_says(model.in);
			model_go();
		}
		break;
	default:
		break;
	}
}

static uint32_t model_read(uint64_t at)
{
	uint32_t offset = (uint32_t)(at - TPM_LOCALITY_0);
	uint64_t data = model.kind == MODEL_CRB ? TPM_LOCALITY_0 + 0x80 : MODEL_DATA;

	model.clock += model.step;
	if (model.noise_bytes) {
		model.noise_bytes--;
		return *model.noise++ * 0x01010101u;
	}
	if (model.noise)
		model.clock += 1000000;
	if (model.kind == MODEL_FIFO)
		return fifo_read(offset);
	if (model.kind >= MODEL_CRB && at >= data && at < data + MODEL_CRB_BUFFER)
		return model.out[at - data];
	if (model.kind == MODEL_CRB_ELSEWHERE)
		return at >= MODEL_ELSEWHERE ? crb_read((uint32_t)(at - MODEL_ELSEWHERE))
					     : UINT32_MAX;
	if (model.kind == MODEL_NONE)
		return UINT32_MAX;
	if (offset >= 0x40)
		return crb_read(offset - 0x40);
	return offset == 0x00   ? 0x80u | (model.active ? 2 : 0)
	       : offset == 0x30 ? 1
	       : offset == 0x34 ? 0x11014
				: 0;
}

uint8_t tpm_io_read8(uint64_t at)
{
	return (uint8_t)model_read(at);
}

uint32_t tpm_io_read32(uint64_t at)
{
	return model_read(at);
}

void tpm_io_write8(uint64_t at, uint8_t value)
{
	uint64_t data = model.kind == MODEL_CRB ? TPM_LOCALITY_0 + 0x80 : MODEL_DATA;

	model.clock += model.step;
	if (model.kind == MODEL_FIFO)
		fifo_write((uint32_t)(at - TPM_LOCALITY_0), value);
	else if (model.kind >= MODEL_CRB && at >= data && at < data + MODEL_CRB_BUFFER)
		model.in[at - data] = value;
}

void tpm_io_write32(uint64_t at, uint32_t value)
{
	uint64_t control = model.kind == MODEL_CRB ? TPM_LOCALITY_0 + 0x40 : MODEL_ELSEWHERE;

	model.clock += model.step;
	if (model.kind == MODEL_FIFO)
		fifo_write((uint32_t)(at - TPM_LOCALITY_0), value);
	else if (model.kind == MODEL_CRB && at == TPM_LOCALITY_0 + 8)
		model.active = value == 1 && !model.no_locality;
	else if (model.kind >= MODEL_CRB && at >= control)
		crb_write((uint32_t)(at - control), value);
}

bool tpm_io_reaches(uint64_t at, uint32_t bytes)
{
	return at >= 0xbf000000u && bytes && at + bytes <= 4 * GIB;
}

uint32_t tpm_io_now(void)
{
	return model.clock += model.step;
}

#endif

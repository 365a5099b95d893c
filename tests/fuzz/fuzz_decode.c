/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a byte that chooses the mode, then instruction bytes. */
#include <stdlib.h>
#include <string.h>

#include "monitor/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_memory(const struct decode_mem *m)
{
	ASSERT(m->base < 16 || m->base == GPR_NONE);
	ASSERT(m->index < 16 || m->index == GPR_NONE);
	ASSERT(m->shift <= 3 && m->seg < SEG_COUNT);
}

static void check(const struct decode_insn *i, size_t n)
{
	static const uint64_t gpr[16], seg_base[SEG_COUNT];

	ASSERT(i->op > OP_NONE && i->op < OP_COUNT);
	ASSERT(i->len > 0 && i->len <= DECODE_MAX && i->len <= n);
	ASSERT(i->opsize == 1 || i->opsize == 2 || i->opsize == 4 || i->opsize == 8);
	ASSERT(i->addrsize == 2 || i->addrsize == 4 || i->addrsize == 8);
	ASSERT(i->mode == DECODE_64 || i->addrsize < 8);
	ASSERT(i->memsize <= 16 && i->reg < 16 && i->rm < 16);
	ASSERT(!(i->reg_high && i->reg > 3) && !(i->rm_high && i->rm > 3));
	ASSERT(!(i->rep && i->repne));
	check_memory(&i->mem);
	check_memory(&i->mem2);
	if (i->has_mem && i->mode != DECODE_64)
		ASSERT(decode_address(i, &i->mem, gpr, 0, seg_base).a <= UINT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum decode_mode modes[] = {DECODE_16, DECODE_32, DECODE_64};
	struct decode_insn insn, again;
	enum decode_mode mode;
	uint8_t *bytes;
	size_t n;
	int err;

	if (!size)
		return 0;
	mode = modes[data[0] % 3];
	n = size - 1;
	bytes = malloc(n); /* of its own, so that a read beyond it is noticed */
	memcpy(bytes, data + 1, n);
	err = decode(bytes, n, mode, &insn);
	ASSERT(!err || err == ERR_NOENT || err == ERR_INVAL || err == ERR_NOSYS);
	ASSERT(err != ERR_NOENT || n < DECODE_MAX);
	if (!err) {
		check(&insn, n);
		/* exactly its bytes give it again, one less asks for more */
		ASSERT(!decode(bytes, insn.len, mode, &again));
		ASSERT(again.op == insn.op && again.len == insn.len && again.imm == insn.imm);
		ASSERT(again.mem.disp == insn.mem.disp);
		ASSERT(decode(bytes, insn.len - 1u, mode, &again) == ERR_NOENT);
	}
	free(bytes);
	return 0;
}

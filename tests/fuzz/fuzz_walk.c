/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: struct input, then the first bytes of memory: 8 pages of RAM at 0. Table addresses that
 * the fuzzer invents are mostly outside, so bits 15 and up of what it gives count only if bit 62
 * of the entry is set, which no format reads.
 */
#include <string.h>

#include "ept/ept.h"
#include "ept/walk.h"
#include "monitor/fake/machine.h"
#include "tests/unit/test_ept_model.h"

#define RAM_PAGES 8
#define FAR_ADDRESS ((uint64_t)1 << 62)
#define NEAR_MASK 0xfff0000000007fffu

struct input {
	uint64_t cr0, cr3, cr4, efer, nested_root, gva;
	uint8_t nested, cpl, phys_bits, access; /* nested: bit 0; bits 1 and 2 are for EPT */
	uint8_t length[4];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill_memory(const uint8_t *data, size_t size)
{
	uint64_t *ram = fake_at(HPA(0), RAM_PAGES * PAGE_SIZE);

	memset(ram, 0, RAM_PAGES * PAGE_SIZE);
	memcpy(ram, data, size < RAM_PAGES * PAGE_SIZE ? size : RAM_PAGES * PAGE_SIZE);
	for (size_t i = 0; i < RAM_PAGES * PAGE_SIZE / 8; i++)
		if (!(ram[i] & FAR_ADDRESS))
			ram[i] &= NEAR_MASK;
}

static void check(const struct walk_result *r, int err, bool nested)
{
	ASSERT(err == 0 || err == ERR_FAULT);
	ASSERT((err == 0) == (r->stop == WALK_DONE));
	ASSERT(nested || r->stop != WALK_NESTED);
	ASSERT(r->stop != WALK_MEMORY || !phys_host(r->hpa, 8));
	if (!err)
		ASSERT(nested ? r->hpa.a < (uint64_t)1 << 52 : r->hpa.a == r->gpa.a);
}

/* On EPT a nested walk alone ends where the manual's words say. */
static void compare(const struct walk_space *s, const struct input *in, uint32_t access,
		    const struct walk_result *r)
{
#ifdef FORMAT_EPT
	struct ept_model m = {in->nested & 2, in->nested & 4, s->phys_bits};
	uint64_t hpa;

	if (!s->nested)
		return;
	ASSERT(r->stop == model_walk(&m, s->nested_root, in->gva, access, &hpa));
	ASSERT(r->stop != WALK_DONE || r->hpa.a == hpa);
#endif
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t accesses[] = {WALK_READ, WALK_WRITE, WALK_EXEC};
	static uint8_t buf[3 * PAGE_SIZE];
	struct walk_result r;
	struct walk_space s;
	struct input in;
	uint32_t access;
	size_t n, copied;
	int err;

	if (size < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	if (!phys_host(HPA(0), 1))
		fake_add_ram(HPA(0), RAM_PAGES * PAGE_SIZE);
	fill_memory(data + sizeof(in), size - sizeof(in));
	s = (struct walk_space){
		.cr0 = in.cr0,
		.cr3 = in.cr3 & FAR_ADDRESS ? in.cr3 : in.cr3 & NEAR_MASK,
		.cr4 = in.cr4,
		.efer = in.efer,
		.nested_root = HPA(in.nested_root & 0x000ffffffffff000u),
		.nested = in.nested & 1,
		.cpl = in.cpl & 3,
		.phys_bits = 32 + in.phys_bits % 21,
	};
	access = accesses[in.access % 3];
#ifdef FORMAT_EPT
	ept_limits(in.nested & 2, in.nested & 4);
#endif

	err = walk_gva(&s, GVA(in.gva), access, &r);
	check(&r, err, s.nested);
	n = (size_t)(in.length[0] | in.length[1] << 8) % sizeof(buf);
	copied = walk_copy(&s, GVA(in.gva), access, buf, n);
	ASSERT(copied <= n);
	ASSERT(!err || !copied);
	err = walk_gpa(&s, GPA(in.gva), access, &r);
	check(&r, err, s.nested);
	compare(&s, &in, access, &r);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: struct input, then the first bytes of memory: 8 pages of RAM at 0, of which some are a guest's. Table addresses that
 * the fuzzer invents are mostly outside, so bits 15 and up of what it gives count only if bit 62
 * of the entry is set, which no format reads.
 */
#include <string.h>

#include "ept/ept.h"
#include "ept/walk.h"
#include "monitor/fake/machine.h"
#include "tests/unit/test_ept_model.h"

#define RAM_PAGES 8
#define GUEST 5u
#define FAR_ADDRESS ((uint64_t)1 << 62)
#define NEAR_MASK 0xfff0000000007fffu

struct input {
	uint64_t cr0, cr3, cr4, efer, nested_root, gva;
	uint8_t nested, cpl, phys_bits,
		access;                    /* nested: bit 0; bits 1 and 2 are for EPT; 3: private */
	uint8_t length[2], owners, others; /* pages that are the guest's, and another's */
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

static void set_owners(const struct input *in)
{
	for (unsigned int i = 0; i < RAM_PAGES; i++) {
		const hpa_t page = HPA(i * PAGE_SIZE);
		bool own = in->owners >> i & 1, other = in->others >> i & 1;

		owner_set(page.a, page.a + PAGE_SIZE, OWNER_HOST);
		if (own || other)
			ASSERT(owner_take(page, 1, own ? GUEST : GUEST + 1, GPA(page.a)));
	}
}

static bool readable(const struct walk_space *s, hpa_t hpa, size_t len)
{
	return s->nested && s->private ? phys_seen(hpa, len, GUEST) : phys_host(hpa, len);
}

static void check(const struct walk_space *s, const struct walk_result *r, int err)
{
	bool nested = s->nested;

	ASSERT(err == 0 || err == ERR_FAULT);
	ASSERT((err == 0) == (r->stop == WALK_DONE));
	ASSERT(nested || r->stop != WALK_NESTED);
	ASSERT(r->stop != WALK_MEMORY || !phys_host(r->hpa, 8));
	if (!err)
		ASSERT(nested ? r->hpa.a < (uint64_t)1 << 52 : r->hpa.a == r->gpa.a);
}

/* The path is what memory has there, and touching it changes only A and D, only in the guest's pages. */
static void check_path(const struct walk_space *s, int err, bool write)
{
	static uint8_t before[RAM_PAGES * PAGE_SIZE];
	uint64_t *ram = fake_at(HPA(0), sizeof(before)), was,
		 allowed[RAM_PAGES * PAGE_SIZE / 8] = {0};
	const struct walk_path *p = s->path;

	ASSERT(p->count <= WALK_LEVELS);
	for (unsigned int i = 0; i < p->count; i++) {
		const uint64_t a = p->entry[i].hpa.a;
		uint64_t value = 0;

		ASSERT(readable(s, HPA(a), p->size) && a % p->size == 0);
		memcpy(&value, (uint8_t *)ram + a, p->size);
		ASSERT(value == p->entry[i].value);
		if (phys_guest(HPA(a), p->size, GUEST))
			allowed[a / 8] |= (uint64_t)(0x20 | (write && i == p->count - 1 ? 0x40 : 0))
					  << a % 8 * 8;
	}
	if (err)
		return;
	memcpy(before, ram, sizeof(before));
	err = walk_touch(s, write);
	ASSERT(!err || err == ERR_BUSY); /* tables that contain themselves change on the way */
	for (size_t i = 0; i < sizeof(before) / 8; i++) {
		memcpy(&was, before + i * 8, 8);
		ASSERT(!((ram[i] ^ was) & ~allowed[i]) && (ram[i] & was) == was);
		ASSERT(err || !s->private || (ram[i] & allowed[i]) == allowed[i] || !s->nested ||
		       !(s->efer & 0x400));
	}
}

/* On EPT a nested walk alone ends where the manual's words say. */
static void compare(const struct walk_space *s, const struct input *in, uint32_t access,
		    const struct walk_result *r)
{
#ifdef FORMAT_EPT
	struct ept_model m = {in->nested & 2, in->nested & 4, s->phys_bits};
	uint64_t hpa;

	if (!s->nested || s->private) /* marks of L1 count for nothing there */
		return;
	ASSERT(r->stop == model_walk(&m, s->nested_root, in->gva, access, &hpa));
	ASSERT(r->stop != WALK_DONE || r->hpa.a == hpa);
#endif
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t accesses[] = {WALK_READ, WALK_WRITE, WALK_EXEC};
	static uint8_t buf[3 * PAGE_SIZE];
	struct walk_path path = {0};
	struct walk_result r;
	struct walk_space s;
	struct input in;
	uint32_t access;
	size_t n, copied;
	int err;

	if (size < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	if (owner_kind(owner_of(HPA(0))) == OWNER_NONE)
		fake_add_ram(HPA(0), RAM_PAGES * PAGE_SIZE);
	set_owners(&in);
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
		.private = in.nested & 8,
		.guest = GUEST,
		.path = in.nested & 8 ? &path : NULL,
	};
	access = accesses[in.access % 3];
#ifdef FORMAT_EPT
	ept_limits(in.nested & 2, in.nested & 4);
#endif

	err = walk_gva(&s, GVA(in.gva), access, &r);
	check(&s, &r, err);
	n = (size_t)(in.length[0] | in.length[1] << 8) % sizeof(buf);
	copied = walk_copy(&s, GVA(in.gva), access, buf, n);
	ASSERT(copied <= n);
	ASSERT(!err || !copied);
	err = walk_gpa(&s, GPA(in.gva), access, &r);
	check(&s, &r, err);
	compare(&s, &in, access, &r);
	if (s.path)
		check_path(&s, walk_gva(&s, GVA(in.gva), access, &r), access == WALK_WRITE);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's first entry with any table. Input: struct start, then struct change: each puts an entry into
 * one of L1's pages for tables, on top of a table that is well-formed. Either the guest is launched and
 * the invariants hold, or nothing has changed.
 */
#include "tests/fuzz/fuzz_guest.h"

#define CHANGES_MAX 64
#define GUEST_PAGES 24u
#define USED 0xb0000u /* bytes of RAM that are not zero */

struct start {
	uint8_t root, tables, pvh;
};

struct change {
	uint8_t table, where, kind, what;
	uint64_t raw;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t *slot(hpa_t table, unsigned int i)
{
	return (uint64_t *)phys_at(table) + i % TABLE_ENTRIES;
}

/* Four levels that map some pages from gpa 1 MiB on, and hvm_info or not. */
static void build(const struct start *s)
{
	static const char signature[8] = {'H', 'V', 'M', ' ', 'I', 'N', 'F', 'O'};
	const uint32_t words[] = {48, 0, 1, 0x400, 0xfeff0, 0};
	uint8_t *info = (uint8_t *)phys_at(HPA(PAGES)) + 0x800, sum = 0;

	for (unsigned int level = 4; level > 1; level--)
		*slot(table_page(4 - level), 0) = table_entry(table_page(5 - level));
	for (unsigned int i = 0; i < GUEST_PAGES; i++)
		*slot(table_page(3), 0x100 + i) =
			table_leaf(HPA(PAGES + (1 + i) * PAGE_SIZE), 1, TABLE_RWX, WB);
	if (s->pvh & 1)
		return;
	*slot(table_page(3), 0x9f) = table_leaf(HPA(PAGES), 1, TABLE_RWX, WB);
	memcpy(info, signature, sizeof(signature));
	memcpy(info + 8, words, sizeof(words));
	for (unsigned int i = 0; i < 48; i++)
		sum = (uint8_t)(sum + info[i]);
	info[12] = (uint8_t)-sum;
}

static uint64_t entry(const struct change *c)
{
	hpa_t page = HPA(PAGES + c->what % PAGE_COUNT * PAGE_SIZE);

	switch (c->kind % 10) {
	case 0:
		return 0;
	case 1:
		return table_leaf(page, 1, TABLE_RWX, WB);
	case 2:
		return table_leaf(HPA(LARGE_PAGE), 2, TABLE_RWX, WB);
	case 3:
		return table_entry(table_page(c->what));
	case 4:
		return MARKED(table_entry(table_page(c->what)));
	case 5:
		return MARKED(table_leaf(page, 1, TABLE_RWX, WB));
	case 6: /* the monitor's memory, or none */
		return table_entry(HPA(BLOCK + (uint64_t)c->what * (128 << 10)));
	case 7:
		return table_leaf(HPA(c->what & 1 ? 0 : BLOCK), c->what & 2 ? 3 : 2, TABLE_RWX, WB);
	case 8:
		return table_leaf(page, 1, c->what >> 5 & 7, c->raw & table_format.leaf_type);
	default:
		return c->raw;
	}
}

static void expect_unchanged(const uint8_t *memory)
{
	struct guest_summary s;

	ASSERT(!memcmp(phys_at(HPA(0)), memory, USED));
	for (uint64_t hpa = 0; hpa < RAM_SIZE; hpa += PAGE_SIZE)
		ASSERT(owner_kind(owner_of(HPA(hpa))) == OWNER_HOST);
	for (unsigned int i = 0; i < GUEST_MAX; i++)
		ASSERT(guest_summary(i, &s) == ERR_NOENT);
}

/* Memory keeps its content either way; the vCPU is entered as soon as the guest is measured. */
static void launch(hpa_t root, const uint8_t *memory)
{
	enum guest_entry how = GUEST_ENTRY_AGAIN;
	const char *why = NULL;
	struct guest_vcpu *v = guest_vcpu_take(cpu_at(0), HPA(KEY), root, &why);

	check_host();
	if (!v) {
		ASSERT(why);
		expect_unchanged(memory);
		return;
	}
	check_guest(&v->guest->protection.table, NULL);
	for (unsigned int i = 0; i < 3 && how == GUEST_ENTRY_AGAIN; i++)
		how = guest_enter(cpu_at(0), v);
	ASSERT(how == GUEST_ENTRY_OK && guest_live(v->guest));
	check_guest(&v->guest->protection.table, NULL);
	ASSERT(!memcmp(phys_at(HPA(0)), memory, USED));
	guest_vcpu_drop(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t memory[USED];
	struct change change;
	struct start start;

	if (size < sizeof(start))
		return 0;
	memcpy(&start, data, sizeof(start));
	data += sizeof(start);
	size -= sizeof(start);
	guest_machine();
	build(&start);
	for (unsigned int i = 0; i < CHANGES_MAX && size >= sizeof(change); i++) {
		memcpy(&change, data, sizeof(change));
		*slot(table_page(change.table), change.where) = entry(&change);
		data += sizeof(change);
		size -= sizeof(change);
	}
	if (start.tables & 0x80)
		fake_limit_tables(start.tables & 7);
	memcpy(memory, phys_at(HPA(0)), USED);
	launch(start.root & 0xf0 ? table_page(0)
				 : HPA(start.root & 1 ? BLOCK : TABLES | (start.root & 2)),
	       memory);
	forget_guests();
	return 0;
}

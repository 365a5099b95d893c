/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine with a guest whose memory is isolated, in both formats: how L1 builds it, what L1 can
 * reach of it, and how the guest comes out and goes in. Each test is a process.
 *
 * Every byte of the guest's private memory is random and not zero, but for hvm_info's, so that what L1
 * sees can be told from zeros. Its pages lie in L1's memory in another order than in its own.
 */
#ifndef TESTS_TEST_ISOLATED_H
#define TESTS_TEST_ISOLATED_H

#define RAM_SIZE (64 * MIB)
#define BLOCK (128 * MIB)
#define BLOCK_SIZE (24 * MIB)
#include "tests/unit/test_host_leaf.h"
#include "crypto/crypto.h"
#include "monitor/launch.h"

#define KEY 0x10000u
#define ROOT (16 * MIB)  /* L1's pages for the guest's table */
#define PAGES (32 * MIB) /* and those that it maps */
#define SPARE (48 * MIB) /* pages of L1's */
#ifdef FORMAT_EPT
#define WB ((uint64_t)MEM_WB << 3)
#define MARKED(entry) ((entry) | (uint64_t)7 << 3)
#else
#define WB 0
#define MARKED(entry) ((entry) & ~(uint64_t)4)
#endif

/* Guest-physical: what is mapped at the launch. */
#define INFO 0x9f000u
#define SMALL MIB       /* SMALL_PAGES of 4 KiB */
#define LARGE (2 * MIB) /* one of 2 MiB */
#define LOW_END (4 * MIB)
#define SMALL_PAGES 64u
#define PRIVATE_PAGES (SMALL_PAGES + 512u)
#define SHARED_HVM 0xb8000u    /* in the VGA's window */
#define SHARED_PVH 0xfeffc000u /* xenstore's ring */
#define DEVICE 0xa0000u        /* nothing is there: an HVM guest's device */

/* Linear: page i of SMALL, from where on; then the two others. Page tables are in the first four. */
#define LINEAR 0x400000u
#define AT(i) (LINEAR + (i)*PAGE_SIZE)
#define AT_DEVICE AT(256)
#define AT_SHARED AT(257)
#define AT_APIC AT(259)
#define AT_INFO AT(258)
#define GUEST_CODE AT(8)

static struct guest_vcpu *v;
static struct guest *guest;
static const char *why;
static uint64_t next_table;
static bool hvm;

static inline uint8_t random_byte(void)
{
	static uint64_t x = 88172645463325252u;

	do {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	} while (!(x >> 33 & 0xff));
	return (uint8_t)(x >> 33);
}

static inline void randomize(uint64_t hpa, uint64_t len)
{
	uint8_t *at = fake_at(HPA(hpa), len);

	for (uint64_t i = 0; i < len; i++)
		at[i] = random_byte();
}

/* --- what L1 builds ---------------------------------------------------------------------------- */

static inline uint64_t leaf(uint64_t hpa, unsigned int level)
{
	return table_leaf(HPA(hpa), level, TABLE_RWX, WB);
}

/* hpa of the entry of this level for gpa; tables are made on the way, as L1 does before a launch. */
static inline uint64_t entry_for(uint64_t gpa, unsigned int level)
{
	uint64_t at = ROOT;

	for (unsigned int l = TABLE_LEVELS;; l--) {
		uint64_t *e = (uint64_t *)fake_at(HPA(at), PAGE_SIZE) + table_index(l, gpa);

		if (l == level)
			return at + table_index(l, gpa) * sizeof(*e);
		if (!*e) {
			*e = table_entry(HPA(next_table));
			next_table += PAGE_SIZE;
		}
		at = table_hpa(*e, l).a;
	}
}

static inline uint64_t *word(uint64_t hpa)
{
	return (uint64_t *)fake_at(HPA(hpa), sizeof(uint64_t));
}

static inline void map(uint64_t gpa, uint64_t hpa, unsigned int level)
{
	*word(entry_for(gpa, level)) = leaf(hpa, level);
}

/* Where the guest's table maps gpa. */
static inline uint64_t hpa_of(uint64_t gpa)
{
	uint64_t at = ROOT;

	for (unsigned int l = TABLE_LEVELS;; l--) {
		uint64_t e = *word(at + table_index(l, gpa) * sizeof(e));

		assert_true(table_present(e));
		at = table_hpa(e, l).a;
		if (table_is_leaf(e, l))
			return at + (gpa & (table_span(l) - 1));
	}
}

/* Where that linear address of the guest's is. */
static inline uint64_t hpa_at(uint64_t gva)
{
	return hpa_of(SMALL + (gva - LINEAR));
}

static inline void put_info(uint64_t hpa)
{
	const uint32_t words[] = {48, 0, 2, (uint32_t)(LOW_END >> PAGE_SHIFT), 0xfeff0, 0};
	uint8_t *info = fake_at(HPA(hpa + 0x800), 48), sum = 0;

	memcpy(info, (const char[8]){'H', 'V', 'M', ' ', 'I', 'N', 'F', 'O'}, 8);
	memcpy(info + 8, words, sizeof(words));
	memset(info + 32, 0, 16);
	for (unsigned int i = 0; i < 48; i++)
		sum = (uint8_t)(sum + info[i]);
	info[12] = (uint8_t)-sum;
}

/* The guest's own tables: four levels, accessed bits clear; other entries are not present. */
static inline void put_paging(void)
{
	for (unsigned int level = 4; level; level--) {
		uint64_t *t = fake_at(HPA(hpa_at(AT(4 - level))), PAGE_SIZE);

		for (unsigned int i = 0; i < TABLE_ENTRIES; i++)
			t[i] &= ~(uint64_t)1;
		if (level > 1)
			t[table_index(level, LINEAR)] = (SMALL + (5 - level) * PAGE_SIZE) | 3;
		for (unsigned int i = 0; level == 1 && i < SMALL_PAGES; i++)
			t[i] = (SMALL + i * PAGE_SIZE) | 3;
		if (level == 1) {
			t[256] = DEVICE | 3;
			t[257] = (hvm ? SHARED_HVM : SHARED_PVH) | 3;
			t[258] = INFO | 3;
			t[259] = 0xfee00000 | 3;
		}
	}
}

/* The records outlive a machine. */
static inline void forget_guests(void)
{
	if (v)
		guest_vcpu_drop(v);
	v = NULL;
	for (unsigned int i = 0; i < GUEST_MAX; i++) {
		struct guest *g = guest_numbered(i);

		if (!g->id)
			continue;
		guest_end(g, STOP_NONE);
		guest_pages_gone(g, g->protection.table.pages);
		if (g->stop_reason == STOP_NONE)
			assert_int_equal(g->id, 0);
		else /* kept for its reason, until its place is needed */
			assert_int_equal(guest_state(g), GUEST_DEAD);
	}
}

static inline void isolated_machine(unsigned int cpus)
{
	forget_guests();
	fake_reset();
	fake_add_ram(HPA(0), RAM_SIZE);
	fake_add_monitor(HPA(BLOCK), BLOCK_SIZE);
	fake_msr_reset();
	fake_cpus(cpus);
	fake_catch();
	log_console(false);
	assert_int_equal(crypto_init(&why), 0);
	protect_off = false;
	guest_init();
	types = pc_types();
	assert_int_equal(start_table(mem_top(), true), 0);
	assert_int_equal(host_set(HPA(BLOCK), BLOCK_SIZE, 0), 0);
	assert_int_equal(protect_init(), 0);
	cpu = cpu_at(0);
	next_table = ROOT + PAGE_SIZE;
}

/* What L1 has in memory before the guest's first entry. */
static inline void build(unsigned int cpus, bool is_hvm)
{
	hvm = is_hvm;
	isolated_machine(cpus);
	randomize(PAGES, 4 * MIB);
	for (unsigned int i = 0; i < SMALL_PAGES; i++)
		map(SMALL + i * PAGE_SIZE, PAGES + (1 + i * 37 % SMALL_PAGES) * PAGE_SIZE, 1);
	map(LARGE, PAGES + 2 * MIB, 2);
	map(hvm ? SHARED_HVM : SHARED_PVH, PAGES + 70 * PAGE_SIZE, 1);
	if (hvm) {
		map(INFO, PAGES, 1);
		put_info(PAGES);
	}
	put_paging();
}

static inline uint64_t shared_page(void)
{
	return PAGES + 70 * PAGE_SIZE;
}

/* --- the two worlds on a CPU ------------------------------------------------------------------- */

static inline void as_l1(void)
{
	cpu->hw->space = (struct walk_space){.cr0 = CR0_PE, .phys_bits = 40};
	cpu->hw->mode = DECODE_64;
}

/* 64-bit code of the guest's kernel. */
static inline void as_guest(void)
{
	cpu->hw->space = (struct walk_space){.cr0 = CR0_PE | CR0_PG | CR0_WP,
					     .cr3 = SMALL,
					     .cr4 = CR4_PAE,
					     .efer = EFER_LMA | EFER_LME | EFER_NXE,
					     .nested_root = HPA(ROOT),
					     .nested = true,
					     .phys_bits = 40};
	cpu->hw->mode = DECODE_64;
}

/* Up to where the hardware would be told to enter it. */
static inline enum guest_entry enter(void)
{
	enum guest_entry how;

	as_guest();
	while ((how = guest_enter(cpu, v)) == GUEST_ENTRY_AGAIN)
		;
	return how;
}

static inline void take(void)
{
	v = guest_vcpu_take(cpu, HPA(KEY), HPA(ROOT), &why);
	if (!v)
		fail_msg("%s", why);
	else
		guest = v->guest;
}

static inline void launch_on(unsigned int cpus, bool is_hvm)
{
	build(cpus, is_hvm);
	take();
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_true(guest_live(guest));
}

static inline void launch(void)
{
	launch_on(2, true);
}

static inline enum disclose_result leave_guest(const struct guest_exit *x)
{
	as_guest();
	return disclose(cpu, v, x);
}

/* --- what L1 reaches --------------------------------------------------------------------------- */

/* What L1's table has in the page's place: 0 or an address. */
static inline uint64_t in_place_of(uint64_t hpa, unsigned int *rights)
{
	uint64_t entry;
	unsigned int level = level_of(hpa, &entry);

	*rights = table_present(entry) ? table_rights(entry) : 0;
	return *rights ? table_hpa(entry, level).a + (hpa & (table_span(level) - 1)) : 0;
}

/* What L1 sees there, or NULL. */
static inline uint8_t *seen(uint64_t hpa)
{
	unsigned int rights;
	uint64_t at = in_place_of(hpa, &rights);

	return rights & TABLE_R ? mem_at(HPA(at)) : NULL;
}

static inline bool in_block(uint64_t hpa)
{
	return hpa >= BLOCK && hpa < BLOCK + BLOCK_SIZE;
}

/* L1 reads, or writes, a byte there, and does it again if it is to. */
static inline void l1_touch(uint64_t hpa, bool write)
{
	as_l1();
	cpu->regs.rip = CODE;
	fake_forget(cpu);
	touch(hpa, write);
}

/* L1 writes where its table lets it. */
static inline void l1_writes(uint64_t hpa, const void *bytes, size_t n)
{
	unsigned int rights;
	uint64_t at = in_place_of(hpa, &rights);

	assert_true(rights & TABLE_W);
	memcpy(mem_at(HPA(at)), bytes, n);
}

/* MOV [RDI], RAX; true: it was done, false: L1 is still there. */
static inline bool l1_stores(uint64_t hpa, uint64_t value)
{
	const struct regs saved = cpu->regs;
	bool done;

	as_l1();
	CODE_IS(0x48, 0x89, 0x07);
	cpu->regs.r[RDI] = hpa;
	cpu->regs.r[RAX] = value;
	touch(hpa, true);
	done = cpu->hw->completed;
	assert_int_equal(cpu->hw->injected, 0);
	assert_int_equal(cpu->regs.rip, CODE + (done ? 3 : 0));
	cpu->regs = saved;
	return done;
}

/* L1 changes the guest's table by a store; false: that ended the guest. */
static inline bool l1_maps(uint64_t gpa, unsigned int level, uint64_t entry)
{
	uint64_t at = entry_for(gpa, level);

	if (l1_stores(at, entry))
		assert_int_equal(*word(at), entry);
	return guest_live(guest);
}

/* --- who owns what ------------------------------------------------------------------------------ */

static inline void expect_owner(uint64_t hpa, enum owner_kind kind, uint64_t gpa)
{
	owner_t o = owner_of(HPA(hpa));

	assert_int_equal(owner_kind(o), kind);
	if (kind == OWNER_HOST)
		return;
	assert_int_equal(owner_guest(o), guest_number(guest));
	assert_int_equal(owner_gpa(o).a, gpa);
}

static inline void expect_private(uint64_t hpa, uint64_t gpa)
{
	unsigned int rights;
	uint64_t at = in_place_of(hpa, &rights);

	expect_owner(hpa, OWNER_GUEST, gpa);
	assert_true(!rights || in_block(at));
}

static inline void expect_host(uint64_t hpa)
{
	unsigned int rights;

	expect_owner(hpa, OWNER_HOST, 0);
	assert_int_equal(in_place_of(hpa, &rights), hpa);
	assert_int_equal(rights, TABLE_RWX);
}

static inline bool is_zero(const void *at, size_t n)
{
	const uint8_t *byte = at;

	for (size_t i = 0; i < n; i++)
		if (byte[i])
			return false;
	return true;
}

static inline struct guest_summary summary(void)
{
	struct guest_summary s = {0};

	guest_summary(guest_number(guest), &s);
	return s;
}

/* I2: L1's table maps L1's pages, and frames in the place of the guest's. */
static inline void expect_out_of_reach(void)
{
	for (uint64_t hpa = 0; hpa < RAM_SIZE; hpa += PAGE_SIZE) {
		enum owner_kind kind = owner_kind(owner_of(HPA(hpa)));
		unsigned int rights;
		uint64_t at = in_place_of(hpa, &rights);
		bool its = kind == OWNER_HOST || kind == OWNER_SHARED;

		if (!rights)
			assert_false(its);
		else if (kind == OWNER_GUEST)
			assert_true(in_block(at) && !(rights & TABLE_X));
		else
			assert_true(at == hpa &&
				    (its || (kind == OWNER_TABLE && rights == TABLE_R)));
	}
}

#endif

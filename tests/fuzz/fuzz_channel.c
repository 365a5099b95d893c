/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels of three guests, while L1 changes their tables, reads and writes, ends and launches them, and accepts for itself.
 * Input: struct step. After each: who owns what, what hardware walks, what L1's table has, and that no word that somebody wrote
 * is where it must not be: words of a guest's private memory in its private memory only, those of a channel's in that channel only
 * and only since it last ended, those that were written to nobody's page in that guest's only.
 */
#include "tests/fuzz/fuzz_guest.h"

#include "monitor/channel_record.h"
#include "monitor/launch.h"

#define STEPS_MAX 64
#define GUESTS 3u
#define GUEST_PAGES 16u
#define SPARES 16u /* pages of L1's */
#define ALL_PAGES (GUESTS * GUEST_PAGES + SPARES)
#define FIRST 0x100u
#define WORDS_CHANNEL 0xc4a44e1000000000u
#define WORDS_NOBODY 0x90b0d1e500000000u
#define TAG_MASK 0xffffffff00000000u
#define CHANNEL_MASK 0xfffffff000000000u

struct step {
	uint8_t op, guest, page, n, to, slot;
	uint16_t how;
};

enum {
	OFFER,
	ACCEPT,
	CLOSE,
	UNMAP,
	REMAP,
	ROOT,
	END,
	LAUNCH,
	HOST_ACCEPT,
	HOST_CLOSE,
	L1_READ,
	L1_WRITE,
	WRITE,
	OPS
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct guest *guests[GUESTS];
static struct guest_vcpu *vcpus[GUESTS];

static hpa_t any_page(unsigned int i)
{
	return HPA(PAGES + i % ALL_PAGES * PAGE_SIZE);
}

static hpa_t table_of(unsigned int k, unsigned int level)
{
	return table_page(4 * k + 4 - level);
}

static uint64_t leaf_at(unsigned int k, unsigned int i)
{
	return table_of(k, 1).a + (FIRST + i % GUEST_PAGES) * 8;
}

static bool live(unsigned int k)
{
	return guests[k] && guest_live(guests[k]);
}

static void fill(uint64_t *page, uint64_t value)
{
	for (unsigned int i = 0; i < TABLE_ENTRIES; i++)
		page[i] = value;
}

/* Entries that L1 may no more write to it does not. */
static void launch(unsigned int k)
{
	unsigned int mapped = 0;
	const char *why;

	if (guests[k])
		return;
	for (unsigned int level = 4; level; level--)
		if (owner_kind(owner_of(table_of(k, level))) != OWNER_HOST)
			return;
	for (unsigned int level = 4; level; level--)
		fill(phys_at(table_of(k, level)), 0);
	for (unsigned int level = 4; level > 1; level--)
		*(uint64_t *)phys_at(table_of(k, level)) = table_entry(table_of(k, level - 1));
	for (unsigned int i = 0; i < ALL_PAGES && mapped < GUEST_PAGES; i++) {
		hpa_t page = any_page(k * GUEST_PAGES + i);

		if (owner_kind(owner_of(page)) != OWNER_HOST)
			continue;
		fill(phys_at(page), SECRET | k << 16 | i);
		*(uint64_t *)phys_at(HPA(leaf_at(k, mapped++))) =
			table_leaf(page, 1, TABLE_RWX, WB);
	}
	vcpus[k] = guest_vcpu_take(cpu_at(0), HPA(KEY + k * PAGE_SIZE), table_of(k, 4), &why);
	if (!vcpus[k]) { /* L1 has only written to its own memory */
		for (unsigned int i = 0; i < ALL_PAGES; i++)
			if (owner_kind(owner_of(any_page(i))) == OWNER_HOST)
				fill(phys_at(any_page(i)), 0);
		return;
	}
	guests[k] = vcpus[k]->guest;
	while (guest_enter(cpu_at(0), vcpus[k]) == GUEST_ENTRY_AGAIN)
		;
	ASSERT(live(k));
}

static void bury(unsigned int k)
{
	if (!guests[k] || guest_live(guests[k]))
		return;
	guest_vcpu_drop(vcpus[k]);
	guests[k] = NULL;
}

/* --- what must hold -------------------------------------------------------------------------------- */

/* Those that there are, as of the last step. */
static struct channel *now[CHANNEL_RECORDS];
static unsigned int count;

static void look(void)
{
	count = 0;
	for (unsigned int i = 0; i < CHANNEL_RECORDS; i++)
		if (channels.table[i].id)
			now[count++] = &channels.table[i];
}

static struct channel *channel_of(hpa_t page)
{
	struct channel *its = NULL;

	for (unsigned int i = 0; i < count; i++) {
		if (now[i]->state != CHANNEL_LEFT && grant_has(&now[i]->grant, page)) {
			ASSERT(!its);
			its = now[i];
		}
	}
	return its;
}

static unsigned int epoch(const struct channel *c)
{
	return (unsigned int)c->accepts * 2 + (c->state == CHANNEL_OFFERED);
}

static uint64_t channel_word(const struct channel *c)
{
	return WORDS_CHANNEL | (c->id & 0xffff) << 16 | (epoch(c) & 0xffff);
}

/* Written since it last ended; what the offerer wrote before it was accepted is there, too. */
static bool is_words(const struct channel *c, uint64_t word)
{
	uint64_t newest = channel_word(c);

	return !word || word == newest || (c->state == CHANNEL_OPEN && word == newest - 1);
}

static void check_words(hpa_t page)
{
	const uint64_t *words = phys_at(page);
	owner_t owner = owner_of(page);
	const struct channel *c = channel_of(page);

	ASSERT((owner_kind(owner) == OWNER_CHANNEL) == (c != NULL));
	for (unsigned int i = 0; i < TABLE_ENTRIES; i += 73) {
		uint64_t w = words[i];

		if (c)
			ASSERT(is_words(c, w));
		else if (owner_kind(owner) == OWNER_HOST)
			ASSERT((w & TAG_MASK) != WORDS_NOBODY &&
			       (w & CHANNEL_MASK) != WORDS_CHANNEL && (w & SECRET_MASK) != SECRET);
		else
			ASSERT((w & TAG_MASK) != WORDS_NOBODY &&
			       (w & CHANNEL_MASK) != WORDS_CHANNEL);
	}
}

static void check_in_host(hpa_t page)
{
	owner_t owner = owner_of(page);
	const struct channel *c = channel_of(page);
	bool hosts = c && c->state == CHANNEL_OPEN && !c->acceptor;
	unsigned int rights;
	uint64_t at = in_place_of(page.a, &rights);

	if (owner_kind(owner) == OWNER_HOST) {
		ASSERT(at == page.a && rights == TABLE_RWX);
	} else if (owner_kind(owner) == OWNER_TABLE) {
		ASSERT(at == page.a && rights == TABLE_R);
	} else if (hosts) {
		ASSERT(c->peer == CHANNEL_PEER_HOST && at == page.a &&
		       rights == (TABLE_R | TABLE_W));
	} else if (at) {
		ASSERT(at >= BLOCK && at < BLOCK + BLOCK_SIZE && !(rights & TABLE_X));
		ASSERT(!has_secret(mem_at(HPA(at))));
		ASSERT((*(uint64_t *)mem_at(HPA(at)) & CHANNEL_MASK) != WORDS_CHANNEL);
	}
}

/* A slot of the guest's leads to the channel that it has accepted there, to nobody's page, or nowhere. */
static void check_slot(unsigned int k, unsigned int slot, uint64_t entry)
{
	const uint64_t *leaves = phys_table(table_hpa(entry, 2));
	hpa_t nobodys = channel_nobodys(guest_number(guests[k]));

	for (unsigned int i = 0; i < TABLE_ENTRIES; i++) {
		const struct channel *c;

		if (!table_present(leaves[i]))
			continue;
		ASSERT(table_rights(leaves[i]) == (TABLE_R | TABLE_W) && table_is_wb(leaves[i]));
		if (table_hpa(leaves[i], 1).a == nobodys.a)
			continue;
		c = channel_of(table_hpa(leaves[i], 1));
		ASSERT(c && c->state == CHANNEL_OPEN && c->acceptor == guests[k] &&
		       c->slot == slot);
	}
}

static void check_guest_now(unsigned int k)
{
	const uint64_t *root = phys_table(guest_walked(guests[k]));
	const struct side *side = channel_side(guests[k]);
	const uint64_t *nobodys = phys_at(channel_nobodys(guest_number(guests[k])));

	for (unsigned int i = 0; i < TABLE_ENTRIES; i++)
		if (i == 1 && side->aperture.upper.a)
			ASSERT(root[i] == table_entry(side->aperture.upper));
		else
			ASSERT(root[i] == ((uint64_t *)phys_at(table_of(k, 4)))[i]);
	for (unsigned int i = 0; side->aperture.upper.a && i < APERTURE_SLOTS; i++)
		if (phys_table(side->aperture.slots)[i])
			check_slot(k, i, phys_table(side->aperture.slots)[i]);
	ASSERT(!nobodys[5] || nobodys[5] == (WORDS_NOBODY | guests[k]->id));
}

static void check_channel(const struct channel *c)
{
	unsigned int k = 0;

	while (k < GUESTS && guests[k] != c->offerer)
		k++;
	ASSERT(k < GUESTS && live(k) && c->offerer_id == guests[k]->id);
	ASSERT(!c->acceptor || (guest_live(c->acceptor) && c->state == CHANNEL_OPEN));
	for (unsigned int i = 0; c->state != CHANNEL_LEFT && i < c->grant.pages; i++) {
		owner_t owner = owner_of(grant_page(&c->grant, i));
		uint64_t leaf = *(uint64_t *)phys_at(
			HPA(leaf_at(k, (unsigned int)(owner_gpa(owner).a >> PAGE_SHIFT) - FIRST)));

		ASSERT(owner_kind(owner) == OWNER_CHANNEL &&
		       owner_guest(owner) == guest_number(guests[k]));
		ASSERT(table_hpa(leaf, 1).a == grant_page(&c->grant, i).a);
	}
}

static void check_all(void)
{
	look();
	for (unsigned int k = 0; k < GUESTS; k++) {
		bury(k);
		if (live(k))
			check_guest_now(k);
	}
	for (unsigned int i = 0; i < count; i++)
		check_channel(now[i]);
	for (unsigned int i = 0; i < ALL_PAGES; i++) {
		check_words(any_page(i));
		check_in_host(any_page(i));
	}
}

/* --- steps ------------------------------------------------------------------------------------------- */

static bool named(unsigned int k, uint8_t identity[CHANNEL_IDENTITY])
{
	memset(identity, 0, CHANNEL_IDENTITY);
	return k < GUESTS && guests[k] &&
	       channel_identity(guests[k], CHANNEL_PEER_DIGEST, identity);
}

static void offers(const struct step *s, unsigned int k)
{
	struct channel_offer o = {.service = "x", .peer = CHANNEL_PEER_DIGEST, .extents = 1};
	uint64_t id;

	o.extent[0] = (struct channel_extent){FIRST + s->page % 20u, s->n % 8u, 0};
	if (s->how & 1) {
		o.extents = 2;
		o.extent[1] = (struct channel_extent){FIRST + s->how % 20u, 1, 0};
	}
	if (!named(s->to % (GUESTS + 1), o.identity))
		o.peer = CHANNEL_PEER_HOST;
	channel_offer(guests[k], &o, &id);
}

/* The n-th channel that there is. */
static struct channel *some_channel(unsigned int n)
{
	return count ? now[n % count] : NULL;
}

static void accepts(const struct step *s, unsigned int k)
{
	const struct channel *c = some_channel(s->n % 16);
	struct channel_accept a = {.service = "x",
				   .peer = CHANNEL_PEER_DIGEST,
				   .gpa = CHANNEL_APERTURE + s->slot % 4u * CHANNEL_SLOT};
	bool named_it = c && c->peer == CHANNEL_PEER_DIGEST &&
			channel_is(guests[k], CHANNEL_PEER_DIGEST, c->identity);
	bool waits = c && c->state == CHANNEL_OFFERED;

	if (!c)
		return;
	a.id = c->id;
	channel_identity(c->offerer, CHANNEL_PEER_DIGEST, a.identity);
	if (s->how % 16 == 1)
		a.identity[3] ^= 1;
	if (s->how % 16 == 2)
		a.service[0] = 'y';
	if (!channel_accept(guests[k], &a))
		ASSERT(named_it && waits && s->how % 16 != 1 && s->how % 16 != 2);
}

static uint64_t some_id(unsigned int k, unsigned int n)
{
	const struct channel *c = some_channel(n % 16);
	const struct left *left = &channel_side(guests[k])->left[n % 4];

	return n & 16 ? left->id : c ? c->id : 0;
}

static void l1_faults(hpa_t at, bool write)
{
	struct exit exit = {.reason = EXIT_NESTED_FAULT, .fault = at, .write = write};

	ASSERT(fake_exit(cpu_at(0), &exit) == FAKE_RETURNED);
}

static void stores(uint64_t hpa, uint64_t value)
{
	struct cpu *cpu = cpu_at(0);
	unsigned int rights;

	if (in_place_of(hpa, &rights) && (rights & TABLE_W))
		return; /* no table any more */
	memcpy(phys_at(HPA(CODE)), "\x48\x89\x07", 3);
	cpu->hw->space = (struct walk_space){.cr0 = CR0_PE, .phys_bits = 40};
	cpu->hw->mode = DECODE_64;
	fake_forget(cpu);
	cpu->regs.rip = CODE;
	cpu->regs.r[RDI] = hpa;
	cpu->regs.r[RAX] = value;
	l1_faults(HPA(hpa), true);
}

/* A page that the hardware lets the guest write gets words that say where they belong. */
static void guest_writes(const struct step *s, unsigned int k)
{
	uint64_t leaf = *(uint64_t *)phys_at(HPA(leaf_at(k, s->page)));
	const struct side *side = channel_side(guests[k]);
	uint64_t slot;

	if ((s->how & 1) && table_present(leaf)) {
		hpa_t page = table_hpa(leaf, 1);
		enum owner_kind kind = owner_kind(owner_of(page));
		const struct channel *c = channel_of(page);

		if (owner_guest(owner_of(page)) != guest_number(guests[k]) ||
		    (kind != OWNER_GUEST && kind != OWNER_CHANNEL))
			return; /* L1 has cut the table off */
		fill(phys_at(page), c ? channel_word(c) : SECRET | k << 16);
		return;
	}
	slot = side->aperture.upper.a ? phys_table(side->aperture.slots)[s->slot % 4u] : 0;
	if (!table_present(slot))
		return;
	leaf = phys_table(table_hpa(slot, 2))[s->page % 8];
	if (table_present(leaf)) {
		const struct channel *c = channel_of(table_hpa(leaf, 1));

		fill(phys_at(table_hpa(leaf, 1)),
		     c ? channel_word(c) : WORDS_NOBODY | guests[k]->id);
	}
}

static void l1_touches(hpa_t page, bool write)
{
	unsigned int rights;
	uint64_t at = in_place_of(page.a, &rights);
	const struct channel *c = channel_of(page);

	if (at && (!write || (rights & TABLE_W))) {
		if (write && at == page.a)
			fill(mem_at(page), c ? channel_word(c) : 0);
		return;
	}
	l1_faults(page, write);
}

static void by_guest(const struct step *s, unsigned int k)
{
	switch (s->op % OPS) {
	case OFFER:
		offers(s, k);
		break;
	case ACCEPT:
		accepts(s, k);
		break;
	case CLOSE:
		channel_close(guests[k], some_id(k, s->n), CHANNEL_REASON_CLOSED);
		break;
	case WRITE:
		guest_writes(s, k);
		break;
	case UNMAP:
		stores(s->how % 16 ? leaf_at(k, s->page) : table_of(k, 2).a, 0);
		break;
	case REMAP:
		stores(leaf_at(k, s->page), table_leaf(any_page(s->n), 1, s->how & 7, WB));
		break;
	case ROOT:
		stores(table_of(k, 4).a + (s->slot & 3) * 8,
		       s->how & 1 ? 0 : table_entry(any_page(s->n)));
		break;
	case END:
		if (s->how % 4 == 0)
			guest_end(guests[k], s->how & 4 ? STOP_NONE : STOP_EVENT);
		break;
	default:
		break;
	}
}

static void do_step(const struct step *s)
{
	const struct channel *c = some_channel(s->n % 16);
	unsigned int k = s->guest % GUESTS;
	switch (s->op % OPS) {
	case LAUNCH:
		launch(k);
		break;
	case HOST_ACCEPT:
		if (c && guests[k] && !channel_host_accept(c->id, guest_number(guests[k])))
			ASSERT(c->peer == CHANNEL_PEER_HOST && c->offerer == guests[k]);
		break;
	case HOST_CLOSE:
		if (c && guests[k])
			channel_host_close(c->id, guest_number(guests[k]), CHANNEL_REASON_CLOSED);
		break;
	case L1_READ:
		l1_touches(any_page(s->page), false);
		break;
	case L1_WRITE:
		if (s->how % 8 == 0 || channel_of(any_page(s->page)))
			l1_touches(any_page(s->page), true);
		break;
	default:
		if (live(k))
			by_guest(s, k);
	}
	check_all();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step;

	guest_machine();
	for (unsigned int k = 0; k < GUESTS; k++)
		launch(k);
	check_all();
	for (unsigned int i = 0; i < STEPS_MAX && size >= sizeof(step); i++) {
		memcpy(&step, data, sizeof(step));
		do_step(&step);
		data += sizeof(step);
		size -= sizeof(step);
	}
	for (unsigned int k = 0; k < GUESTS; k++) {
		if (vcpus[k] && guests[k])
			guest_vcpu_drop(vcpus[k]);
		guests[k] = NULL;
	}
	forget_guests();
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L1 and a running guest: L1 stores into the guest's table and into its own pages, reads what it can,
 * while the guest writes to its memory, and asks for pages to be taken, given and moved. Input: struct
 * step. After each the invariants are checked, and that the guest's memory holds what a model says: what
 * it wrote there, or zeros where it has nothing, or has given that up.
 */
#include "tests/fuzz/fuzz_guest.h"

#define STEPS_MAX 48
#define FIRST 0x100u /* gfn of the first of the guest's pages, of which there are */
#define GUEST_PAGES 24u
#define PLACES 8192u /* a power of two */

struct step {
	uint8_t op, table, where, kind, what, high;
	uint16_t raw;
};

enum { STORE, STORE_SMALL, L1_WRITE, L1_READ, GUEST_WRITE, ASK, ANSWER, ENTER, OPS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the guest has at a gpa. */
struct place {
	uint64_t gpa;  /* plus one; 0: free */
	uint64_t word; /* that all of it consists of; 0 where it has nothing */
	uint64_t hpa;  /* where it is mapped privately, before the step; 0: not */
	bool sealed;   /* L1 has taken it, and the guest wants it back */
};

static struct place places[PLACES];
static struct guest_vcpu *v;
static struct guest *guest;
static struct guest_table *table;
static uint64_t written; /* how often */

static struct place *place(uint64_t gpa)
{
	uint64_t i = (gpa >> PAGE_SHIFT) * 0x9e3779b97f4a7c15u >> 40;

	for (;; i++) {
		struct place *p = &places[i % PLACES];

		if (!p->gpa)
			p->gpa = gpa + 1;
		if (p->gpa == gpa + 1)
			return p;
	}
}

static uint64_t *slot(hpa_t at, unsigned int i)
{
	return (uint64_t *)phys_at(at) + i % TABLE_ENTRIES;
}

static void fill(uint64_t hpa, uint64_t word)
{
	uint64_t *page = phys_at(HPA(hpa));

	for (unsigned int i = 0; i < TABLE_ENTRIES; i++)
		page[i] = word;
}

static void build(void)
{
	memset(places, 0, sizeof(places));
	written = 0;
	for (unsigned int level = 4; level > 1; level--)
		*slot(table_page(4 - level), 0) = table_entry(table_page(5 - level));
	/* And a table of the large page's parts, for a split. */
	for (unsigned int i = 0; i < TABLE_ENTRIES; i++)
		*slot(table_page(8), i) =
			table_leaf(HPA(LARGE_PAGE + i * PAGE_SIZE), 1, TABLE_RWX, WB);
	for (unsigned int i = 0; i < GUEST_PAGES; i++) {
		uint64_t hpa = PAGES + i * PAGE_SIZE;

		*slot(table_page(3), FIRST + i) = table_leaf(HPA(hpa), 1, TABLE_RWX, WB);
		place((uint64_t)(FIRST + i) << PAGE_SHIFT)->word = SECRET | ++written;
		fill(hpa, SECRET | written);
	}
}

static void enter(void)
{
	while (guest_enter(cpu_at(0), v) == GUEST_ENTRY_AGAIN)
		;
}

/* --- the model ----------------------------------------------------------------------------------- */

static bool asks(enum guestcall_effect effect, uint64_t gpa, gpa_t *from)
{
	return disclose_effect(v, guest, effect, GPA(gpa), from);
}

/* What the guest asked for just now makes what it has there void. */
static bool is_void(uint64_t gpa)
{
	return asks(GUESTCALL_RELEASE, gpa, NULL) || asks(GUESTCALL_POPULATE, gpa, NULL) ||
	       asks(GUESTCALL_SHARE, gpa, NULL);
}

static void goes(struct place *p)
{
	if (is_void(p->gpa - 1)) {
		p->word = 0;
		p->sealed = false;
	} else {
		p->sealed = true;
	}
	p->hpa = 0;
}

static void comes(struct place *p, uint64_t hpa)
{
	gpa_t from;

	p->hpa = hpa;
	if (asks(GUESTCALL_POPULATE, p->gpa - 1, NULL)) {
		p->word = 0;
	} else if (asks(GUESTCALL_MOVE, p->gpa - 1, &from)) {
		struct place *old = place(from.a);

		ASSERT(old->sealed); /* or the store would have been refused */
		p->word = old->word;
		old->word = 0;
		old->sealed = false;
	}
	p->sealed = false;
}

static struct place *mapped[PLACES];
static unsigned int mapped_count;

static void see(gpa_t gpa, const uint64_t *page)
{
	struct place *p = place(gpa.a);

	ASSERT(mapped_count < PLACES);
	mapped[mapped_count++] = p;
	(void)page;
}

/*
 * The pages that are mapped now, against those before the store. Those that have gone did so before
 * others came.
 */
static void follow(void)
{
	static uint64_t now[PLACES];
	unsigned int n;

	mapped_count = 0;
	check_guest(table, see);
	n = mapped_count;
	memset(now, 0, sizeof(now));
	for (uint64_t hpa = 0; hpa < RAM_SIZE; hpa += PAGE_SIZE) {
		owner_t owner = owner_of(HPA(hpa));

		if (owner_kind(owner) == OWNER_GUEST && owner_guest(owner) == table->guest)
			now[place(owner_gpa(owner).a) - places] = hpa;
	}
	for (unsigned int i = 0; i < PLACES; i++)
		if (places[i].hpa && places[i].hpa != now[i])
			goes(&places[i]);
	for (unsigned int i = 0; i < n; i++)
		if (!mapped[i]->hpa)
			comes(mapped[i], now[mapped[i] - places]);
}

static void holds(gpa_t gpa, const uint64_t *page)
{
	uint64_t want = place(gpa.a)->word;

	for (unsigned int i = 0; i < TABLE_ENTRIES; i += 73)
		ASSERT(page[i] == want);
}

/* --- steps ------------------------------------------------------------------------------------------ */

static uint64_t value(const struct step *s)
{
	hpa_t page = HPA(PAGES + s->what % PAGE_COUNT * PAGE_SIZE);
	uint64_t old = *slot(table_page(s->table), s->where | s->high << 8);

	switch (s->kind % 10) {
	case 0:
		return 0;
	case 1:
		return table_leaf(page, 1, TABLE_RWX, WB);
	case 2:
		return table_leaf(HPA(LARGE_PAGE), 2, TABLE_RWX, WB);
	case 3:
		return table_entry(table_page(s->what));
	case 4:
		return MARKED(old);
	case 5:
		return table_leaf(page, 1, s->raw & 7, WB);
	case 6:
		return table_entry(HPA(BLOCK + (uint64_t)s->what * (64 << 10)));
	case 7: /* part of the large page */
		return table_leaf(HPA(LARGE_PAGE + s->what * PAGE_SIZE), 1, TABLE_RWX, WB);
	case 8:
		return old ^ (uint64_t)1 << s->raw % 64;
	default:
		return (uint64_t)s->raw << (s->what & 63);
	}
}

static void faults(uint64_t hpa, bool write)
{
	struct exit exit = {.reason = EXIT_NESTED_FAULT, .fault = HPA(hpa), .write = write};

	ASSERT(fake_exit(cpu_at(0), &exit) == FAKE_RETURNED);
	ASSERT(!cpu_at(0)->hw->injected);
}

/* MOV of 8 bytes, or fewer. True: it was done. */
static bool stores(uint64_t hpa, uint64_t word, bool narrow)
{
	struct cpu *cpu = cpu_at(0);
	struct hw_cpu *hw = cpu->hw;

	memcpy(phys_at(HPA(CODE)), narrow ? "\x89\x07" : "\x48\x89\x07", 3);
	hw->space = (struct walk_space){.cr0 = CR0_PE, .phys_bits = 40};
	hw->mode = DECODE_64;
	fake_forget(cpu);
	cpu->regs.rip = CODE;
	cpu->regs.r[RDI] = hpa;
	cpu->regs.r[RAX] = word;
	faults(hpa, true);
	return hw->completed;
}

static void l1_stores(const struct step *s, bool narrow)
{
	uint64_t at = table_page(s->table).a + ((s->where | s->high << 8) % TABLE_ENTRIES) * 8;
	uint64_t word = value(s);
	unsigned int rights;

	if (owner_kind(owner_of(HPA(at))) == OWNER_TABLE && guest_live(guest)) {
		bool done = stores(at, word, narrow);

		ASSERT(done ? *(uint64_t *)phys_at(HPA(at)) == word && !narrow
			    : !guest_live(guest));
		if (guest_live(guest))
			follow();
		return;
	}
	in_place_of(at, &rights);
	if (rights & TABLE_W)
		*(uint64_t *)phys_at(HPA(at)) = word;
}

/* Into a page of its own; one of the guest's only if the input insists, since that ends it. */
static void l1_writes(const struct step *s)
{
	uint64_t hpa = s->high & 1 ? LARGE_PAGE + s->what * PAGE_SIZE
				   : PAGES + s->what % PAGE_COUNT * PAGE_SIZE;
	unsigned int rights;
	uint64_t at = in_place_of(hpa, &rights);

	if (rights & TABLE_W)
		*(uint64_t *)mem_at(HPA(at + s->where * 8)) = s->raw;
	else if (s->raw == 0x7777)
		faults(hpa, true);
}

/* Twice: a dead guest's page is there then. */
static void l1_reads(const struct step *s)
{
	uint64_t hpa = s->high & 1 ? LARGE_PAGE + s->what * PAGE_SIZE
				   : PAGES + s->what % PAGE_COUNT * PAGE_SIZE;
	unsigned int rights;

	for (unsigned int i = 0; i < 3 && !in_place_of(hpa, &rights); i++)
		faults(hpa, false);
	ASSERT(in_place_of(hpa, &rights));
}

static void guest_writes(const struct step *s)
{
	struct place *p = place((uint64_t)(FIRST + s->what % 64) << PAGE_SHIFT);

	if (!guest_live(guest) || !p->hpa)
		return;
	p->word = SECRET | ++written;
	fill(p->hpa, p->word);
}

/* A call of the guest's begins; disclose() would have decided the same. */
static void guest_asks(const struct step *s)
{
	static const enum guestcall_effect effects[] = {GUESTCALL_RELEASE, GUESTCALL_POPULATE,
							GUESTCALL_MOVE, GUESTCALL_SHARE};
	struct disclosure *d = v->disclosure;
	uint64_t gfn = FIRST + s->what % 64;

	if (!guest_live(guest) || d->accept == ACCEPT_CALL)
		return;
	memset(&d->call, 0, sizeof(d->call));
	d->call = (struct guestcall){.effect = effects[s->kind % 4],
				     .wide = true,
				     .operands = 2,
				     .count = 1,
				     .end = 1,
				     .from = FIRST + s->where % 64,
				     .to = gfn};
	if (d->call.effect == GUESTCALL_MOVE && d->call.from == d->call.to)
		return;
	memcpy(d->call.data, &gfn, sizeof(gfn));
	d->accept = ACCEPT_CALL;
	guest->calls++;
}

static void do_step(const struct step *s)
{
	switch (s->op % OPS) {
	case STORE:
		l1_stores(s, false);
		break;
	case STORE_SMALL:
		if (s->raw == 0x7777)
			l1_stores(s, true);
		break;
	case L1_WRITE:
		l1_writes(s);
		break;
	case L1_READ:
		l1_reads(s);
		break;
	case GUEST_WRITE:
		guest_writes(s);
		break;
	case ASK:
		guest_asks(s);
		break;
	case ANSWER:
		disclose_forget(v);
		break;
	default:
		if (v->disclosure->accept != ACCEPT_CALL)
			enter();
	}
	check_guest(table, guest_live(guest) ? holds : NULL);
	check_host();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why;
	struct step step;

	guest_machine();
	build();
	v = guest_vcpu_take(cpu_at(0), HPA(KEY), table_page(0), &why);
	ASSERT(v);
	guest = v->guest;
	table = &guest->protection.table;
	enter();
	mapped_count = 0;
	for (unsigned int i = 0; i < GUEST_PAGES; i++)
		place((uint64_t)(FIRST + i) << PAGE_SHIFT)->hpa = PAGES + i * PAGE_SIZE;
	check_guest(table, holds);
	check_host();
	for (unsigned int i = 0; i < STEPS_MAX && size >= sizeof(step); i++) {
		memcpy(&step, data, sizeof(step));
		do_step(&step);
		data += sizeof(step);
		size -= sizeof(step);
	}
	guest_vcpu_drop(v);
	forget_guests();
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "ept/walk.h"

#include "ept/format.h"
#include "ept/phys.h"

#define CR0_WP ((uint64_t)1 << 16)
#define CR0_PG ((uint64_t)1 << 31)
#define CR4_PSE ((uint64_t)1 << 4)
#define CR4_PAE ((uint64_t)1 << 5)
#define CR4_LA57 ((uint64_t)1 << 12)
#define CR4_SMEP ((uint64_t)1 << 20)
#define EFER_LMA ((uint64_t)1 << 10)
#define EFER_NXE ((uint64_t)1 << 11)

#define PTE_P ((uint64_t)1 << 0)
#define PTE_W ((uint64_t)1 << 1)
#define PTE_U ((uint64_t)1 << 2)
#define PTE_A ((uint64_t)1 << 5)
#define PTE_D ((uint64_t)1 << 6)
#define PTE_PS ((uint64_t)1 << 7)
#define PTE_NX ((uint64_t)1 << 63)

/* PAE (APM vol. 2, 5.2.3): bits 63:52, 8:5, 2:1 of a top-level entry, 62:52 of the others. */
#define PDPTE_RESERVED 0xfff00000000001e6u
#define PAE_RESERVED 0x7ff0000000000000u
#define LARGE_RESERVED(level) ((table_span(level) - 1) & ~(uint64_t)0x1fff)
#define PSE_RESERVED ((uint64_t)1 << 21)

/* One walk under way. */
struct walk {
	const struct walk_space *s;
	struct walk_result *out;
	uint64_t reserved; /* bits above the processor's physical addresses, in any entry */
	/*
	 * The nested table of level 2 that was met last: which GiB of gpas it is for, and the rights
	 * above it. Guest tables lie close together, so most nested walks start here.
	 */
	uint64_t gib, table, rights;
};

static struct walk begin(const struct walk_space *s, struct walk_result *out)
{
	uint64_t reserved = TABLE_ADDR_MASK & (UINT64_MAX << s->phys_bits);

	return (struct walk){.s = s, .out = out, .reserved = reserved, .gib = UINT64_MAX};
}

/* The ways out are kept off the straight path. */
#define COLD __attribute__((cold, noinline))

static COLD int stopped(const struct walk *w, enum walk_stop stop, uint32_t error_code)
{
	w->out->stop = stop;
	w->out->error_code = error_code;
	return ERR_FAULT;
}

static COLD int nested_fault(const struct walk *w, uint64_t gpa, uint32_t error_code)
{
	w->out->gpa = GPA(gpa);
	return stopped(w, WALK_NESTED, error_code | WALK_USER);
}

static COLD int no_memory(const struct walk *w, uint64_t hpa)
{
	w->out->hpa = HPA(hpa);
	return stopped(w, WALK_MEMORY, 0);
}

/* An entry of a guest's own table, which may be in its own memory. */
static inline int read_guests(const struct walk *w, uint64_t hpa, uint64_t *entry)
{
	const uint64_t *at;

	if (!w->s->private)
		return phys_read64(entry, HPA(hpa));
	at = phys_seen(HPA(hpa), sizeof(*at), w->s->guest);
	if (!at)
		return ERR_FAULT;
	*entry = __atomic_load_n(at, __ATOMIC_RELAXED);
	return 0;
}

static bool is_pae(const struct walk_space *s)
{
	return !(s->efer & EFER_LMA) && (s->cr4 & CR4_PAE);
}

/* Adds what was read at the 8 bytes around gpa to the path. */
static COLD void note(const struct walk *w, uint64_t gpa, uint64_t hpa, uint64_t entry)
{
	struct walk_path *path = w->s->path;

	path->size = (w->s->efer & EFER_LMA) || is_pae(w->s) ? 8 : 4;
	if (path->size == 4)
		entry = (uint32_t)(gpa & 4 ? entry >> 32 : entry);
	ASSERT(path->count < WALK_LEVELS);
	path->entry[path->count].gpa = GPA(gpa);
	path->entry[path->count].hpa = HPA(hpa + (gpa & 4));
	path->entry[path->count++].value = entry;
}

/* Where a nested walk has come to. */
struct nested {
	uint64_t table;  /* to read next */
	uint64_t rights; /* so far */
	uint64_t hpa;    /* found */
};

/*
 * One level of a nested walk: 0 if the entry maps the page, 1 if it points at the next table, or an
 * error. The level is a constant where it is called, which makes it a third shorter.
 */
static inline __attribute__((always_inline)) int nested_step(const struct walk *w, struct nested *n,
							     unsigned int level, uint64_t gpa,
							     uint32_t access)
{
	const struct table_format *f = &table_format;
	uint64_t at = n->table + table_index(level, gpa) * sizeof(uint64_t);
	uint64_t entry, need;

	if (phys_read64(&entry, HPA(at)))
		return no_memory(w, at);
	if (!table_present(entry))
		return nested_fault(w, gpa, access);
	if (w->s->private)
		entry = table_unmark(entry, level);
	if (table_malformed(entry, level, w->reserved))
		return nested_fault(w, gpa, access | WALK_PRESENT | WALK_RESERVED);
	n->rights &= entry ^ f->invert;
	if (!table_is_leaf(entry, level)) {
		n->table = entry & TABLE_ADDR_MASK;
		return 1;
	}
	need = access & WALK_EXEC ? f->exec : access & WALK_WRITE ? f->write : f->read;
	if ((n->rights & need) != need)
		return nested_fault(w, gpa, access | WALK_PRESENT);
	n->hpa = (entry & TABLE_ADDR_MASK & ~(table_span(level) - 1)) +
		 (gpa & (table_span(level) - 1));
	return 0;
}

/* gpa -> *hpa through the nested table. */
static int nested(struct walk *w, uint64_t gpa, uint32_t access, uint64_t *hpa)
{
	struct nested n = {.table = w->table, .rights = w->rights};
	int more = 1;

	if (gpa >> 30 != w->gib) {
		if (gpa >> TABLE_GPA_BITS)
			return nested_fault(w, gpa, access);
		n = (struct nested){.table = w->s->nested_root.a, .rights = UINT64_MAX};
		more = nested_step(w, &n, 4, gpa, access);
		if (more > 0)
			more = nested_step(w, &n, 3, gpa, access);
		if (more > 0) {
			w->gib = gpa >> 30;
			w->table = n.table;
			w->rights = n.rights;
		}
	}
	if (more > 0)
		more = nested_step(w, &n, 2, gpa, access);
	if (more > 0)
		more = nested_step(w, &n, 1, gpa, access);
	if (!more)
		*hpa = n.hpa;
	return more;
}

/* gpa -> *hpa, the same if there is no nested table. */
static inline int to_host(struct walk *w, uint64_t gpa, uint32_t access, uint64_t *hpa)
{
	*hpa = gpa;
	return w->s->nested ? nested(w, gpa, access, hpa) : 0;
}

/* read_entry() in a guest. Inline, since a call more for each level is felt. */
static inline __attribute__((always_inline)) int read_nested(struct walk *w, uint64_t gpa,
							     uint64_t *entry)
{
	uint64_t hpa;
	int err = nested(w, gpa & ~(uint64_t)7, WALK_READ, &hpa);

	if (err) {
		w->out->in_table = w->out->stop == WALK_NESTED;
		return err;
	}
	if (read_guests(w, hpa, entry))
		return no_memory(w, hpa);
	if (w->s->path)
		note(w, gpa, hpa, *entry);
	return 0;
}

/* Reads the 8 aligned bytes around an entry of a guest table. */
static inline int read_entry(struct walk *w, uint64_t gpa, uint64_t *entry)
{
	uint64_t at = gpa & ~(uint64_t)7;

	if (w->s->nested)
		return read_nested(w, gpa, entry);
	return phys_read64(entry, HPA(at)) ? no_memory(w, at) : 0;
}

/* The error code tells a fetch only where fetches can be forbidden (SDM vol. 3, 4.7). */
static int page_fault(const struct walk *w, uint32_t access, uint32_t why)
{
	const struct walk_space *s = w->s;
	bool tells_fetch = (s->cr4 & CR4_SMEP) || ((s->cr4 & CR4_PAE) && (s->efer & EFER_NXE));

	w->out->canonical = true;
	if (!tells_fetch)
		access &= ~(uint32_t)WALK_EXEC;
	return stopped(w, WALK_GUEST, access | why | (s->cpl == 3 ? WALK_USER : 0));
}

/* rights: the AND of all levels' entries, with NX inverted. */
static int check_rights(const struct walk *w, uint64_t rights, uint32_t access)
{
	const struct walk_space *s = w->s;
	bool user = s->cpl == 3;
	bool ok = !user || (rights & PTE_U);

	if (access & WALK_WRITE)
		ok &= (rights & PTE_W) || (!user && !(s->cr0 & CR0_WP));
	if (access & WALK_EXEC)
		ok &= (rights & PTE_NX) && (user || !(rights & PTE_U) || !(s->cr4 & CR4_SMEP));
	return ok ? 0 : page_fault(w, access, WALK_PRESENT);
}

/* Tables of 8-byte entries, from one at this level down. */
static int walk_wide(struct walk *w, uint64_t gva, uint32_t access, uint64_t table,
		     unsigned int level, uint64_t reserved)
{
	uint64_t rights = UINT64_MAX;
	uint64_t entry = 0, in_page;
	int err;

	reserved |= w->reserved | (w->s->efer & EFER_NXE ? 0 : PTE_NX);
	for (;; level--) {
		uint64_t bad = reserved;

		err = read_entry(w, table + table_index(level, gva) * sizeof(entry), &entry);
		if (err)
			return err;
		if (!(entry & PTE_P))
			return page_fault(w, access, 0);
		if (level > 1 && (entry & PTE_PS))
			bad |= level > 3 ? PTE_PS : LARGE_RESERVED(level);
		if (entry & bad)
			return page_fault(w, access, WALK_PRESENT | WALK_RESERVED);
		rights &= entry ^ PTE_NX;
		if (level == 1 || (entry & PTE_PS))
			break;
		table = entry & TABLE_ADDR_MASK;
	}
	in_page = table_span(level) - 1;
	w->out->gpa = GPA((entry & TABLE_ADDR_MASK & ~in_page) | (gva & in_page));
	return check_rights(w, rights, access);
}

static int walk_long(struct walk *w, uint64_t gva, uint32_t access)
{
	unsigned int levels = w->s->cr4 & CR4_LA57 ? 5 : 4;
	unsigned int top = PAGE_SHIFT + levels * TABLE_INDEX_BITS - 1; /* the sign bit */
	uint64_t sign = gva >> top;

	if (sign && sign != UINT64_MAX >> top)
		return stopped(w, WALK_GUEST, 0);
	return walk_wide(w, gva, access, w->s->cr3 & TABLE_ADDR_MASK, levels, 0);
}

static int walk_pae(struct walk *w, uint64_t gva, uint32_t access)
{
	uint64_t pdpte;
	int err = read_entry(w, (w->s->cr3 & 0xffffffe0u) + (gva >> 30) * sizeof(pdpte), &pdpte);

	if (err)
		return err;
	if (!(pdpte & PTE_P))
		return page_fault(w, access, 0);
	if (pdpte & (PDPTE_RESERVED | w->reserved))
		return page_fault(w, access, WALK_PRESENT | WALK_RESERVED);
	return walk_wide(w, gva, access, pdpte & TABLE_ADDR_MASK, 2, PAE_RESERVED);
}

/* Reads an entry of 4 bytes. */
static int read_narrow(struct walk *w, uint64_t gpa, uint32_t access, uint64_t *entry)
{
	uint64_t both;
	int err = read_entry(w, gpa, &both);

	if (err)
		return err;
	*entry = (uint32_t)(gpa & 4 ? both >> 32 : both);
	return *entry & PTE_P ? 0 : page_fault(w, access, 0);
}

static int walk_narrow(struct walk *w, uint64_t gva, uint32_t access)
{
	struct walk_result *out = w->out;
	uint64_t pde, pte;
	int err = read_narrow(w, (w->s->cr3 & 0xfffff000u) + (gva >> 22) * 4, access, &pde);

	if (err)
		return err;
	if ((w->s->cr4 & CR4_PSE) && (pde & PTE_PS)) {
		/* Bits 20:13 are bits 39:32 of the address (APM vol. 2, 5.2.2). */
		out->gpa = GPA((pde & 0xffc00000u) | (pde & 0x1fe000u) << 19 | (gva & 0x3fffffu));
		if ((pde & PSE_RESERVED) || (out->gpa.a & w->reserved))
			return page_fault(w, access, WALK_PRESENT | WALK_RESERVED);
		return check_rights(w, pde | PTE_NX, access);
	}
	err = read_narrow(w, (pde & 0xfffff000u) + (gva >> 12 & 1023) * 4, access, &pte);
	if (err)
		return err;
	out->gpa = GPA((pte & 0xfffff000u) | page_offset(gva));
	return check_rights(w, (pde & pte) | PTE_NX, access);
}

static int guest(struct walk *w, uint64_t gva, uint32_t access)
{
	if (w->s->efer & EFER_LMA)
		return walk_long(w, gva, access);
	gva = (uint32_t)gva;
	if (!(w->s->cr0 & CR0_PG)) {
		w->out->gpa = GPA(gva);
		return 0;
	}
	return is_pae(w->s) ? walk_pae(w, gva, access) : walk_narrow(w, gva, access);
}

int walk_gpa(const struct walk_space *s, gpa_t gpa, uint32_t access, struct walk_result *out)
{
	struct walk w = begin(s, out);

	*out = (struct walk_result){.gpa = gpa};
	return to_host(&w, gpa.a, access, &out->hpa.a);
}

int walk_gva(const struct walk_space *s, gva_t gva, uint32_t access, struct walk_result *out)
{
	struct walk w = begin(s, out);
	int err;

	*out = (struct walk_result){0};
	if (s->path)
		s->path->count = 0;
	err = guest(&w, gva.a, access);
	return err ? err : to_host(&w, out->gpa.a, access, &out->hpa.a);
}

/* Sets bits of an entry, if it still is as it was read; leaves alone one that is not the guest's. */
static bool set_bits(hpa_t hpa, unsigned int size, unsigned int guest, uint64_t *value,
		     uint64_t bits)
{
	void *at = phys_guest(hpa, size, guest);
	uint64_t old = *value;
	uint32_t old32 = (uint32_t)old;

	if (!at || !(bits & ~old))
		return true;
	*value |= bits;
	if (size == 4)
		return __atomic_compare_exchange_n((uint32_t *)at, &old32, (uint32_t)*value, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n((uint64_t *)at, &old, *value, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

int walk_touch(const struct walk_space *s, bool write)
{
	struct walk_path *p = s->path;

	/* PAE's top-level entries have neither bit. */
	for (unsigned int i = is_pae(s) ? 1 : 0; s->private && i < p->count; i++) {
		uint64_t bits = PTE_A | (write && i + 1 == p->count ? PTE_D : 0);

		if (!set_bits(p->entry[i].hpa, p->size, s->guest, &p->entry[i].value, bits))
			return ERR_BUSY;
	}
	return 0;
}

size_t walk_copy(const struct walk_space *s, gva_t gva, uint32_t access, void *buf, size_t n)
{
	struct walk_result at;
	const void *src;
	size_t done = 0;

	while (done < n) {
		uint64_t next = gva.a + done;
		size_t part = PAGE_SIZE - page_offset(next);

		if (part > n - done)
			part = n - done;
		if (walk_gva(s, GVA(next), access, &at))
			break;
		src = s->private ? phys_seen(at.hpa, part, s->guest) : phys_host(at.hpa, part);
		if (!src)
			break;
		__builtin_memcpy((uint8_t *)buf + done, src, part);
		__asm__ volatile("" ::: "memory");
		done += part;
	}
	return done;
}

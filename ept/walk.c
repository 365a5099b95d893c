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
#define PTE_PS ((uint64_t)1 << 7)
#define PTE_NX ((uint64_t)1 << 63)

/* PAE (APM vol. 2, 5.2.3): bits 63:52, 8:5, 2:1 of a top-level entry, 62:52 of the others. */
#define PDPTE_RESERVED 0xfff00000000001e6u
#define PAE_RESERVED 0x7ff0000000000000u
#define LARGE_RESERVED(level) ((table_span(level) - 1) & ~(uint64_t)0x1fff)
#define PSE_RESERVED ((uint64_t)1 << 21)

static int stopped(struct walk_result *out, enum walk_stop stop, uint32_t error_code)
{
	out->stop = stop;
	out->error_code = error_code;
	return ERR_FAULT;
}

/* Bits above the processor's physical addresses, in any entry. */
static inline uint64_t phys_reserved(const struct walk_space *s)
{
	return TABLE_ADDR_MASK & (UINT64_MAX << s->phys_bits);
}

static int nested_fault(struct walk_result *out, uint64_t gpa, uint32_t error_code)
{
	out->gpa = GPA(gpa);
	return stopped(out, WALK_NESTED, error_code | WALK_USER);
}

static int no_memory(struct walk_result *out, uint64_t hpa)
{
	out->hpa = HPA(hpa);
	return stopped(out, WALK_MEMORY, 0);
}

/* gpa -> *hpa through the nested table, or the same if there is none. */
static int nested(const struct walk_space *s, uint64_t gpa, uint32_t access, uint64_t *hpa,
		  struct walk_result *out)
{
	const struct table_format *f = &table_format;
	uint64_t reserved = phys_reserved(s);
	uint64_t table = s->nested_root.a;
	uint64_t rights = UINT64_MAX;
	unsigned int level = TABLE_LEVELS;
	uint64_t entry, need;

	if (!s->nested) {
		*hpa = gpa;
		return 0;
	}
	if (gpa >> TABLE_GPA_BITS)
		return nested_fault(out, gpa, access);
	for (;; level--) {
		uint64_t at = table + table_index(level, gpa) * sizeof(entry);
		uint64_t bad = reserved;
		bool leaf;

		if (phys_read64(&entry, HPA(at)))
			return no_memory(out, at);
		if (!table_present(entry))
			return nested_fault(out, gpa, access);
		leaf = table_is_leaf(entry, level);
		bad |= leaf ? f->reserved_leaf[level] : f->reserved_table[level];
		if (entry & bad)
			return nested_fault(out, gpa, access | WALK_PRESENT | WALK_RESERVED);
		rights &= entry ^ f->invert;
		if (leaf)
			break;
		table = entry & TABLE_ADDR_MASK;
	}
	need = access & WALK_EXEC ? f->exec : access & WALK_WRITE ? f->write : f->read;
	if ((rights & need) != need)
		return nested_fault(out, gpa, access | WALK_PRESENT);
	*hpa = table_hpa(entry, level).a + (gpa & (table_span(level) - 1));
	return 0;
}

/* Reads the 8 aligned bytes around an entry of a guest table. */
static int read_entry(const struct walk_space *s, uint64_t gpa, uint64_t *entry,
		      struct walk_result *out)
{
	uint64_t hpa;
	int err = nested(s, gpa & ~(uint64_t)7, WALK_READ, &hpa, out);

	if (err) {
		out->in_table = out->stop == WALK_NESTED;
		return err;
	}
	return phys_read64(entry, HPA(hpa)) ? no_memory(out, hpa) : 0;
}

/* The error code tells a fetch only where fetches can be forbidden (SDM vol. 3, 4.7). */
static int page_fault(const struct walk_space *s, uint32_t access, uint32_t why,
		      struct walk_result *out)
{
	bool tells_fetch = (s->cr4 & CR4_SMEP) || ((s->cr4 & CR4_PAE) && (s->efer & EFER_NXE));

	out->canonical = true;
	if (!tells_fetch)
		access &= ~(uint32_t)WALK_EXEC;
	return stopped(out, WALK_GUEST, access | why | (s->cpl == 3 ? WALK_USER : 0));
}

/* rights: the AND of all levels' entries, with NX inverted. */
static int check_rights(const struct walk_space *s, uint64_t rights, uint32_t access,
			struct walk_result *out)
{
	bool user = s->cpl == 3;
	bool ok = !user || (rights & PTE_U);

	if (access & WALK_WRITE)
		ok &= (rights & PTE_W) || (!user && !(s->cr0 & CR0_WP));
	if (access & WALK_EXEC)
		ok &= (rights & PTE_NX) && (user || !(rights & PTE_U) || !(s->cr4 & CR4_SMEP));
	return ok ? 0 : page_fault(s, access, WALK_PRESENT, out);
}

/* Tables of 8-byte entries, from one at this level down. */
static int walk_wide(const struct walk_space *s, uint64_t gva, uint32_t access, uint64_t table,
		     unsigned int level, uint64_t reserved, struct walk_result *out)
{
	uint64_t rights = UINT64_MAX;
	uint64_t entry, in_page;
	int err;

	reserved |= phys_reserved(s) | (s->efer & EFER_NXE ? 0 : PTE_NX);
	for (;; level--) {
		uint64_t bad = reserved;

		err = read_entry(s, table + table_index(level, gva) * sizeof(entry), &entry, out);
		if (err)
			return err;
		if (!(entry & PTE_P))
			return page_fault(s, access, 0, out);
		if (level > 1 && (entry & PTE_PS))
			bad |= level > 3 ? PTE_PS : LARGE_RESERVED(level);
		if (entry & bad)
			return page_fault(s, access, WALK_PRESENT | WALK_RESERVED, out);
		rights &= entry ^ PTE_NX;
		if (level == 1 || (entry & PTE_PS))
			break;
		table = entry & TABLE_ADDR_MASK;
	}
	in_page = table_span(level) - 1;
	out->gpa = GPA((entry & TABLE_ADDR_MASK & ~in_page) | (gva & in_page));
	return check_rights(s, rights, access, out);
}

static int walk_long(const struct walk_space *s, uint64_t gva, uint32_t access,
		     struct walk_result *out)
{
	unsigned int levels = s->cr4 & CR4_LA57 ? 5 : 4;
	unsigned int top = PAGE_SHIFT + levels * TABLE_INDEX_BITS - 1; /* the sign bit */
	uint64_t sign = gva >> top;

	if (sign && sign != UINT64_MAX >> top)
		return stopped(out, WALK_GUEST, 0);
	return walk_wide(s, gva, access, s->cr3 & TABLE_ADDR_MASK, levels, 0, out);
}

static int walk_pae(const struct walk_space *s, uint64_t gva, uint32_t access,
		    struct walk_result *out)
{
	uint64_t pdpte;
	int err = read_entry(s, (s->cr3 & 0xffffffe0u) + (gva >> 30) * sizeof(pdpte), &pdpte, out);

	if (err)
		return err;
	if (!(pdpte & PTE_P))
		return page_fault(s, access, 0, out);
	if (pdpte & (PDPTE_RESERVED | phys_reserved(s)))
		return page_fault(s, access, WALK_PRESENT | WALK_RESERVED, out);
	return walk_wide(s, gva, access, pdpte & TABLE_ADDR_MASK, 2, PAE_RESERVED, out);
}

/* Reads an entry of 4 bytes. */
static int read_narrow(const struct walk_space *s, uint64_t gpa, uint32_t access, uint64_t *entry,
		       struct walk_result *out)
{
	uint64_t both;
	int err = read_entry(s, gpa, &both, out);

	if (err)
		return err;
	*entry = (uint32_t)(gpa & 4 ? both >> 32 : both);
	return *entry & PTE_P ? 0 : page_fault(s, access, 0, out);
}

static int walk_narrow(const struct walk_space *s, uint64_t gva, uint32_t access,
		       struct walk_result *out)
{
	uint64_t pde, pte;
	int err = read_narrow(s, (s->cr3 & 0xfffff000u) + (gva >> 22) * 4, access, &pde, out);

	if (err)
		return err;
	if ((s->cr4 & CR4_PSE) && (pde & PTE_PS)) {
		/* Bits 20:13 are bits 39:32 of the address (APM vol. 2, 5.2.2). */
		out->gpa = GPA((pde & 0xffc00000u) | (pde & 0x1fe000u) << 19 | (gva & 0x3fffffu));
		if ((pde & PSE_RESERVED) || (out->gpa.a & phys_reserved(s)))
			return page_fault(s, access, WALK_PRESENT | WALK_RESERVED, out);
		return check_rights(s, pde | PTE_NX, access, out);
	}
	err = read_narrow(s, (pde & 0xfffff000u) + (gva >> 12 & 1023) * 4, access, &pte, out);
	if (err)
		return err;
	out->gpa = GPA((pte & 0xfffff000u) | page_offset(gva));
	return check_rights(s, (pde & pte) | PTE_NX, access, out);
}

static int guest(const struct walk_space *s, uint64_t gva, uint32_t access, struct walk_result *out)
{
	if (s->efer & EFER_LMA)
		return walk_long(s, gva, access, out);
	gva = (uint32_t)gva;
	if (!(s->cr0 & CR0_PG)) {
		out->gpa = GPA(gva);
		return 0;
	}
	return s->cr4 & CR4_PAE ? walk_pae(s, gva, access, out) : walk_narrow(s, gva, access, out);
}

int walk_gpa(const struct walk_space *s, gpa_t gpa, uint32_t access, struct walk_result *out)
{
	*out = (struct walk_result){.gpa = gpa};
	return nested(s, gpa.a, access, &out->hpa.a, out);
}

int walk_gva(const struct walk_space *s, gva_t gva, uint32_t access, struct walk_result *out)
{
	int err;

	*out = (struct walk_result){0};
	err = guest(s, gva.a, access, out);
	return err ? err : nested(s, out->gpa.a, access, &out->hpa.a, out);
}

size_t walk_copy(const struct walk_space *s, gva_t gva, uint32_t access, void *buf, size_t n)
{
	struct walk_result at;
	size_t done = 0;

	while (done < n) {
		uint64_t next = gva.a + done;
		size_t part = PAGE_SIZE - page_offset(next);

		if (part > n - done)
			part = n - done;
		if (walk_gva(s, GVA(next), access, &at) ||
		    phys_read((uint8_t *)buf + done, at.hpa, part))
			break;
		done += part;
	}
	return done;
}

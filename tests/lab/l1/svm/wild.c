/* SPDX-License-Identifier: Apache-2.0 */
#include "svm/wild.h"

#include "lib/mem.h"
#include "lib/pages.h"
#include "monitor/hypercall.h"
#include "svm/known.h"

#define CR4_LA57 0x1000u
#define IMAGE_START (2 * MIB)
#define STUB_SIZE 32
#define RESTORE 100 /* entries, on average */

extern const uint8_t wild_stubs[], wild_stubs_end[], wild_stubs32[], wild_stubs32_end[];

static const uint8_t *any_stub(struct wild *w)
{
	size_t n = (size_t)(wild_stubs_end - wild_stubs) / STUB_SIZE;

	return wild_stubs + random_below(&w->random, n) * STUB_SIZE;
}

static const uint8_t *any_stub32(struct wild *w)
{
	size_t n = (size_t)(wild_stubs32_end - wild_stubs32) / STUB_SIZE;

	return wild_stubs32 + random_below(&w->random, n) * STUB_SIZE;
}

static uint64_t *safe_table(const uint8_t *data)
{
	uint64_t *root = page_alloc(), start, end;

	pages_range(&start, &end);
	for (uint64_t a = IMAGE_START; a < end; a += 2 * MIB)
		*table_entry(root, a, LEVEL_2M) = a | PTE_P | PTE_U | PTE_LARGE | PTE_NX;
	*table_entry(root, (uint64_t)data, LEVEL_2M) =
		(uint64_t)data | PTE_ALL | PTE_LARGE | PTE_NX;
	table_map(root, (uint64_t)wild_stubs, (uint64_t)wild_stubs, PTE_P | PTE_U);
	table_map(root, (uint64_t)guest_stubs, (uint64_t)guest_stubs, PTE_P | PTE_U);
	return root;
}

static void build_tables(struct wild *w)
{
	size_t before, after;

	w->safe = safe_table(w->data);
	w->nested = safe_table(w->data);
	before = pages_mark();
	w->own = safe_table(w->data);
	after = pages_mark();
	w->own_pages = (after - before) / PAGE_SIZE;
	for (size_t i = 0; i < w->own_pages; i++) {
		uint64_t page = (uint64_t)w->own + i * PAGE_SIZE;

		table_map(w->nested, page, page, PTE_ALL | PTE_NX);
	}
	w->pristine = pages_alloc(w->own_pages, PAGE_SIZE);
	memcpy(w->pristine, w->own, w->own_pages * PAGE_SIZE);
}

static uint64_t data_page(struct wild *w)
{
	return (uint64_t)w->data + random_below(&w->random, 512) * PAGE_SIZE;
}

/* A page of this program's image or pool. */
static uint64_t any_page(struct wild *w)
{
	uint64_t start, end;

	pages_range(&start, &end);
	return IMAGE_START + random_below(&w->random, (end - IMAGE_START) / PAGE_SIZE) * PAGE_SIZE;
}

static uint64_t table_of(struct wild *w, enum table_level level)
{
	return (uint64_t)w->tables +
	       (((uint64_t)level - 1) * WILD_TABLES + random_below(&w->random, WILD_TABLES)) *
		       PAGE_SIZE;
}

/*
 * One entry of a random table. Flags are random; what may be written is data. A table of `level`
 * is only ever reached as one of that level: the roots in use are those of LEVEL_512G.
 */
static uint64_t random_entry(struct wild *w, enum table_level level)
{
	uint64_t r = random_next(&w->random);
	uint64_t entry = (r & 0xfff) | (r & PTE_NX);

	if (random_one_in(&w->random, 4))
		return entry & ~(uint64_t)PTE_P;
	if (random_one_in(&w->random, 16))
		entry |= r & 0x7ff0000000000000;
	if (level == LEVEL_4K)
		return entry | ((entry & PTE_W) ? data_page(w) : any_page(w)) |
		       (entry & PTE_W ? PTE_NX : 0);
	if (level == LEVEL_2M && (entry & PTE_LARGE))
		return entry | (uint64_t)w->data | PTE_NX;
	return (entry & ~(uint64_t)PTE_LARGE) | table_of(w, level - 1);
}

static void fill_tables(struct wild *w)
{
	for (enum table_level l = LEVEL_4K; l <= LEVEL_512G; l++) {
		uint64_t *page = w->tables + (uint64_t)(l - 1) * WILD_TABLES * 512;

		for (unsigned i = 0; i < WILD_TABLES * 512; i++)
			page[i] = random_entry(w, l);
	}
}

void wild_start(struct wild *w, uint64_t seed)
{
	int64_t rax;
	uint64_t out[8];

	*w = (struct wild){.random.state = seed | 1};
	if (monitor_present() && hypercall(HYPERCALL_INFO, 0, 0, &rax, out) && rax == 0) {
		w->monitor = out[2];
		w->monitor_size = out[1];
	}
	w->data = pages_alloc(512, 2 * MIB);
	w->tables = pages_alloc((size_t)4 * WILD_TABLES, PAGE_SIZE);
	w->bases[0] = guest_long(wild_stubs);
	w->bases[1] = guest_protected(wild_stubs32);
	w->bases[2] = guest_real(wild_stubs32, wild_stubs32_end);
	build_tables(w);
	for (unsigned i = 0; i < ARRAY_SIZE(w->bases); i++) {
		struct vmcb *v = w->bases[i].vmcb;

		v->nested_cr3 = (uint64_t)w->nested;
		v->cr3 = (uint64_t)w->own;
		v->rsp = (uint64_t)w->data + 2 * MIB - 64;
		memcpy(w->data, w->bases[0].idt, PAGE_SIZE);
		v->idtr.base = (uint64_t)w->data;
	}
	w->g = w->bases[0];
	w->g.vmcb = page_alloc();
	fill_tables(w);
}

/* An address for a field that wants one: good, odd, outside, or the monitor's. */
static uint64_t any_address(struct wild *w, uint64_t good)
{
	switch (random_below(&w->random, 8)) {
	case 0:
		return random_next(&w->random);
	case 1:
		return random_next(&w->random) & 0xffffffffff;
	case 2:
		return any_page(w);
	case 3:
		return w->monitor ? w->monitor + random_below(&w->random, w->monitor_size)
				  : ~0ull << 12;
	default:
		return good;
	}
}

static void random_bytes(struct wild *w, void *p, size_t n)
{
	uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(random_next(&w->random) >> 32);
}

static void random_controls(struct wild *w, struct vmcb *v)
{
	random_bytes(w, v, offsetof(struct vmcb, reserved_014));
	v->asid = random_one_in(&w->random, 4) ? (uint32_t)random_next(&w->random)
					       : 1 + (uint32_t)random_below(&w->random, 8);
	v->tlb_control = random_one_in(&w->random, 4) ? (uint8_t)random_next(&w->random) : 0;
	v->int_control = random_next(&w->random);
	v->int_control &= random_next(&w->random); /* a quarter of the bits */
	v->int_shadow = random_next(&w->random) & 3;
	v->np_control = random_one_in(&w->random, 4) ? random_next(&w->random) & 1 : NP_ENABLE;
	v->lbr_control = random_next(&w->random) & 3;
	v->clean = (uint32_t)random_next(&w->random);
	v->tsc_offset = random_next(&w->random);
	if (random_one_in(&w->random, 2))
		v->event = (uint32_t)random_next(&w->random);
	v->event_error = (uint32_t)random_next(&w->random);
	if (!random_one_in(&w->random, 8))
		v->intercept2 |= 1;
}

static void mutate(struct wild *w, struct vmcb *v)
{
	for (uint64_t n = 1 + random_below(&w->random, 4); n; n--) {
		size_t at = random_below(&w->random, offsetof(struct vmcb, reserved_698) - 8);

		random_bytes(w, (uint8_t *)v + at, random_one_in(&w->random, 2) ? 1 : 8);
	}
}

/* What makes the promise of wild.h true, whatever the rest is. */
static void contain(struct wild *w, struct vmcb *v)
{
	intercept(&w->g, X_INTR);
	intercept(&w->g, X_NMI);
	intercept(&w->g, X_SHUTDOWN);
	v->int_control |= V_INTR_MASKING;
	/*
	 * QEMU itself aborts ("invalid tss type") when a guest outside long mode changes rings with
	 * anything else in TR, even with the busy TSS of a real machine.
	 */
	v->tr.attributes = 0x89;
	/*
	 * QEMU keeps a breakpoint for each one that DR7 enables. Only MOV to DR7 sets and removes them, by
	 * the types in a DR7 that VMRUN and #VMEXIT have exchanged meanwhile: it crashes.
	 */
	v->intercept_dr_write |= 1u << 7;
	/*
	 * TCG does not restore the host's CR0 if the guest's EFER.LME is set and both CR0.PG and CR4.PAE
	 * are clear. On a bare machine that host is this program; the monitor has to cope.
	 */
	if (!monitor_present() && (v->efer & EFER_LME) && !(v->cr0 & CR0_PG))
		v->cr4 |= CR4_PAE;
	if (v->np_control & NP_ENABLE) {
		v->nested_cr3 = random_one_in(&w->random, 4) ? table_of(w, LEVEL_512G)
							     : (uint64_t)w->nested;
		if (random_one_in(&w->random, 16))
			v->nested_cr3 = random_next(&w->random) | 1ull << 51;
		return;
	}
	/* The guest's own table is all that holds it: long mode, four levels, NX, write protection. */
	v->cr0 |= CR0_PG | CR0_PE | CR0_WP;
	v->cr4 = (v->cr4 | CR4_PAE) & ~(uint64_t)CR4_LA57;
	v->efer |= EFER_LME | EFER_LMA | EFER_NXE;
	v->cr3 = (uint64_t)w->safe;
}

void wild_next(struct wild *w)
{
	struct vmcb *v = w->g.vmcb;
	unsigned base = (unsigned)random_below(&w->random, 8);

	if (random_one_in(&w->random, RESTORE))
		memcpy(w->own, w->pristine, w->own_pages * PAGE_SIZE);
	base = base < 5 ? 0 : base < 7 ? 1 : 2;
	memcpy(v, w->bases[base].vmcb, PAGE_SIZE);
	v->rip = base == 0 ? (uint64_t)any_stub(w) : base == 1 ? (uint64_t)any_stub32(w) : 0;
	random_bytes(w, &w->g.r, sizeof(w->g.r));
	w->g.r.rbx = data_page(w);
	w->g.r.rdi = any_address(w, data_page(w));
	v->rax = any_address(w, data_page(w));
	switch (random_below(&w->random, 5)) {
	case 0:
	case 1:
		mutate(w, v);
		break;
	case 2:
	case 3:
		random_controls(w, v);
		v->iopm = any_address(w, v->iopm);
		v->msrpm = any_address(w, v->msrpm);
		if (random_one_in(&w->random, 2))
			mutate(w, v);
		break;
	default:
		random_bytes(w, v,
			     random_one_in(&w->random, 2) ? PAGE_SIZE : offsetof(struct vmcb, es));
		break;
	}
	contain(w, v);
}

uint64_t wild_run(struct wild *w)
{
	clgi();
	interrupts_on();
	svm_enter(w->g.vmcb, &w->g.r, w->g.host);
	stgi();
	interrupts_off();
	return w->g.vmcb->exit_code;
}

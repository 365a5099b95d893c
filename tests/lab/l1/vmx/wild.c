/* SPDX-License-Identifier: Apache-2.0 */
#include "vmx/wild.h"

#include "lib/apic.h"
#include "lib/mem.h"
#include "lib/monitor.h"
#include "lib/pages.h"
#include "monitor/hypercall.h"

#define STUB_SIZE 32
#define SPIN_STUB 1
#define RESTORE 100 /* entries, on average */
#define NON_CANONICAL 0x0000900000000000ull
#define PIN_UNSAFE 0xc0u /* preemption timer, posted interrupts */
#define PROC2_UNSAFE \
	0x1e6300u /* APIC registers, virtual interrupts, VMFUNC, shadowing, PML, #VE.. */
#define EXIT_UNSAFE 0xf0c01000u /* performance and tracing MSRs, the timer, CET */
#define ENTRY_UNSAFE 0xfff32c00u

extern const uint8_t wild_stubs[], wild_stubs_end[], wild_stubs32[], wild_stubs32_end[];

/* Every field that an entry reads, but H_RSP, which vmx_enter() sets. */
static const uint16_t fields[] = {
	GUEST_STATE_FIELDS,
	H_ES,
	H_CS,
	H_SS,
	H_DS,
	H_FS,
	H_GS,
	H_TR,
	C_IO_MAP_A,
	C_IO_MAP_B,
	C_MSR_MAP,
	C_ENTRY_LOAD,
	C_TSC_OFFSET,
	C_EPTP,
	G_DEBUGCTL,
	G_PDPTE0,
	G_PDPTE1,
	H_PAT,
	H_EFER,
	C_PIN,
	C_PROC,
	C_EXCEPTIONS,
	C_PF_MASK,
	C_PF_MATCH,
	C_CR3_COUNT,
	C_EXIT,
	C_ENTRY,
	C_ENTRY_LOAD_COUNT,
	C_EVENT,
	C_EVENT_ERROR,
	C_EVENT_LENGTH,
	C_PROC2,
	G_GS_LIMIT,
	G_GS_RIGHTS,
	C_CR0_MASK,
	C_CR4_MASK,
	C_CR0_SHADOW,
	C_CR4_SHADOW,
	H_CR0,
	H_CR3,
	H_CR4,
	H_FS_BASE,
	H_RIP,
};
_Static_assert(ARRAY_SIZE(fields) <= WILD_FIELDS, "room for every field");

static uint64_t *field(struct wild *w, enum field f)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		if (fields[i] == f)
			return &w->next[i];
	}
	test_end("a field that is not among the random ones");
}

static uint64_t data_page(struct wild *w)
{
	return (uint64_t)w->data + random_below(&w->random, 512) * PAGE_SIZE;
}

static uint64_t table_of(struct wild *w, enum table_level level)
{
	return (uint64_t)w->tables +
	       (((uint64_t)level - 1) * WILD_TABLES + random_below(&w->random, WILD_TABLES)) *
		       PAGE_SIZE;
}

/* One entry of a random EPT: it leads to data that cannot be executed, or to stubs that cannot be written. */
static uint64_t random_entry(struct wild *w, enum table_level level)
{
	uint64_t r = random_next(&w->random), entry = r & 0xf00;

	if (random_one_in(&w->random, 8))
		return entry & ~(uint64_t)EPT_ALL;
	if (random_one_in(&w->random, 32))
		entry |= r & 0x7ff8;
	if (level != LEVEL_4K)
		return entry | table_of(w, level - 1) | (random_one_in(&w->random, 4) ? r & 7 : 7);
	entry |= random_one_in(&w->random, 8) ? r & 0x38 : EPT_WB;
	return r & 1 << 20 ? entry | data_page(w) | (r & (EPT_R | EPT_W))
			   : entry | (uint64_t)wild_stubs | (r & (EPT_R | EPT_X));
}

static void fill_tables(struct wild *w)
{
	for (enum table_level l = LEVEL_4K; l <= LEVEL_512G; l++) {
		uint64_t *page = w->tables + (uint64_t)(l - 1) * WILD_TABLES * 512;

		for (unsigned i = 0; i < WILD_TABLES * 512; i++)
			page[i] = random_entry(w, l);
	}
}

/* The EPT of the stubs, the tables they run on (read-only), and data; nothing else. */
static void build_ept(struct wild *w, size_t own_start, size_t own_end)
{
	uint64_t stubs = (uint64_t)wild_stubs, pool, end;

	pages_range(&pool, &end);
	w->ept = page_alloc();
	ept_map(w->ept, stubs, stubs, EPT_R | EPT_X);
	for (uint64_t p = (uint64_t)guest_stubs; p < (uint64_t)guest_stub(256); p += PAGE_SIZE)
		ept_map(w->ept, p, p, EPT_R | EPT_X);
	ept_map(w->ept, REAL_GUEST, REAL_GUEST, EPT_R | EPT_X);
	for (unsigned i = 0; i < 512; i++)
		ept_map(w->ept, (uint64_t)w->data + i * PAGE_SIZE,
			(uint64_t)w->data + i * PAGE_SIZE, EPT_R | EPT_W);
	for (uint64_t p = pool + own_start; p < pool + own_end; p += PAGE_SIZE)
		ept_map(w->ept, p, p, EPT_R);
}

/* A valid guest's fields, changed to what the arena offers. */
static void keep_base(struct wild *w, unsigned n, struct guest *g)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
		w->next[i] = get(g, fields[i]);
	*field(w, C_EPTP) = (uint64_t)w->ept | EPTP_WB_4_LEVELS;
	*field(w, G_IDTR_BASE) = n == 0 ? (uint64_t)w->data : *field(w, G_IDTR_BASE);
	*field(w, G_RFLAGS) |= FLAG_IF;
	*field(w, C_EXCEPTIONS) = 0xffffffff;
	if (n == 0)
		*field(w, G_CR3) = (uint64_t)w->own;
	if (n < 2)
		*field(w, G_RSP) = (uint64_t)w->data + 2 * MIB - 64;
	memcpy(w->bases[n], w->next, sizeof(w->next));
	if (n == 0)
		w->idt = g->idt;
}

void wild_start(struct wild *w, uint64_t seed)
{
	int64_t rax;
	uint64_t out[8];
	size_t own_start, own_end;
	struct guest g;

	*w = (struct wild){.random.state = seed | 1, .bare = !monitor_present()};
	if (!w->bare && hypercall(HYPERCALL_INFO, 0, 0, &rax, out) && rax == 0) {
		w->monitor = out[2];
		w->monitor_size = out[1];
	}
	w->data = pages_alloc(512, 2 * MIB);
	w->tables = pages_alloc((size_t)4 * WILD_TABLES, PAGE_SIZE);
	own_start = pages_mark();
	w->own = table_identity();
	own_end = pages_mark();
	build_ept(w, own_start, own_end);
	g = guest_long(wild_stubs);
	keep_base(w, 0, &g);
	g = guest_protected(wild_stubs32);
	keep_base(w, 1, &g);
	g = guest_real(wild_stubs32, wild_stubs32_end);
	keep_base(w, 2, &g);
	w->g = guest_long(wild_stubs);
	memcpy(w->data, w->idt, PAGE_SIZE);
	fill_tables(w);
}

/* An address for a field that wants one: good, illegal, or the monitor's. */
static uint64_t any_address(struct wild *w, uint64_t good)
{
	switch (random_below(&w->random, 8)) {
	case 0:
		return random_next(&w->random) | 1ull << 63;
	case 1:
		return good | 1 << random_below(&w->random, 12);
	case 2:
		return w->monitor ? w->monitor +
					    (random_below(&w->random, w->monitor_size) & PAGE_MASK)
				  : ~0ull << 12;
	default:
		return good;
	}
}

/* Mostly bits that may be either way; never the unsafe ones. */
static void flip_bits(struct wild *w, enum field f, uint32_t unsafe, unsigned most)
{
	struct allowed a = allowed(f);
	uint32_t from = random_one_in(&w->random, 16) ? ~unsafe : a.may & ~a.must & ~unsafe;

	for (uint64_t n = random_below(&w->random, most + 1); n; n--)
		*field(w, f) ^= from & (1u << random_below(&w->random, 32));
}

static void random_controls(struct wild *w)
{
	flip_bits(w, C_PIN, PIN_UNSAFE, 2);
	flip_bits(w, C_PROC, 0, 6);
	flip_bits(w, C_PROC2, PROC2_UNSAFE, 4);
	flip_bits(w, C_EXIT, EXIT_UNSAFE, 2);
	flip_bits(w, C_ENTRY, ENTRY_UNSAFE, 1);
	*field(w, C_EXCEPTIONS) = random_next(&w->random);
	*field(w, C_PF_MASK) = random_next(&w->random) & 0x1f;
	*field(w, C_PF_MATCH) = random_next(&w->random) & 0x1f;
	*field(w, C_TSC_OFFSET) = random_next(&w->random);
	if (random_one_in(&w->random, 6))
		*field(w, C_IO_MAP_A) = any_address(w, *field(w, C_IO_MAP_A));
	if (random_one_in(&w->random, 6))
		*field(w, C_IO_MAP_B) = any_address(w, *field(w, C_IO_MAP_B));
	if (random_one_in(&w->random, 6))
		*field(w, C_MSR_MAP) = any_address(w, *field(w, C_MSR_MAP));
	if (random_one_in(&w->random, 4))
		*field(w, C_EPTP) = any_address(w, table_of(w, LEVEL_512G)) | EPTP_WB_4_LEVELS;
	if (random_one_in(&w->random, 4)) {
		*field(w, C_CR0_MASK) = random_next(&w->random);
		*field(w, C_CR0_SHADOW) = random_next(&w->random);
		*field(w, C_CR4_MASK) = random_next(&w->random);
		*field(w, C_CR4_SHADOW) = random_next(&w->random);
	}
	if (random_one_in(&w->random, 3)) {
		*field(w, C_EVENT) = EVENT_VALID | (random_next(&w->random) & 0xfff);
		*field(w, C_EVENT_ERROR) = random_next(&w->random) & 0x1ffff;
		*field(w, C_EVENT_LENGTH) = random_below(&w->random, 17);
	}
	if (random_one_in(&w->random, 16))
		*field(w, G_LINK) = any_address(w, data_page(w));
}

/* Guest fields lie where their encoding says so: bits 11:10. */
static void mutate_guest(struct wild *w)
{
	for (uint64_t n = 1 + random_below(&w->random, 3); n;) {
		unsigned i = (unsigned)random_below(&w->random, ARRAY_SIZE(fields));

		if ((fields[i] >> 10 & 3) != 2)
			continue;
		if (random_one_in(&w->random, 2))
			w->next[i] ^= 1ull << random_below(&w->random, 64);
		else
			w->next[i] = random_next(&w->random) >> random_below(&w->random, 64);
		n--;
	}
}

/* Host state that has to be refused: what is legal would be ours to live with. */
static void spoil_host(struct wild *w)
{
	static const enum field selectors[] = {H_ES, H_CS, H_SS, H_DS, H_FS, H_GS, H_TR};

	switch (random_below(&w->random, 6)) {
	case 0:
		*field(w, selectors[random_below(&w->random, ARRAY_SIZE(selectors))]) |=
			1 + random_below(&w->random, 7);
		break;
	case 1:
		*field(w, H_RIP) = NON_CANONICAL;
		break;
	case 2:
		*field(w, H_CR3) |= 1ull << 62;
		break;
	case 3:
		*field(w, H_CR4) &= ~(uint64_t)(random_one_in(&w->random, 2) ? CR4_VMXE : CR4_PAE);
		break;
	case 4:
		*field(w, H_CR0) |= 1ull << (32 + random_below(&w->random, 32));
		break;
	default:
		*field(w, H_FS_BASE) = NON_CANONICAL;
	}
}

/* What makes the promise of wild.h true, whatever the rest is. */
static void contain(struct wild *w)
{
	uint64_t event = *field(w, C_EVENT), *proc = field(w, C_PROC), *proc2 = field(w, C_PROC2);
	uint64_t offered = rdmsr(MSR_VMX_MISC);

	*field(w, C_PIN) |= PIN_INTERRUPT | PIN_NMI;
	*proc |= PROC_SECONDARY;
	*proc2 |= PROC2_EPT;
	*proc2 &= ~(uint64_t)PROC2_UNSAFE;
	/* these two would need addresses of their own */
	if (w->bare)
		*proc &= ~(uint64_t)PROC_TPR_SHADOW;
	*proc2 &= ~(uint64_t)PROC2_APIC_ACCESS;
	*field(w, C_ENTRY_LOAD_COUNT) = 0;
	/* Bochs does not refuse long mode without paging, and panics then */
	if (w->bare && *field(w, C_ENTRY) & ENTRY_GUEST_64)
		*field(w, G_CR0) |= CR0_PG | CR0_PE;
	/* Bochs panics at an event of type 7, and sees no interrupt while a guest it entered has IF=0 */
	if ((event >> 8 & 7) == 7 && w->bare)
		*field(w, C_EVENT) = 0;
	if (!(*field(w, G_RFLAGS) & FLAG_IF)) {
		*proc |= PROC_HLT;
		*field(w, G_ACTIVITY) = 0;
		if (*field(w, G_RIP) == (uint64_t)wild_stubs + SPIN_STUB * STUB_SIZE)
			*field(w, G_RIP) = (uint64_t)wild_stubs;
	}
	/* states that nothing but an INIT or a SIPI ends */
	if ((*field(w, G_ACTIVITY) == SHUT_DOWN && offered & MISC_SHUTDOWN) ||
	    (*field(w, G_ACTIVITY) == WAIT_FOR_SIPI && offered & MISC_SIPI))
		*field(w, G_ACTIVITY) = ACTIVE;
}

static uint64_t any_stub(struct wild *w, const uint8_t *start, const uint8_t *end)
{
	return (uint64_t)start +
	       random_below(&w->random, (uint64_t)(end - start) / STUB_SIZE) * STUB_SIZE;
}

void wild_next(struct wild *w)
{
	unsigned base = (unsigned)random_below(&w->random, 8);
	uint64_t *r = (uint64_t *)&w->g.r;

	if (random_one_in(&w->random, RESTORE))
		memcpy(w->data, w->idt, PAGE_SIZE);
	base = base < 5 ? 0 : base < 7 ? 1 : 2;
	memcpy(w->next, w->bases[base], sizeof(w->next));
	if (base == 0)
		*field(w, G_RIP) = any_stub(w, wild_stubs, wild_stubs_end);
	else if (base == 1)
		*field(w, G_RIP) = any_stub(w, wild_stubs32, wild_stubs32_end);
	for (unsigned i = 0; i < 15; i++)
		r[i] = random_next(&w->random);
	w->g.r.rbx = data_page(w);
	w->g.r.rdi = any_address(w, data_page(w));
	w->g.r.rax = any_address(w, data_page(w));
	switch (random_below(&w->random, 8)) {
	case 0:
		break;
	case 1:
	case 2:
		mutate_guest(w);
		break;
	case 3:
		spoil_host(w);
		break;
	case 4:
		mutate_guest(w);
		random_controls(w);
		break;
	default:
		random_controls(w);
	}
	contain(w);
}

static uint64_t enter(struct wild *w)
{
	uint64_t flags, reason, efer = rdmsr(MSR_EFER), pat = rdmsr(MSR_PAT);

	if (random_one_in(&w->random, 16))
		guest_clear(&w->g);
	guest_use(&w->g);
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
		vmwrite(fields[i], w->next[i]);
	flags = vmx_enter(&w->g.r, w->g.launched);
	wrmsr(MSR_EFER, efer); /* which the exit controls may have left as the guest's */
	wrmsr(MSR_PAT, pat);
	if (flags)
		return WILD_VMFAIL + (unsigned)vm_result(flags);
	reason = get(&w->g, I_REASON);
	if (!(reason & ENTRY_FAILURE))
		w->g.launched = true;
	if (reason == X_INTERRUPT && get(&w->g, I_EVENT) & EVENT_VALID)
		apic_eoi();
	return reason;
}

uint64_t wild_run(struct wild *w)
{
	uint64_t reason = enter(w);

	interrupts_on();
	interrupts_off();
	return reason;
}

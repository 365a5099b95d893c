/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tlb_tests.h"

#include "lib/pages.h"
#include "lib/smp.h"

struct pair new_pair(const void *code, uint64_t one, uint64_t two)
{
	struct pair p = {.g = guest_long(code)};

	p.own = table_identity();
	p.first = page_alloc();
	p.second = page_alloc();
	p.first[0] = one;
	p.second[0] = two;
	table_map(p.own, TEST_VA, (uint64_t)p.first, PTE_P | PTE_W);
	nested_entry(&p.g, (uint64_t)p.first, LEVEL_4K);
	guest_root(&p.g, p.own);
	p.g.r.rbx = TEST_VA;
	return p;
}

uint64_t run_from(struct pair *p, const void *code)
{
	guest_at(&p->g, code);
	guest_expect(&p->g, X_STOP);
	return guest_rax(&p->g);
}

void check_guest_flushes(struct pair *p)
{
	p->g.r.rcx = (uint64_t)p->second | PTE_P | PTE_W;
	p->g.r.rdx = (uint64_t)table_entry(p->own, TEST_VA, LEVEL_4K);
	guest_expect(&p->g, X_STOP);
	CHECK_EQ(guest_rax(&p->g), 1);
	CHECK_EQ(p->g.r.r8, 2);
}

void share_addresses(struct pair *a, struct pair *b)
{
	table_map(b->own, TEST_VA, (uint64_t)a->first, PTE_P | PTE_W);
	nested_map(&b->g, (uint64_t)a->first, b->first);
}

void check_host_and_guest(struct pair *p, uint64_t *host)
{
	uint64_t saved = read_cr3(), seen = 0;

	table_map(host, TEST_VA, (uint64_t)p->second, PTE_P | PTE_W);
	write_cr3((uint64_t)host);
	for (unsigned i = 0; i < ROUNDS && seen == i * 3; i++)
		seen += *(volatile uint64_t *)TEST_VA + run_from(p, guest_read);
	write_cr3(saved);
	CHECK_EQ(seen, ROUNDS * 3);
}

static volatile uint64_t other_cpu_read;

static void run_elsewhere(void *arg)
{
	struct pair *p = arg;

	vendor_enable();
	nested_flush(&p->g);
	guest_at(&p->g, guest_read);
	other_cpu_read = guest_try(&p->g) == X_STOP ? guest_rax(&p->g) : ~0ull;
	guest_release(&p->g);
	vendor_disable();
}

void check_moves_between_cpus(struct pair *p)
{
	uint64_t gpa = (uint64_t)p->first;

	if (cpu_count() < 2)
		test_skip("one CPU");
	for (unsigned i = 0; i < 6; i++) {
		nested_map(&p->g, gpa, i % 2 ? p->second : p->first);
		nested_flush(&p->g);
		CHECK_EQ(run_from(p, guest_read), 1 + i % 2);
		nested_map(&p->g, gpa, i % 2 ? p->first : p->second);
		guest_release(&p->g);
		CHECK(cpu_start(1, run_elsewhere, p), "CPU 1 does not start");
		CHECK(WAIT_FOR(cpu_finished(1)), "CPU 1 does not finish");
		CHECK_EQ(other_cpu_read, 2 - i % 2);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks that want the victim to go on with other memory than it left: by L1's own stores. */
#include "lib/access.h"
#include "lib/mem.h"
#include "lib/pages.h"
#include "tests/attack/l1/attacks.h"
#include "tests/attack/l1/world.h"
#include "tests/attack/l1/stores.h"

/* By every kind of store; a new victim each. */
static void write_page(void)
{
	for (unsigned i = 0; i < stores_count; i++) {
		struct vm *v = victim_new();
		volatile uint64_t *at = (volatile uint64_t *)(v->data[2] + 0x200);

		way_begin(stores[i].name);
		stores[i].store(at, 0x4141414141414141);
		way(vm_do(v, VICTIM_CHECK, 0, 0) && v->shared->reply);
		if (i + 1 < stores_count)
			vm_drop(v);
	}
	judge_ways();
}

static void touch_va(void *arg)
{
	*(volatile uint64_t *)arg = 0;
}

/* L1's CPU sets accessed and dirty bits in a page of the victim's that it takes for a page table. */
static void write_by_walk(void)
{
	struct vm *v = vm_new();
	uint64_t *target = page_alloc(), *own = table_identity();

	*(uint64_t *)v->given[1] = (uint64_t)target | PTE_P | PTE_W;
	victim_is(v);
	CHECK(vm_launch(v), "not launched");
	victim_start(v);
	table_map(own, TEST_VA, 0, 0);
	*table_entry(own, TEST_VA, LEVEL_2M) = (uint64_t)v->given[1] | PTE_P | PTE_W;
	write_cr3((uint64_t)own);
	expect_fault(touch_va, (void *)TEST_VA);
	judge_change(v, "L1's CPU has set A and D in its page");
}

/* It was stopped; L1 tries to go on with it all the same. */
static void enter_again(void)
{
	struct vm *v = victim_new();
	struct guest other;

	*(volatile uint64_t *)v->data[1] = 1;
	for (unsigned i = 0; i < 3; i++)
		if (vm_do(v, VICTIM_CHECK, 0, 0)) {
			succeeded("it goes on with changed memory");
			return;
		}
	other = vm_vcpu(v, victim_main);
	if (vm_came(v, &other) == CAME_SIGNAL)
		succeeded("it can be entered by another control structure");
	else
		failed("it is not entered again");
}

/* Port input, while the exit is pending: L1 writes all over the page of the operand. */
static void window_write(void)
{
	enum { AT = 0x200, BYTES = 16 };
	struct vm *v = victim_new();

	vm_tell(v, VICTIM_INS, GUEST_DATA + PAGE_SIZE + AT, BYTES);
	CHECK(vm_enter(v) == CAME_STRING, "no string I/O: exit 0x%x", v->exit);
	memset(v->data[1], 0xaa, PAGE_SIZE);
	v->g.r.rdi += BYTES;
	v->g.r.rcx = 0;
	hv_skip(&v->g, 2);
	CHECK(vm_enter(v) == CAME_SIGNAL, "the I/O does not end: exit 0x%x", v->exit);
	if (v->shared->reply)
		succeeded("what is beside the operand of string I/O has changed");
	else
		failed("only the operand of string I/O was taken");
}

/*
 * While a window is open over a page, L1 takes the page away and puts another one there, with what the
 * window showed and one word changed.
 */
static void window_detached(void)
{
	enum { AT = 0x200, BYTES = 16 };
	struct vm *v = victim_new();
	uint8_t *other = page_alloc();

	vm_tell(v, VICTIM_INS, GUEST_DATA + PAGE_SIZE + AT, BYTES);
	CHECK(vm_enter(v) == CAME_STRING, "no string I/O: exit 0x%x", v->exit);
	memcpy(other, v->data[1], PAGE_SIZE);
	((uint64_t *)other)[0x123] ^= 1;
	set_entry(data_entry(v, 1), 0);
	memset(v->data[1], 0xaa, PAGE_SIZE);
	set_entry(data_entry(v, 1), hv_leaf((uint64_t)other));
	nested_flush(&v->g);
	v->g.r.rdi += BYTES;
	v->g.r.rcx = 0;
	hv_skip(&v->g, 2);
	if (vm_enter(v) == CAME_SIGNAL && v->shared->reply)
		succeeded("it goes on with another page");
	else
		failed("it does not go on with another page");
}

static void control_in_victim(void)
{
	struct vm *v = victim_new();

	hv_use_control(v->given[0]);
	judge_change(v, "its page was used as a control structure");
}

static void state_in_victim(void)
{
	struct vm *v = vm_new(), *a = vm_new();

	hv_state_page(v->given[1]);
	victim_is(v);
	CHECK(vm_launch(v) && vm_launch(a), "not launched");
	victim_start(v);
	hv_use_state(&a->g, v->given[1]);
	judge_change(v, "the CPU has stored state in its page");
}

const struct attack write_attacks[] = {
	{"write", write_page},
	{"write-by-walk", write_by_walk},
	{"enter-again", enter_again},
	{"window-write", window_write},
	{"window-detached", window_detached},
	{"control-in-victim", control_in_victim},
	{"state-in-victim", state_in_victim},
	{NULL, NULL},
};

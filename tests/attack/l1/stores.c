/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/attack/l1/stores.h"

#include "lib/access.h"
#include "lib/cpu.h"
#include "lib/tables.h"

static void mov8(volatile uint64_t *at, uint64_t value)
{
	__asm__ volatile("mov %1, (%0)" : : "r"(at), "r"(value) : "memory");
}

static void mov4(volatile uint64_t *at, uint64_t value)
{
	__asm__ volatile("mov %k1, (%0); shr $32, %1; mov %k1, 4(%0)"
			 :
			 : "r"(at), "r"(value)
			 : "memory", "cc");
}

static void mov2(volatile uint64_t *at, uint64_t value)
{
	for (unsigned i = 0; i < 4; i++)
		__asm__ volatile("mov %w1, (%0)"
				 :
				 : "r"((uint8_t *)at + 2 * i), "r"(value >> 16 * i)
				 : "memory");
}

static void mov1(volatile uint64_t *at, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		__asm__ volatile("mov %b1, (%0)"
				 :
				 : "r"((uint8_t *)at + i), "q"(value >> 8 * i)
				 : "memory");
}

/* Two stores, each of which has a part of another word as it is. */
static void unaligned(volatile uint64_t *at, uint64_t value)
{
	uint64_t before = at[-1], after = at[1];

	mov8((volatile uint64_t *)((uint64_t)at - 4), before >> 32 | value << 32);
	mov8((volatile uint64_t *)((uint64_t)at + 4), value >> 32 | after << 32);
}

static void movnti(volatile uint64_t *at, uint64_t value)
{
	__asm__ volatile("movnti %1, (%0)" : : "r"(at), "r"(value) : "memory");
}

static void xchg(volatile uint64_t *at, uint64_t value)
{
	__asm__ volatile("xchg %1, (%0)" : "+r"(at), "+r"(value) : : "memory");
}

static void cmpxchg(volatile uint64_t *at, uint64_t value)
{
	uint64_t old = *at;

	__asm__ volatile("lock cmpxchg %2, (%1)"
			 : "+a"(old)
			 : "r"(at), "r"(value)
			 : "memory", "cc");
}

static void cmpxchg16b(volatile uint64_t *at, uint64_t value)
{
	volatile uint64_t *pair = (volatile uint64_t *)((uint64_t)at & ~15ull);
	bool high = pair != at;
	uint64_t a = pair[0], d = pair[1];

	__asm__ volatile("lock cmpxchg16b (%2)"
			 : "+a"(a), "+d"(d)
			 : "r"(pair), "b"(high ? a : value), "c"(high ? value : d)
			 : "memory", "cc");
}

static void xadd(volatile uint64_t *at, uint64_t value)
{
	uint64_t difference = value - *at;

	__asm__ volatile("lock xadd %1, (%0)" : "+r"(at), "+r"(difference) : : "memory", "cc");
}

static void add(volatile uint64_t *at, uint64_t value)
{
	uint64_t difference = value - *at;

	__asm__ volatile("add %1, (%0)" : : "r"(at), "r"(difference) : "memory", "cc");
}

static void bit_by_bit(volatile uint64_t *at, uint64_t value)
{
	uint64_t difference = value ^ *at;

	for (uint64_t i = 0; i < 64; i++)
		if (difference >> i & 1)
			__asm__ volatile("lock btc %1, (%0)" : : "r"(at), "r"(i) : "memory", "cc");
}

static void movsq(volatile uint64_t *at, uint64_t value)
{
	const uint64_t *from = &value;
	uint64_t n = 1;

	__asm__ volatile("rep movsq" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
}

static void movsb(volatile uint64_t *at, uint64_t value)
{
	const uint64_t *from = &value;
	uint64_t n = 8;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
}

static void stosq(volatile uint64_t *at, uint64_t value)
{
	__asm__ volatile("stosq" : "+D"(at) : "a"(value) : "memory");
}

static void push(volatile uint64_t *at, uint64_t value)
{
	__asm__ volatile("mov %%rsp, %%rbx; lea 8(%0), %%rsp; push %1; mov %%rbx, %%rsp"
			 :
			 : "r"(at), "r"(value)
			 : "rbx", "memory");
}

/* Another address of the page, in other tables of L1's. */
static void by_alias(volatile uint64_t *at, uint64_t value)
{
	uint64_t *own = table_identity();
	uint64_t page = (uint64_t)at & ~(uint64_t)(PAGE_SIZE - 1), old = read_cr3();

	table_map(own, TEST_VA, page, PTE_P | PTE_W);
	write_cr3((uint64_t)own);
	mov8((volatile uint64_t *)(TEST_VA + ((uint64_t)at - page)), value);
	write_cr3(old);
}

const struct store stores[] = {
	{"mov of 8 bytes", mov8},
	{"4 bytes", mov4},
	{"2 bytes", mov2},
	{"1 byte", mov1},
	{"unaligned", unaligned},
	{"movnti", movnti},
	{"xchg", xchg},
	{"lock cmpxchg", cmpxchg},
	{"lock cmpxchg16b", cmpxchg16b},
	{"lock xadd", xadd},
	{"add", add},
	{"lock btc", bit_by_bit},
	{"rep movsq", movsq},
	{"rep movsb", movsb},
	{"stosq", stosq},
	{"push", push},
	{"another mapping", by_alias},
};
const unsigned stores_count = ARRAY_SIZE(stores);

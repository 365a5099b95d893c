/* SPDX-License-Identifier: Apache-2.0 */
#include "ept/mtrr.h"

#define MSR_MTRR_DEF_TYPE 0x2ffu
#define CAP_COUNT 0xffu
#define CAP_FIXED ((uint64_t)1 << 8)
#define CAP_WC ((uint64_t)1 << 10)
#define DEF_FIXED ((uint64_t)1 << 10)
#define DEF_ENABLE ((uint64_t)1 << 11)
#define MASK_VALID ((uint64_t)1 << 11)
#define TYPE_BITS 0xffu
#define FIXED_TOP MIB

static const uint16_t fixed_msr[MTRR_FIXED] = {
	0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f,
};

static bool is_type(uint64_t type)
{
	return type == MEM_UC || type == MEM_WC || (type >= MEM_WT && type <= MEM_WB);
}

/* A register's byte as a type; what is none is the strictest. */
static enum mem_type as_type(uint64_t value)
{
	return is_type(value & TYPE_BITS) ? (enum mem_type)(value & TYPE_BITS) : MEM_UC;
}

static unsigned int variable_count(const struct mtrr *m)
{
	uint64_t n = m->cap & CAP_COUNT;

	return n < MTRR_VARIABLE_MAX ? n : MTRR_VARIABLE_MAX;
}

uint64_t *mtrr_register(struct mtrr *m, uint32_t msr)
{
	uint32_t i = msr - MSR_MTRR_VARIABLE;

	if (msr == MSR_MTRR_DEF_TYPE)
		return &m->def_type;
	if (i < 2 * variable_count(m))
		return i % 2 ? &m->variable[i / 2].mask : &m->variable[i / 2].base;
	for (i = 0; (m->cap & CAP_FIXED) && i < MTRR_FIXED; i++)
		if (fixed_msr[i] == msr)
			return &m->fixed[i];
	return NULL;
}

void mtrr_read(struct mtrr *m, uint64_t (*rdmsr)(uint32_t msr), uint8_t phys_bits)
{
	*m = (struct mtrr){.cap = rdmsr(MSR_MTRR_CAP), .phys_bits = phys_bits};
	for (uint32_t msr = MSR_MTRR_VARIABLE; msr < MSR_MTRR_END; msr++) {
		uint64_t *at = mtrr_register(m, msr);

		if (at)
			*at = rdmsr(msr);
	}
}

static uint64_t address_bits(const struct mtrr *m)
{
	return (((uint64_t)1 << m->phys_bits) - 1) & PAGE_MASK;
}

static bool may_write(const struct mtrr *m, uint32_t msr, uint64_t value)
{
	unsigned int types = 1;
	uint64_t reserved = ~(uint64_t)TYPE_BITS;

	if (msr == MSR_MTRR_DEF_TYPE) {
		reserved &= ~(DEF_ENABLE | DEF_FIXED);
	} else if (msr >= fixed_msr[0]) {
		reserved = 0;
		types = 8;
	} else if (msr % 2) {
		return !(value & ~(address_bits(m) | MASK_VALID));
	} else {
		reserved &= ~address_bits(m);
	}
	for (unsigned int i = 0; i < types; i++) {
		uint64_t type = value >> 8 * i & TYPE_BITS;

		if (!is_type(type) || (type == MEM_WC && !(m->cap & CAP_WC)))
			return false;
	}
	return !(value & reserved);
}

int mtrr_write(struct mtrr *m, uint32_t msr, uint64_t value)
{
	uint64_t *at = mtrr_register(m, msr);

	if (!at)
		return ERR_NOENT;
	if (!may_write(m, msr, value))
		return ERR_INVAL;
	*at = value;
	return 0;
}

/* What ranges that overlap amount to (SDM vol. 3, 12.11.4.1); other mixtures are undefined. */
static enum mem_type both(enum mem_type a, enum mem_type b)
{
	if (a == b)
		return a;
	return (a == MEM_WT && b == MEM_WB) || (a == MEM_WB && b == MEM_WT) ? MEM_WT : MEM_UC;
}

/* Of a page below 1 MiB. */
static enum mem_type fixed_type(const struct mtrr *m, uint64_t hpa)
{
	if (hpa < 0x80000)
		return as_type(m->fixed[0] >> 8 * (hpa >> 16));
	if (hpa < 0xc0000)
		return as_type(m->fixed[1 + (hpa >> 17 & 1)] >> 8 * (hpa >> 14 & 7));
	return as_type(m->fixed[3 + (hpa >> 15 & 7)] >> 8 * (hpa >> 12 & 7));
}

/*
 * A range is matched by all, some or none of [hpa, hpa + len): the bits of its mask below len tell
 * some from all. Ranges that some match leave the type alone if it stays what it is with each.
 */
static enum mem_type variable_type(const struct mtrr *m, uint64_t hpa, uint64_t len, bool *uniform)
{
	bool in_some[MEM_WB + 1] = {false};
	bool matched = false;
	enum mem_type type = as_type(m->def_type);

	for (unsigned int i = 0; i < variable_count(m); i++) {
		uint64_t mask = m->variable[i].mask & address_bits(m);
		enum mem_type its = as_type(m->variable[i].base);

		if (!(m->variable[i].mask & MASK_VALID) ||
		    ((m->variable[i].base ^ hpa) & mask & ~(len - 1)))
			continue;
		if (mask & (len - 1)) {
			in_some[its] = true;
		} else {
			type = matched ? both(type, its) : its;
			matched = true;
		}
	}
	*uniform = true;
	for (unsigned int t = 0; t <= MEM_WB; t++)
		if (in_some[t] && (matched ? both(type, t) : t) != type)
			*uniform = false;
	return type;
}

enum mem_type mtrr_type(const struct mtrr *m, hpa_t hpa, uint64_t len, bool *uniform)
{
	bool fixed = (m->def_type & DEF_FIXED) && (m->cap & CAP_FIXED) && hpa.a < FIXED_TOP;
	uint64_t end = hpa.a + len < FIXED_TOP ? hpa.a + len : FIXED_TOP;
	enum mem_type type;

	ASSERT(len >= PAGE_SIZE && !(len & (len - 1)) && !(hpa.a & (len - 1)));
	*uniform = true;
	if (!(m->def_type & DEF_ENABLE))
		return MEM_UC;
	if (fixed && end == hpa.a + len)
		type = fixed_type(m, hpa.a);
	else
		type = variable_type(m, hpa.a, len, uniform);
	for (uint64_t at = hpa.a; fixed && at < end; at += PAGE_SIZE)
		*uniform &= fixed_type(m, at) == type;
	return *uniform ? type : MEM_UC;
}

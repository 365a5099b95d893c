/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/permit.h"

#include "ept/phys.h"
#include "monitor/lib.h"

void permit_reset(struct permit_map *m)
{
	memset(m->bits, 0xff, m->size);
	m->count = 0;
}

bool permit_l1_allows(const struct permit_map *m, uint16_t byte, uint8_t mask)
{
	const uint8_t *l1;

	if (m->l1_closed || byte >= m->size)
		return false;
	if (m->l1_open)
		return true;
	l1 = phys_host(HPA(m->l1[byte / PAGE_SIZE].a + page_offset(byte)), 1);
	return l1 && !(__atomic_load_n(l1, __ATOMIC_RELAXED) & mask);
}

void permit_sync(struct permit_map *m)
{
	for (unsigned int i = 0; i < m->count;) {
		struct permit_open *o = &m->open[i];

		if (permit_l1_allows(m, o->byte, o->mask)) {
			i++;
			continue;
		}
		m->bits[o->byte] |= o->mask;
		*o = m->open[--m->count];
	}
}

void permit_open(struct permit_map *m, uint16_t byte, uint8_t mask)
{
	ASSERT(byte < m->size);
	if (m->count == PERMIT_OPEN_MAX)
		for (; m->count; m->count--)
			m->bits[m->open[m->count - 1].byte] |= m->open[m->count - 1].mask;
	m->open[m->count++] = (struct permit_open){byte, mask};
	m->bits[byte] &= (uint8_t)~mask;
}

bool permit_port(struct permit_map *m, uint16_t port, unsigned int size)
{
	uint32_t mask = ((1u << size) - 1) << port % 8;
	uint16_t byte = port / 8, next = (uint16_t)(byte + 1);

	if (!permit_l1_allows(m, byte, (uint8_t)mask) ||
	    (mask >> 8 && !permit_l1_allows(m, next, (uint8_t)(mask >> 8))))
		return false;
	permit_open(m, byte, (uint8_t)mask);
	if (mask >> 8)
		permit_open(m, next, (uint8_t)(mask >> 8));
	return true;
}

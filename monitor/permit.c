/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/permit.h"

#include "ept/phys.h"
#include "monitor/lib.h"
#include "monitor/port.h"

void permit_reset(struct permit_map *m)
{
	memset(m->bits, 0xff, m->size);
	m->count = 0;
}

static bool allows(const uint8_t *page, uint16_t byte, uint8_t mask)
{
	return page && !(__atomic_load_n(&page[page_offset(byte)], __ATOMIC_RELAXED) & mask);
}

bool permit_l1_allows(const struct permit_map *m, uint16_t byte, uint8_t mask)
{
	if (m->l1_closed || byte >= m->size)
		return false;
	return m->l1_open || allows(phys_host(m->l1[byte / PAGE_SIZE], PAGE_SIZE), byte, mask);
}

void permit_sync(struct permit_map *m)
{
	const uint8_t *page[PERMIT_PAGES] = {NULL};

	if (!m->count || m->l1_open)
		return;
	for (unsigned int i = 0; i < m->size / PAGE_SIZE && !m->l1_closed; i++)
		page[i] = phys_host(m->l1[i], PAGE_SIZE);
	for (unsigned int i = 0; i < m->count;) {
		struct permit_open *o = &m->open[i];

		if (allows(page[o->byte / PAGE_SIZE], o->byte, o->mask)) {
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

bool permit_pass(struct permit_map *m, uint16_t byte, uint8_t mask, bool may_open, bool *opened)
{
	bool allowed = permit_l1_allows(m, byte, mask);

	*opened = allowed && may_open;
	if (*opened)
		permit_open(m, byte, mask);
	return allowed;
}

bool permit_port(struct permit_map *m, bool isolated, uint16_t port, unsigned int size)
{
	uint32_t mask = ((1u << size) - 1) << port % 8;
	uint16_t byte = port / 8, next = (uint16_t)(byte + 1);

	if (isolated && (size != 1 || (port != 0x80 && port != 0xed)))
		return false;
	if (port_exits(port, size) || !permit_l1_allows(m, byte, (uint8_t)mask) ||
	    (mask >> 8 && !permit_l1_allows(m, next, (uint8_t)(mask >> 8))))
		return false;
	permit_open(m, byte, (uint8_t)mask);
	if (mask >> 8)
		permit_open(m, next, (uint8_t)(mask >> 8));
	return true;
}

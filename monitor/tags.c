/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/tags.h"

void tags_init(struct tag_pool *p, uint32_t first, uint32_t limit)
{
	ASSERT(first < limit);
	*p = (struct tag_pool){1, first, first, limit, true};
}

void tags_forget(struct tag_pool *p)
{
	p->generation++;
}

void tags_assign(struct tag_pool *p, struct tag *t, unsigned int cpu, uint32_t l1, bool fresh)
{
	if (!fresh && t->cpu == cpu && t->generation == p->generation && t->l1 == l1)
		return;
	if (p->next == p->limit) {
		tags_forget(p);
		p->next = p->first;
		p->flush = true;
	}
	*t = (struct tag){cpu, p->generation, p->next++, l1};
}

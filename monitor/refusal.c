/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/refusal.h"

#include <stdbool.h>

#include "ept/base.h"
#include "ept/lock.h"
#include "monitor/log.h"

#define LOGGED_MAX 64

static struct {
	struct lock lock;
	unsigned int logged;
	uint64_t what[LOGGED_MAX];
	struct {
		uint64_t count, last;
	} of[REFUSAL_COUNT];
} refused;

static const char *const text[] = {
#define X(name, text) text,
	REFUSALS(X)
#undef X
};

static bool is_new(uint64_t what)
{
	for (unsigned int i = 0; i < refused.logged; i++)
		if (refused.what[i] == what)
			return false;
	if (refused.logged == LOGGED_MAX)
		return false;
	refused.what[refused.logged++] = what;
	return true;
}

void refusal_note(enum refusal why, uint64_t what, uint64_t value)
{
	bool log;

	lock_take(&refused.lock);
	refused.of[why].count++;
	refused.of[why].last = what;
	log = is_new(what);
	lock_drop(&refused.lock);
	if (log)
		log_provoked("refused: writing %lx to %lx (%s)", value, what, text[why]);
}

uint64_t refusal_count(enum refusal why, uint64_t *last)
{
	uint64_t count;

	lock_take(&refused.lock);
	count = refused.of[why].count;
	*last = refused.of[why].last;
	lock_drop(&refused.lock);
	return count;
}

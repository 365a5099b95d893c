/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of the measurements while L1 runs. */
#include "attest/eventlog.h"
#include "monitor/hypercall.h"
#include "monitor/lib.h"
#include "monitor/measure.h"

static struct eventlog events, txt_events;
static bool complete;

struct eventlog *measure_events(void)
{
	return &events;
}

struct eventlog *measure_txt_events(void)
{
	return &txt_events;
}

void measure_complete(void)
{
	complete = true;
}

bool measure_done(void)
{
	return complete;
}

int64_t measure_log(void *to, uint64_t offset, uint32_t n, uint64_t *size)
{
	const struct eventlog *log = offset & EVENTLOG_TXT ? &txt_events : &events;

	offset &= ~EVENTLOG_TXT;
	*size = log->used;
	if (!*size)
		return ERR_NOENT;
	if (offset > *size)
		return ERR_INVAL;
	n = n < *size - offset ? n : (uint32_t)(*size - offset);
	memcpy(to, log->bytes + offset, n);
	return n;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/source.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ept/base.h"
#include "monitor/ctl/ask.h"
#include "monitor/hypercall.h"

#define PAGE 4096u

/* The monitor reads and writes where it is told, and takes no page faults: pages that are there. */
static _Alignas(4096) uint8_t buffer[(EVIDENCE_MAX + PAGE - 1) / PAGE * PAGE];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool there;

bool source_start(void)
{
	struct monitor_version version;

	there = ask_version(&version) == 0;
	mlock(buffer, sizeof(buffer)); /* or not: it is written to before each use */
	return there;
}

bool source_is_there(void)
{
	return there;
}

long source_evidence(const uint8_t nonce[EVIDENCE_NONCE], uint8_t out[EVIDENCE_MAX])
{
	uint64_t bytes;
	long err;

	if (!there)
		return ERR_NOSYS;
	pthread_mutex_lock(&lock);
	memset(buffer, 0, sizeof(buffer));
	memcpy(buffer, nonce, EVIDENCE_NONCE);
	err = ask_evidence(buffer, sizeof(buffer), &bytes);
	if (!err && bytes > EVIDENCE_MAX)
		err = ERR_2BIG;
	if (!err)
		memcpy(out, buffer, bytes);
	pthread_mutex_unlock(&lock);
	return err ? err : (long)bytes;
}

/* With the lock. Bytes in all, or a negative error; what is there of them goes to out. */
static long read_log(uint64_t which, uint8_t *out, size_t max)
{
	struct monitor_eventlog log = {.size = 1};

	for (uint64_t done = 0; done < log.size && done < max;) {
		size_t bytes;
		int err;

		memset(buffer, 0, PAGE);
		err = ask_eventlog(buffer, which | done, &log);
		if (err)
			return err;
		if (log.size > SOURCE_LOG_MAX || (log.copied == 0 && done < log.size))
			return ERR_2BIG;
		bytes = log.copied < max - done ? log.copied : max - done;
		memcpy(out + done, buffer, bytes);
		done += bytes;
	}
	return (long)log.size;
}

uint8_t *source_log(bool txt, long *bytes)
{
	uint64_t which = txt ? EVENTLOG_TXT : 0;
	uint8_t *out = NULL, first[1];

	*bytes = ERR_NOSYS;
	if (!there)
		return NULL;
	pthread_mutex_lock(&lock);
	*bytes = read_log(which, first, 1);
	if (*bytes >= 0) {
		size_t max = (size_t)*bytes;

		out = malloc(max + 1);
		*bytes = out ? read_log(which, out, max) : ERR_NOMEM;
		if (*bytes > (long)max)
			*bytes = ERR_BUSY;
	}
	pthread_mutex_unlock(&lock);
	if (*bytes < 0) {
		free(out);
		out = NULL;
	}
	return out;
}

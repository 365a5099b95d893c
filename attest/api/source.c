/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/source.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ept/base.h"
#include "monitor/ctl/ask.h"

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
static long read_log(uint8_t *out, size_t max)
{
	uint64_t total = 1;

	for (uint64_t done = 0; done < total && done < max;) {
		struct monitor_eventlog log;
		uint64_t bytes;
		int err;

		memset(buffer, 0, PAGE);
		err = ask_eventlog(buffer, done, &log);
		if (err)
			return err;
		total = log.size;
		bytes = log.copied;
		if (total > SOURCE_LOG_MAX || bytes > PAGE || (bytes == 0 && done < total))
			return ERR_2BIG;
		bytes = bytes < max - done ? bytes : max - done;
		memcpy(out + done, buffer, bytes);
		done += bytes;
	}
	return (long)total;
}

uint8_t *source_log(long *bytes)
{
	uint8_t *out = NULL, first[1];

	*bytes = ERR_NOSYS;
	if (!there)
		return NULL;
	pthread_mutex_lock(&lock);
	*bytes = read_log(first, 1);
	if (*bytes >= 0) {
		size_t max = (size_t)*bytes;

		out = malloc(max + 1);
		*bytes = out ? read_log(out, max) : ERR_NOMEM;
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

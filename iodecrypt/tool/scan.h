/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a whole image, verifies and decrypts it, chunk by chunk. */
#ifndef IODECRYPT_TOOL_SCAN_H
#define IODECRYPT_TOOL_SCAN_H

#include "iodecrypt/tool/damage.h"
#include "iodecrypt/tool/image.h"
#include "iodecrypt/tool/pool.h"
#include "iodecrypt/tool/tree.h"

struct scan {
	struct pool pool;
	const struct image *img;
	bool every; /* also chunks that were never written; and chunks have turns (pool_turn()) */
	/*
	 * What is done with the plaintext; any thread. Sectors that are HAVE_NOT or HAVE_LOST are zeros. NULL: only
	 * verified. A status.
	 */
	int (*use)(struct scan *s, struct chunk *c);
	void *arg; /* of use */

	struct tree tree;
	struct damage damage;
	uint64_t written; /* sectors that have been and verify */
	uint64_t at;      /* leaf up to which chunks are taken */
};

/*
 * img, every, use and arg are set. A status: only of what ended the scan, of which damage is none; that is in
 * s->damage. To be ended by scan_end() in any case.
 */
int scan_run(struct scan *s, const struct options *o);
void scan_end(struct scan *s);

#endif

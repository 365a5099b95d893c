/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that make new images of nothing, or of plaintext. */
#include <stdlib.h>
#include <string.h>

#include "iodecrypt/tool/build.h"
#include "iodecrypt/tool/progress.h"
#include "iodecrypt/tool/source.h"

int cmd_create(const struct options *o, char **args)
{
	struct build b = {0};
	uint64_t bytes;
	int status;

	if (!o->size)
		return fail(STATUS_USAGE, "how large is the disk (--size)?");
	status = source_size(o->size, &bytes);
	if (!status)
		status = build_start(&b, o, o->key, bytes / DISK_SECTOR, args);
	if (!status)
		status = build_finish(&b, o);
	build_end(&b);
	return status;
}

struct encrypt {
	struct pool pool;
	struct source source;
	struct build build;
};

static int take(struct pool *p, struct chunk *c)
{
	struct encrypt *e = (struct encrypt *)(void *)p;

	return source_take(&e->source, c);
}

static int work(struct pool *p, struct chunk *c)
{
	struct encrypt *e = (struct encrypt *)(void *)p;
	int status = source_read(&e->source, c);

	if (!status)
		status = build_chunk(&e->build, c);
	progress_add((uint64_t)c->sectors * DISK_SECTOR);
	return status;
}

int cmd_encrypt(const struct options *o, char **args)
{
	struct encrypt e = {.pool = {.take = take, .work = work}};
	int status;

	if (!strcmp(args[0], "-") && !strcmp(o->key, "-"))
		return fail(STATUS_USAGE, "both key and plaintext from standard input");
	status = source_open(&e.source, o, args[0]);
	if (!status)
		status = build_start(&e.build, o, o->key,
				     (e.source.bytes + DISK_SECTOR - 1) / DISK_SECTOR, args + 1);
	if (!status) {
		progress_start(e.source.bytes, o->quiet);
		status = pool_run(&e.pool, o->threads);
		if (!status)
			status = source_end(&e.source);
		if (!status)
			status = build_finish(&e.build, o);
		progress_end(!status);
	}
	build_end(&e.build);
	source_close(&e.source);
	return status;
}

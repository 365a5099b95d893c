/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that need an image's plaintext. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "iodecrypt/tool/build.h"
#include "iodecrypt/tool/file.h"
#include "iodecrypt/tool/output.h"
#include "iodecrypt/tool/scan.h"

struct target {
	const char *path;
	int fd;
	bool salvage;
};

static int use_file(struct scan *s, struct chunk *c)
{
	const struct target *t = s->arg;
	uint32_t first = 0, n;

	for (; (n = chunk_run(c, HAVE_IT, &first)); first += n)
		if (file_pwrite(t->fd, c->data + (size_t)first * DISK_SECTOR,
				(size_t)n * DISK_SECTOR, (chunk_sector(c) + first) * DISK_SECTOR))
			return fail_file(t->path);
	return STATUS_OK;
}

/* Nothing comes out of a chunk that is damaged, nor after it. */
static int use_stream(struct scan *s, struct chunk *c)
{
	const struct target *t = s->arg;
	bool lost = s->damage.nodes || memchr(c->have, HAVE_LOST, c->sectors);
	int status = STATUS_OK;

	if (!pool_turn(&s->pool, c))
		return STATUS_ERROR;
	if (lost && !t->salvage)
		status = damage_report(&s->damage);
	else if (file_write(t->fd, c->data, (size_t)c->sectors * DISK_SECTOR))
		status = fail_file(t->path);
	if (!status)
		pool_turned(&s->pool);
	return status;
}

static int open_target(struct target *t, const struct options *o, uint64_t sectors, bool *stream)
{
	int status;

	*stream = !strcmp(t->path, "-");
	if (*stream) {
		t->fd = STDOUT_FILENO;
		return isatty(t->fd) ? fail(STATUS_USAGE, "the disk onto a terminal?") : STATUS_OK;
	}
	status = output_create(t->path, true, o->force, &t->fd);
	if (!status && ftruncate(t->fd, (off_t)(sectors * DISK_SECTOR)))
		status = fail_file(t->path);
	return status;
}

int cmd_decrypt(const struct options *o, char **args)
{
	struct target t = {.path = args[2], .salvage = o->salvage};
	struct image img;
	struct scan s = {.img = &img, .arg = &t};
	int status = image_open(&img, o, IMAGE_READ, args), damage;

	if (!status)
		status = open_target(&t, o, img.h.sectors, &s.every);
	if (!status) {
		s.use = s.every ? use_stream : use_file;
		status = scan_run(&s, o);
	}
	if (!status) {
		damage = damage_report(&s.damage);
		status = damage && !o->salvage ? damage : output_commit();
		status = status ? status : damage;
	}
	output_discard();
	scan_end(&s);
	image_close(&img);
	return status;
}

static int use_build(struct scan *s, struct chunk *c)
{
	return build_chunk(s->arg, c);
}

/* The new image is another one, with a uuid of its own: no receipt of the old fits it, and no host takes it for that. */
int cmd_rekey(const struct options *o, char **args)
{
	struct build b = {0};
	struct image img;
	struct scan s = {.img = &img, .use = use_build, .arg = &b};
	int status;

	if (!o->new_key)
		return fail(STATUS_USAGE, "the key of the new image (--new-key)?");
	status = image_open(&img, o, IMAGE_READ, args);
	if (!status)
		status = build_start(&b, o, o->new_key, img.h.sectors, args + 2);
	if (!status)
		status = scan_run(&s, o);
	if (!status)
		status = damage_report(&s.damage);
	if (!status)
		status = build_finish(&b, o);
	build_end(&b);
	scan_end(&s);
	image_close(&img);
	return status;
}

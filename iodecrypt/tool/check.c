/* SPDX-License-Identifier: Apache-2.0 */
/* The command that verifies an image. */
#include <inttypes.h>
#include <stdio.h>

#include "iodecrypt/tool/overlay.h"
#include "iodecrypt/tool/receipt.h"
#include "iodecrypt/tool/recovery.h"
#include "iodecrypt/tool/scan.h"

/* As it will be once it is recovered, in memory. */
static int recover_in_memory(struct image *img)
{
	struct disk_receipt receipt;
	int status;

	if (img->h.state == DISK_CLEAN) {
		say("the image was closed: its journal holds nothing");
		return STATUS_OK;
	}
	img->overlay = overlay_new();
	if (!img->overlay)
		return fail(STATUS_ERROR, "out of memory");
	status = recovery_run(img, &receipt);
	return status ? status : image_reread(img);
}

static void tell(const struct scan *s, const struct options *o)
{
	const struct image *img = s->img;
	char uuid[HEX_BYTES], root[HEX_BYTES];

	receipt_hex(img->h.uuid, uuid);
	receipt_hex(img->h.root, root);
	printf("%s: uuid=%s generation=%" PRIu64 " root=%s\n", img->overlay ? "recovered" : "image",
	       uuid, img->h.generation, root);
	printf("sectors: %" PRIu64 ", verified: %" PRIu64 ", never written: %" PRIu64
	       ", damaged: %" PRIu64 ", under damaged nodes: %" PRIu64 ", unreadable: %" PRIu64
	       "\n",
	       img->h.sectors, s->written,
	       img->h.sectors - s->written - s->damage.sectors[DAMAGE_SECTOR] -
		       s->damage.sectors[DAMAGE_NODE] - s->damage.sectors[DAMAGE_PINNED],
	       s->damage.sectors[DAMAGE_SECTOR], s->damage.sectors[DAMAGE_NODE],
	       s->damage.sectors[DAMAGE_PINNED]);
	printf("freshness: %s\n", !o->receipt ? "not checked (no --receipt)"
				  : img->h.generation == img->receipt.generation
					  ? "as in the receipt"
					  : "newer than the receipt");
}

int cmd_verify(const struct options *o, char **args)
{
	struct image img;
	struct scan s = {.img = &img};
	int status = image_open(&img, o, o->journal ? IMAGE_LOOK : IMAGE_READ, args);

	if (!status && o->journal)
		status = recover_in_memory(&img);
	if (!status)
		status = scan_run(&s, o);
	if (!status) {
		tell(&s, o);
		status = damage_report(&s.damage);
	}
	scan_end(&s);
	image_close(&img);
	return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/tool/image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "iodecrypt/tool/file.h"
#include "iodecrypt/tool/keyfile.h"
#include "iodecrypt/tool/overlay.h"
#include "iodecrypt/tool/receipt.h"

bool image_header_there(const uint8_t *header)
{
	return !memcmp(header, "NETHDISK", 8);
}

static int not_image(const char *path)
{
	return fail(STATUS_NOT_IMAGE, "%s is not the sidecar of an image", path);
}

static int read_headers(int fd, const char *path, uint8_t headers[IMAGE_HEADERS])
{
	memset(headers, 0, IMAGE_HEADERS);
	if (file_pread(fd, headers, IMAGE_HEADERS, 0) < 0)
		return fail_file(path);
	if (!image_header_there(headers) && !image_header_there(headers + DISK_HEADER_BYTES))
		return not_image(path);
	return STATUS_OK;
}

int image_headers(const char *path, uint8_t headers[IMAGE_HEADERS])
{
	int fd = file_open(path, O_RDONLY, STDIN_FILENO), status;

	if (fd < 0)
		return fail_file(path);
	status = read_headers(fd, path, headers);
	close(fd);
	return status;
}

/* Both have the same uuid, unless one is damaged: then the key id tells which. */
int image_keys(struct disk_keys *keys, const char *key, const char *sidecar,
	       const uint8_t headers[IMAGE_HEADERS])
{
	uint8_t master[DISK_MASTER_BYTES];
	int status = keyfile_read(key, master), err = ERR_INVAL;

	for (uint32_t i = 0; i < 2 && !status && err; i++) {
		const uint8_t *header = headers + i * DISK_HEADER_BYTES;
		struct disk_header h;
		struct crypto_hmac k;

		if (!image_header_there(header))
			continue;
		disk_keys_derive(keys, master, header + IMAGE_HEADER_UUID);
		disk_keys_hmac(&k, keys, "nethervisor disk v1 header");
		err = format_header_read(&h, &k, header, i, keys->uuid, keys->id);
		crypto_wipe(&k, sizeof(k));
	}
	crypto_wipe(master, sizeof(master));
	if (status || !err)
		return status;
	if (err == ERR_KEY)
		return fail(STATUS_KEY, "%s was made with another key than %s", sidecar, key);
	if (err == ERR_NOSYS)
		return fail(STATUS_NOT_IMAGE, "%s is of a version that is not known here", sidecar);
	return fail(STATUS_SIDECAR, "%s: its header does not verify", sidecar);
}

static int set_keys(struct image *img)
{
	if (crypto_xts_init(&img->xts, img->keys.xts))
		return fail(STATUS_ERROR, "XTS keys that are equal");
	disk_keys_hmac(&img->sector_key, &img->keys, "nethervisor disk v1 sector");
	disk_keys_hmac(&img->node_key, &img->keys, "nethervisor disk v1 node");
	disk_keys_hmac(&img->header_key, &img->keys, "nethervisor disk v1 header");
	disk_keys_hmac(&img->journal_key, &img->keys, "nethervisor disk v1 journal");
	return STATUS_OK;
}

/* As the engine chooses. */
static int choose_header(struct image *img, const uint8_t headers[IMAGE_HEADERS])
{
	bool found = false;

	for (uint32_t i = 0; i < 2; i++) {
		const uint8_t *header = headers + i * DISK_HEADER_BYTES;
		struct disk_header h;

		if (!image_header_there(header))
			continue;
		if (format_header_read(&h, &img->header_key, header, i, img->keys.uuid,
				       img->keys.id)) {
			say("header %u does not verify: half written, or damaged", i);
			continue;
		}
		if (!found || h.generation > img->h.generation)
			img->h = h;
		found = true;
	}
	return found ? STATUS_OK
		     : fail(STATUS_SIDECAR, "%s: no header verifies", img->sidecar_path);
}

int image_reread(struct image *img)
{
	uint8_t headers[IMAGE_HEADERS];

	if (image_read(img, headers, sizeof(headers), 0))
		return fail_file(img->sidecar_path);
	return choose_header(img, headers);
}

static int check_size(struct image *img)
{
	uint64_t bytes, need = img->h.sectors * DISK_SECTOR;

	if (file_size(img->data, &bytes))
		return fail_file(img->data_path);
	if (bytes < need)
		return fail(STATUS_TRUNCATED, "%s is truncated: %" PRIu64 " bytes of %" PRIu64,
			    img->data_path, bytes, need);
	need = format_sidecar_bytes(&img->h);
	if (img->sidecar_bytes < need)
		return fail(STATUS_TRUNCATED, "%s is truncated: %" PRIu64 " bytes of %" PRIu64,
			    img->sidecar_path, img->sidecar_bytes, need);
	return STATUS_OK;
}

static int check_receipt(const struct image *img, bool newer)
{
	const struct disk_receipt *r = &img->receipt;

	if (!img->receipt_known)
		return STATUS_OK;
	if (memcmp(r->uuid, img->h.uuid, sizeof(r->uuid)) != 0)
		return fail(STATUS_OTHER_IMAGE, "the receipt is of another image");
	if (img->h.generation < r->generation)
		return fail(STATUS_STALE,
			    "the image is of generation %" PRIu64
			    ", older than its receipt's %" PRIu64,
			    img->h.generation, r->generation);
	if (img->h.generation == r->generation &&
	    memcmp(r->root, img->h.root, sizeof(r->root)) != 0)
		return fail(STATUS_STALE, "the image is not the one of its receipt, but a fork");
	if (img->h.generation > r->generation && !newer)
		return fail(STATUS_UNCLEAN,
			    "the image is of generation %" PRIu64
			    ", newer than its receipt's %" PRIu64 " (--newer accepts that)",
			    img->h.generation, r->generation);
	return STATUS_OK;
}

static int open_one(const char *path, enum image_mode mode, bool change, int *fd)
{
	*fd = file_open(path, change ? O_RDWR : O_RDONLY, STDIN_FILENO);
	if (*fd < 0)
		return fail_file(path);
	if (flock(*fd, (mode == IMAGE_CHANGE ? LOCK_EX : LOCK_SH) | LOCK_NB))
		return errno == EWOULDBLOCK ? fail(STATUS_IN_USE, "%s is in use", path)
					    : fail_file(path);
	return STATUS_OK;
}

static int open_files(struct image *img, enum image_mode mode)
{
	int status = open_one(img->sidecar_path, mode, mode == IMAGE_CHANGE, &img->sidecar);

	if (!status && file_size(img->sidecar, &img->sidecar_bytes))
		status = fail_file(img->sidecar_path);
	return status ? status : open_one(img->data_path, mode, false, &img->data);
}

int image_open(struct image *img, const struct options *o, enum image_mode mode, char **paths)
{
	uint8_t headers[IMAGE_HEADERS];
	int status;

	*img = (struct image){.data_path = paths[0],
			      .sidecar_path = paths[1],
			      .data = -1,
			      .sidecar = -1};
	status = open_files(img, mode);
	if (!status)
		status = read_headers(img->sidecar, img->sidecar_path, headers);
	if (!status && o->receipt) {
		status = receipt_read(o->receipt, &img->receipt);
		img->receipt_known = true;
	}
	if (!status)
		status = image_keys(&img->keys, o->key, img->sidecar_path, headers);
	if (!status)
		status = set_keys(img);
	if (!status)
		status = choose_header(img, headers);
	if (!status)
		status = check_size(img);
	if (!status)
		status = check_receipt(img, o->newer || mode != IMAGE_READ);
	if (!status && mode == IMAGE_READ && img->h.state != DISK_CLEAN)
		status = fail(STATUS_UNCLEAN,
			      "the image was not closed: it is in use, or `nether-image recover` "
			      "has to settle what was under way");
	return status;
}

void image_close(struct image *img)
{
	if (img->data >= 0)
		close(img->data);
	if (img->sidecar >= 0)
		close(img->sidecar);
	overlay_free(img->overlay);
	crypto_wipe(img, sizeof(*img));
}

int image_read(const struct image *img, void *buf, size_t n, uint64_t offset)
{
	ssize_t got = file_pread(img->sidecar, buf, n, offset);

	if (got < 0)
		return -1;
	memset((uint8_t *)buf + got, 0, n - (size_t)got);
	if (img->overlay)
		overlay_read(img->overlay, buf, n, offset);
	return 0;
}

int image_write(struct image *img, const void *buf, size_t n, uint64_t offset)
{
	return img->overlay ? overlay_write(img->overlay, buf, n, offset)
			    : file_pwrite(img->sidecar, buf, n, offset);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: the first page of a mailbox, cut short as it may be, with the right magic and version unless the first byte says
 * otherwise. Whatever is in it: a list is answered, done only if each request of it is in bounds, and nothing is changed beside
 * the answer and what READs are for; a page behind the mailbox faults. The data file keeps its size.
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/netherd/serve.h"
#include "attest/netherd/tpm.h"

#define IMAGE_BYTES 100000u
#define BYTES (MAILBOX_PAGES * 4096u)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct serve_disk disk = {.name = "fuzz"};
static uint8_t before[BYTES];

#define CHECK(x)                          \
	do {                              \
		if (!(x))                 \
			__builtin_trap(); \
	} while (0)

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	disk.file[MAILBOX_SIDECAR] = (struct serve_file){memfd_create("sidecar", 0), 1 << 20};
	disk.file[MAILBOX_IMAGE] = (struct serve_file){memfd_create("image", 0), IMAGE_BYTES};
	CHECK(!ftruncate(disk.file[MAILBOX_IMAGE].fd, IMAGE_BYTES));
	disk.tpm = -1;
	tpm_device = ""; /* none */
	disk.mailbox = mmap(NULL, BYTES + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	CHECK(disk.mailbox != MAP_FAILED);
	CHECK(!mprotect((char *)disk.mailbox + BYTES, 4096, PROT_NONE));
	return 0;
}

static bool in_bounds(const struct mailbox_request *r)
{
	unsigned __int128 end = (unsigned __int128)r->offset + r->bytes;
	uint64_t at_end = (uint64_t)r->at + r->bytes;

	if (r->op > MAILBOX_SYNC || r->file > MAILBOX_IMAGE || r->zero || r->zero2)
		return false;
	if (r->op == MAILBOX_SYNC)
		return true;
	return at_end <= MAILBOX_DATA &&
	       end <= (r->op == MAILBOX_READ ? SERVE_OFFSET_MAX : disk.file[r->file].bytes);
}

/* Whether the list is to be done whole. */
static bool is_good(const struct mailbox *box)
{
	if (box->magic != MAILBOX_MAGIC || box->version != MAILBOX_VERSION ||
	    box->count > MAILBOX_REQUESTS)
		return false;
	for (uint32_t i = 0; i < box->count; i++) {
		if (!in_bounds(&box->request[i]))
			return false;
	}
	return true;
}

/* Makes equal what was to be changed: the answer, and what READs are for, up to the first bad request. */
static void allow(const struct mailbox *box)
{
	uint8_t *after = disk.mailbox;
	uint32_t n = box->count <= MAILBOX_REQUESTS ? box->count : 0;

	memcpy(before + offsetof(struct mailbox, status), &box->status, 8);
	for (uint32_t i = 0; i < n && in_bounds(&box->request[i]); i++) {
		const struct mailbox_request *r = &box->request[i];

		if (r->op == MAILBOX_READ)
			memcpy(before + 4096 + r->at, after + 4096 + r->at, r->bytes);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mailbox *box = disk.mailbox;
	struct stat st;
	bool good, any;

	if (size == 0)
		return 0;
	memset(box, 0, 4096);
	memcpy(box, data + 1, size - 1 < sizeof(*box) ? size - 1 : sizeof(*box));
	if (data[0] != 0xff) {
		box->magic = MAILBOX_MAGIC;
		box->version = MAILBOX_VERSION;
	}
	memcpy(before, box, BYTES);
	good = is_good(box);
	any = box->sequence != box->answered;
	CHECK(serve_list(&disk) == any);
	CHECK(!any || good == (box->status == 0));
	CHECK(box->status <= 0 || !any);
	CHECK(box->answered == box->sequence);
	allow(box);
	CHECK(!memcmp(before, box, BYTES));
	CHECK(!fstat(disk.file[MAILBOX_IMAGE].fd, &st) && st.st_size == IMAGE_BYTES);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* attest/netherd/serve.h: lists as the monitor writes them, and as nobody should. */
#include "tests/unit/test_netherd.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include "attest/netherd/process.h"
#include "attest/netherd/serve.h"
#include "attest/netherd/tpm.h"

#define IMAGE_BYTES 65536u

ssize_t __real_pread(int fd, void *to, size_t n, off_t offset);
ssize_t __real_pwrite(int fd, const void *from, size_t n, off_t offset);
ssize_t __wrap_pread(int fd, void *to, size_t n, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *from, size_t n, off_t offset);

static size_t piece; /* most that a call moves, if not 0; each second one is interrupted */
static unsigned int calls;

static bool interrupted(void)
{
	if (piece && calls++ % 2) {
		errno = EINTR;
		return true;
	}
	return false;
}

ssize_t __wrap_pread(int fd, void *to, size_t n, off_t offset)
{
	if (interrupted())
		return -1;
	return __real_pread(fd, to, piece && n > piece ? piece : n, offset);
}

ssize_t __wrap_pwrite(int fd, const void *from, size_t n, off_t offset)
{
	if (interrupted())
		return -1;
	return __real_pwrite(fd, from, piece && n > piece ? piece : n, offset);
}

static struct mailbox *box;
static uint8_t *data; /* the mailbox's */
static struct serve_disk disk;
static uint8_t want[MAILBOX_DATA], got[MAILBOX_DATA];

static int setup(void **state)
{
	static const uint8_t image[IMAGE_BYTES] = {0x11, 0x22};

	if (make_test_dir(state))
		return -1;
	put_file("image", image, sizeof(image));
	put_file("sidecar", "0123456789", 10);
	disk = (struct serve_disk){.name = "hda", .tpm = -1};
	tpm_device = "tpm";
	disk.file[MAILBOX_SIDECAR] = (struct serve_file){open("sidecar", O_RDWR), SERVE_OFFSET_MAX};
	disk.file[MAILBOX_IMAGE] = (struct serve_file){open("image", O_RDWR), IMAGE_BYTES};
	/* The page behind it faults. */
	disk.mailbox = mmap(NULL, (MAILBOX_PAGES + 1) * 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (disk.mailbox == MAP_FAILED ||
	    mprotect((char *)disk.mailbox + MAILBOX_PAGES * 4096, 4096, PROT_NONE))
		return -1;
	box = disk.mailbox;
	data = (uint8_t *)disk.mailbox + 4096;
	box->magic = MAILBOX_MAGIC;
	box->version = MAILBOX_VERSION;
	for (size_t i = 0; i < sizeof(want); i++)
		want[i] = (uint8_t)(i * 7 + 1);
	return 0;
}

static int teardown(void **state)
{
	munmap(disk.mailbox, (MAILBOX_PAGES + 1) * 4096);
	close(disk.file[0].fd);
	close(disk.file[1].fd);
	return remove_test_dir(state);
}

static int answer(void)
{
	box->sequence++;
	box->status = 1234;
	assert_true(serve_list(&disk));
	assert_int_equal(box->answered, box->sequence);
	assert_false(serve_list(&disk));
	return box->status;
}

static int one(struct mailbox_request r)
{
	box->count = 1;
	box->request[0] = r;
	return answer();
}

static struct mailbox_request request(int op, int file, uint32_t bytes, uint64_t offset,
				      uint32_t at)
{
	return (struct mailbox_request){.op = (uint8_t)op,
					.file = (uint8_t)file,
					.bytes = bytes,
					.offset = offset,
					.at = at};
}

static void reads_and_writes(void **state)
{
	memcpy(data + 512, want, 5000);
	assert_int_equal(one(request(MAILBOX_WRITE, MAILBOX_SIDECAR, 5000, 4096, 512)), 0);
	assert_int_equal(one(request(MAILBOX_SYNC, MAILBOX_SIDECAR, 0, 0, 0)), 0);
	assert_int_equal(pread(disk.file[MAILBOX_SIDECAR].fd, got, 9000, 4096), 5000);
	assert_memory_equal(got, want, 5000);
	memset(data, 0xee, MAILBOX_DATA);
	assert_int_equal(one(request(MAILBOX_READ, MAILBOX_SIDECAR, 100, 4096 + 200, 7)), 0);
	assert_memory_equal(data + 7, want + 200, 100);
	assert_int_equal(data[6], 0xee);
	assert_int_equal(data[107], 0xee);
	/* The other file. */
	assert_int_equal(one(request(MAILBOX_READ, MAILBOX_IMAGE, 2, 0, 0)), 0);
	assert_int_equal(data[0], 0x11);
	assert_int_equal(data[1], 0x22);
	memcpy(data, want, MAILBOX_DATA);
	assert_int_equal(one(request(MAILBOX_WRITE, MAILBOX_SIDECAR, MAILBOX_DATA, 1, 0)), 0);
	assert_int_equal(pread(disk.file[MAILBOX_SIDECAR].fd, got, MAILBOX_DATA, 1), MAILBOX_DATA);
	assert_memory_equal(got, want, MAILBOX_DATA);
}

static void reads_zeros_beyond_the_end(void **state)
{
	memset(data, 0xee, MAILBOX_DATA);
	assert_int_equal(one(request(MAILBOX_READ, MAILBOX_SIDECAR, 4096, 4, 0)), 0);
	assert_memory_equal(data, "456789\0\0\0", 9);
	assert_int_equal(data[4095], 0);
	assert_int_equal(data[4096], 0xee);
	memset(data, 0xee, 4096);
	assert_int_equal(one(request(MAILBOX_READ, MAILBOX_IMAGE, 512, IMAGE_BYTES, 0)), 0);
	assert_int_equal(data[0] | data[511], 0);
	assert_int_equal(one(request(MAILBOX_READ, MAILBOX_SIDECAR, 1, SERVE_OFFSET_MAX - 1, 0)),
			 0);
	assert_int_equal(one(request(MAILBOX_READ, MAILBOX_SIDECAR, 2, SERVE_OFFSET_MAX - 1, 0)),
			 -EINVAL);
}

static void in_pieces(void **state)
{
	memcpy(data, want, 5000);
	piece = 700;
	assert_int_equal(one(request(MAILBOX_WRITE, MAILBOX_SIDECAR, 5000, 300, 0)), 0);
	memset(data, 0xee, 8192);
	assert_int_equal(one(request(MAILBOX_READ, MAILBOX_SIDECAR, 6000, 300, 100)), 0);
	piece = 0;
	assert_int_equal(pread(disk.file[MAILBOX_SIDECAR].fd, got, 9000, 300), 5000);
	assert_memory_equal(got, want, 5000);
	assert_memory_equal(data + 100, want, 5000);
	assert_int_equal(data[5100] | data[6099], 0);
	assert_int_equal(data[6100], 0xee);
}

/* In order, and none after the first that fails. */
static void lists(void **state)
{
	uint8_t byte[3] = {1, 2, 3};

	memcpy(data, byte, 3);
	box->count = MAILBOX_REQUESTS;
	for (uint32_t i = 0; i < MAILBOX_REQUESTS; i++)
		box->request[i] = request(MAILBOX_WRITE, MAILBOX_SIDECAR, 1, 100 + i, i % 3);
	assert_int_equal(answer(), 0);
	assert_int_equal(pread(disk.file[0].fd, got, 100, 100), MAILBOX_REQUESTS);
	assert_int_equal(got[MAILBOX_REQUESTS - 1], byte[(MAILBOX_REQUESTS - 1) % 3]);
	box->count = 4;
	box->request[0] = request(MAILBOX_WRITE, MAILBOX_SIDECAR, 1, 0, 0);
	box->request[1] = request(MAILBOX_WRITE, MAILBOX_SIDECAR, 1, 0, 2);
	box->request[2] = request(MAILBOX_WRITE, MAILBOX_SIDECAR, 1, 0, MAILBOX_DATA);
	box->request[3] = request(MAILBOX_WRITE, MAILBOX_SIDECAR, 1, 0, 1);
	assert_int_equal(answer(), -EINVAL);
	assert_int_equal(pread(disk.file[0].fd, got, 1, 0), 1);
	assert_int_equal(got[0], 3);
	box->count = 0;
	assert_int_equal(answer(), 0);
}

static void nothing_to_do(void **state)
{
	memset(box, 0, sizeof(*box)); /* as Xen makes the page */
	assert_false(serve_list(&disk));
	assert_int_equal(box->answered, 0);
}

static void no_mailbox(void **state)
{
	box->count = MAILBOX_REQUESTS + 1;
	memset(box->request, 0xff, sizeof(box->request));
	assert_int_equal(answer(), -EPROTO);
	box->count = UINT32_MAX;
	assert_int_equal(answer(), -EPROTO);
	box->count = 0;
	box->magic++;
	assert_int_equal(answer(), -EPROTO);
	box->magic--;
	box->version++;
	assert_int_equal(answer(), -EPROTO);
}

static void malformed(void **state)
{
	struct mailbox_request r = request(MAILBOX_READ, MAILBOX_SIDECAR, 1, 0, 0);

	r.op = MAILBOX_TPM + 1;
	assert_int_equal(one(r), -EINVAL);
	r.op = 255;
	assert_int_equal(one(r), -EINVAL);
	r = request(MAILBOX_SYNC, MAILBOX_IMAGE + 1, 0, 0, 0);
	assert_int_equal(one(r), -EINVAL);
	r.file = 255;
	assert_int_equal(one(r), -EINVAL);
	r = request(MAILBOX_SYNC, MAILBOX_SIDECAR, 0, 0, 0);
	r.zero = 256;
	assert_int_equal(one(r), -EINVAL);
	r.zero = 0;
	r.zero2 = 1;
	assert_int_equal(one(r), -EINVAL);
}

/* Each would touch the page behind the mailbox, or wraps. */
static void outside_the_data(void **state)
{
	static const uint32_t at_bytes[][2] = {
		{MAILBOX_DATA, 1},   {0, MAILBOX_DATA + 1},
		{1, MAILBOX_DATA},   {MAILBOX_DATA - 1, 2},
		{UINT32_MAX, 1},     {UINT32_MAX, 2},
		{1, UINT32_MAX},     {0, UINT32_MAX},
		{2, UINT32_MAX - 1}, {UINT32_MAX - 4095, 4096 + 64},
	};

	for (size_t i = 0; i < sizeof(at_bytes) / sizeof(at_bytes[0]); i++) {
		const uint32_t *v = at_bytes[i];

		assert_int_equal(one(request(MAILBOX_READ, MAILBOX_SIDECAR, v[1], 0, v[0])),
				 -EINVAL);
		assert_int_equal(one(request(MAILBOX_WRITE, MAILBOX_SIDECAR, v[1], 0, v[0])),
				 -EINVAL);
	}
	assert_int_equal(one(request(MAILBOX_READ, MAILBOX_SIDECAR, 1, 0, MAILBOX_DATA - 1)), 0);
}

static void outside_the_file(void **state)
{
	static const uint64_t offset[] = {IMAGE_BYTES,      IMAGE_BYTES - 511,   UINT64_MAX,
					  UINT64_MAX - 511, (uint64_t)INT64_MAX, (uint64_t)1 << 63};
	struct stat st;

	for (size_t i = 0; i < sizeof(offset) / sizeof(offset[0]); i++)
		assert_int_equal(one(request(MAILBOX_WRITE, MAILBOX_IMAGE, 512, offset[i], 0)),
				 -EINVAL);
	assert_int_equal(one(request(MAILBOX_WRITE, MAILBOX_IMAGE, 512, IMAGE_BYTES - 512, 0)), 0);
	assert_int_equal(fstat(disk.file[MAILBOX_IMAGE].fd, &st), 0);
	assert_int_equal(st.st_size, IMAGE_BYTES);
	for (size_t i = 2; i < sizeof(offset) / sizeof(offset[0]); i++) {
		assert_int_equal(one(request(MAILBOX_READ, MAILBOX_SIDECAR, 512, offset[i], 0)),
				 -EINVAL);
		assert_int_equal(one(request(MAILBOX_WRITE, MAILBOX_SIDECAR, 512, offset[i], 0)),
				 -EINVAL);
	}
	disk.file[MAILBOX_IMAGE].bytes = 100; /* fewer than the request has */
	assert_int_equal(one(request(MAILBOX_WRITE, MAILBOX_IMAGE, 512, 0, 0)), -EINVAL);
}

/* Lines on stderr while fn runs. */
static unsigned int lines_of(void (*fn)(void))
{
	int keep = dup(2), file = open("stderr", O_RDWR | O_CREAT | O_TRUNC, 0600);
	unsigned int lines = 0;
	char text[32768];
	size_t n;

	dup2(file, 2);
	fn();
	dup2(keep, 2);
	close(keep);
	close(file);
	n = get_file("stderr", text, sizeof(text));
	assert_true(n < sizeof(text));
	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

static void write_large(void)
{
	for (int i = 0; i < 3; i++)
		assert_int_equal(one(request(MAILBOX_WRITE, MAILBOX_SIDECAR, 8192, 0, 0)), -EFBIG);
}

/* A file that is cut at 5000 bytes: the first write() is short, the second fails. */
static void full(void **state)
{
	struct rlimit old, limit;

	process_harden();
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){5000, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(lines_of(write_large), 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(one(request(MAILBOX_WRITE, MAILBOX_SIDECAR, 8192, 0, 0)), 0);
}

static void no_space(void)
{
	assert_int_equal(one(request(MAILBOX_WRITE, MAILBOX_SIDECAR, 512, 0, 0)), -ENOSPC);
	assert_int_equal(one(request(MAILBOX_WRITE, MAILBOX_SIDECAR, 512, 0, 0)), -ENOSPC);
}

static void no_space_is_told_once(void **state)
{
	close(disk.file[MAILBOX_SIDECAR].fd);
	disk.file[MAILBOX_SIDECAR].fd = open("/dev/full", O_RDWR);
	assert_int_equal(lines_of(no_space), 1);
}

static void complain_often(void)
{
	for (unsigned int i = 0; i < SERVE_COMPLAINTS_MAX + 10; i++)
		assert_int_equal(one(request(9, 0, 0, 0, 0)), -EINVAL);
	for (unsigned int i = 0; i < 10; i++) {
		box->count = UINT32_MAX;
		assert_int_equal(answer(), -EPROTO);
	}
}

static void complaints_end(void **state)
{
	assert_int_equal(lines_of(complain_often), SERVE_COMPLAINTS_MAX);
}

static void errors(void **state)
{
	close(disk.file[MAILBOX_SIDECAR].fd);
	disk.file[MAILBOX_SIDECAR].fd = open("sidecar", O_RDONLY);
	assert_int_equal(one(request(MAILBOX_WRITE, MAILBOX_SIDECAR, 512, 0, 0)), -EBADF);
	close(disk.file[MAILBOX_SIDECAR].fd);
	disk.file[MAILBOX_SIDECAR].fd = open("sidecar", O_WRONLY);
	assert_int_equal(one(request(MAILBOX_READ, MAILBOX_SIDECAR, 512, 0, 0)), -EBADF);
	close(disk.file[MAILBOX_SIDECAR].fd);
	disk.file[MAILBOX_SIDECAR].fd =
		open("/proc/self/status", O_RDONLY); /* knows no fdatasync */
	assert_int_equal(one(request(MAILBOX_SYNC, MAILBOX_SIDECAR, 0, 0, 0)), -EINVAL);
}

/* What goes into a FIFO comes out again: a device that answers with the command. */
static void tpm_commands(void **state)
{
	static const uint8_t command[] = {0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0x55, 0xaa};

	memset(data, 0xee, 8192);
	memcpy(data + 5000, command, sizeof(command));
	assert_int_equal(one(request(MAILBOX_TPM, MAILBOX_SIDECAR, 1024, 0, 5000)), -ENOENT);
	assert_int_equal(mkfifo("tpm", 0600), 0);
	assert_int_equal(one(request(MAILBOX_TPM, MAILBOX_SIDECAR, 1024, 0, 5000)), 0);
	assert_true(disk.tpm >= 0);
	assert_memory_equal(data + 5000, command, sizeof(command));
	assert_int_equal(data[4999], 0xee);
	for (unsigned int i = 5000 + sizeof(command); i < 8192; i++)
		assert_int_equal(data[i], i < 6024 ? 0 : 0xee);
	memcpy(data + 5000, command, sizeof(command));
	assert_int_equal(one(request(MAILBOX_TPM, MAILBOX_SIDECAR, 11, 0, 5000)), -EINVAL);
	assert_int_equal(one(request(MAILBOX_TPM, MAILBOX_SIDECAR, 12, 0, 5000)), 0);
	assert_int_equal(one(request(MAILBOX_TPM, MAILBOX_SIDECAR, 9, 0, 5000)), -EINVAL);
	assert_int_equal(one(request(MAILBOX_TPM, MAILBOX_SIDECAR, 4097, 0, 0)), -EINVAL);
	assert_int_equal(one(request(MAILBOX_TPM, MAILBOX_SIDECAR, 1024, 0, MAILBOX_DATA)),
			 -EINVAL);
	assert_int_equal(one(request(MAILBOX_TPM, MAILBOX_SIDECAR, 1024, 8, 5000)), -EINVAL);
	assert_int_equal(one(request(MAILBOX_TPM, MAILBOX_IMAGE, 1024, 0, 5000)), -EINVAL);
	data[5005] = 9; /* shorter than a head */
	assert_int_equal(one(request(MAILBOX_TPM, MAILBOX_SIDECAR, 1024, 0, 5000)), -EINVAL);
	close(disk.tpm);
}

/* A device that says something else, or nothing that has an end, is closed, and opened again. */
static void tpm_nonsense(void **state)
{
	static const uint8_t command[] = {0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7b, 0x55, 0xaa};

	assert_int_equal(mkfifo("tpm", 0600), 0);
	disk.tpm = open("tpm", O_RDWR);
	assert_int_equal(write(disk.tpm, "left", 4), 4); /* of another answer */
	memcpy(data, command, sizeof(command));
	assert_int_equal(one(request(MAILBOX_TPM, MAILBOX_SIDECAR, 1024, 0, 0)), -EIO);
	assert_memory_equal(data, command, sizeof(command));
	assert_int_equal(disk.tpm, -1);
	assert_int_equal(one(request(MAILBOX_TPM, MAILBOX_SIDECAR, 1024, 0, 0)), 0);
	close(disk.tpm);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_and_writes),
		TEST(reads_zeros_beyond_the_end),
		TEST(lists),
		TEST(nothing_to_do),
		TEST(no_mailbox),
		TEST(malformed),
		TEST(outside_the_data),
		TEST(outside_the_file),
		TEST(full),
		TEST(no_space_is_told_once),
		TEST(complaints_end),
		TEST(errors),
		TEST(in_pieces),
		TEST(tpm_commands),
		TEST(tpm_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

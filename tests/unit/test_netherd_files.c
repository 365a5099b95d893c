/* SPDX-License-Identifier: Apache-2.0 */
/* attest/netherd/files.h: what is taken for a disk's files, and who is told that the process is ready. */
#include "tests/unit/test_netherd.h"

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <poll.h>
#include <signal.h>

#include "attest/netherd/files.h"
#include "attest/netherd/process.h"

static struct serve_disk disk;
static const struct disk_option option = {.data = "data", .sidecar = "sidecar"};
static uint8_t header[4096], uuid[16], key_id[16];

static void make_files(void)
{
	uint8_t sidecar[8192] = {0};

	memcpy(header, (const char[8]){'N', 'E', 'T', 'H', 'D', 'I', 'S', 'K'}, 8);
	for (uint8_t i = 16; i < 48; i++)
		header[i] = i;
	memcpy(sidecar, header, sizeof(header));
	put_file("sidecar", sidecar, sizeof(sidecar));
	put_file("data", sidecar, 8191);
	disk = (struct serve_disk){.name = "hda"};
}

static void opened(void **state)
{
	make_files();
	assert_int_equal(files_open(&disk, &option), 0);
	assert_int_equal(disk.file[MAILBOX_IMAGE].bytes, 8191);
	assert_int_equal(pwrite(disk.file[MAILBOX_IMAGE].fd, "D", 1, 0), 1);
	assert_int_equal(pwrite(disk.file[MAILBOX_SIDECAR].fd, "S", 1, 8000), 1);
	assert_int_equal(get_file("data", header, 1), 1);
	assert_int_equal(header[0], 'D');
	files_close(&disk);
}

/* Room for the sidecar of any disk as large, with the longest journal, and not for much more. */
static void a_sidecar_is_bounded(void **state)
{
	for (uint64_t size = 512; size <= (uint64_t)1 << 40; size = size * 7 / 4 + 512) {
		uint64_t want = 2 * DISK_HEADER_BYTES + 2 * (uint64_t)DISK_JOURNAL_MAX;
		uint64_t nodes = size / 512;

		for (bool more = true; more; more = nodes > 1) {
			nodes = (nodes + DISK_FANOUT - 1) / DISK_FANOUT;
			want += nodes * 2 * DISK_NODE;
		}
		make_files();
		assert_int_equal(truncate("data", (off_t)size), 0);
		assert_int_equal(files_open(&disk, &option), 0);
		assert_in_range(disk.file[MAILBOX_SIDECAR].bytes, want,
				want + size / 200 + 8 * DISK_NODE * DISK_LEVELS_MAX);
		files_close(&disk);
	}
}

/* Not even by the same process; with one that is locked the other does not stay so. */
static void locked(void **state)
{
	struct serve_disk other = {.name = "hdb"};
	const struct disk_option half = {.data = "third", .sidecar = "sidecar"};
	const struct disk_option twice = {.data = "third", .sidecar = "third"};
	int fd;

	make_files();
	put_text("third", "x");
	assert_int_equal(files_open(&disk, &option), 0);
	assert_int_equal(files_open(&other, &half), -EBUSY);
	assert_int_equal(files_open(&other, &twice), -EBUSY);
	fd = open("third", O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
	for (int i = 0; i < 2; i++) {
		fd = open(i ? "data" : "sidecar", O_RDWR);
		assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), -1);
		close(fd);
	}
	files_close(&disk);
	assert_int_equal(files_open(&other, &half), 0);
	files_close(&other);
}

static void not_opened(void **state)
{
	const struct disk_option bad[] = {
		{.data = "data", .sidecar = "none"},         {.data = "none", .sidecar = "sidecar"},
		{.data = "/dev/null", .sidecar = "sidecar"}, {.data = "data", .sidecar = "fifo"},
		{.data = ".", .sidecar = "sidecar"},
	};
	const int want[] = {-ENOENT, -ENOENT, -EINVAL, -EINVAL, -EISDIR};

	make_files();
	assert_int_equal(mkfifo("fifo", 0600), 0);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(files_open(&disk, &bad[i]), want[i]);
		assert_int_equal(disk.file[0].fd, -1);
		assert_int_equal(disk.file[1].fd, -1);
	}
}

static int names_after(uint64_t offset, const void *data, size_t bytes)
{
	int err;

	make_files();
	assert_int_equal(files_open(&disk, &option), 0);
	memset(uuid, 0, sizeof(uuid));
	memset(key_id, 0, sizeof(key_id));
	assert_int_equal(pwrite(disk.file[MAILBOX_SIDECAR].fd, data, bytes, (off_t)offset), bytes);
	err = files_names(&disk, uuid, key_id);
	files_close(&disk);
	return err;
}

static void names(void **state)
{
	assert_int_equal(names_after(0, "N", 1), 0);
	assert_memory_equal(uuid, header + 16, 16);
	assert_memory_equal(key_id, header + 32, 16);
	/* One of the two places is enough. */
	make_files();
	header[20] = 99;
	memset(uuid, 0, sizeof(uuid));
	assert_int_equal(names_after(4096, header, sizeof(header)), 0);
	assert_int_equal(uuid[4], 20);
	assert_int_equal(names_after(0, "x", 1), -EINVAL);
	make_files();
	assert_int_equal(files_open(&disk, &option), 0);
	assert_int_equal(pwrite(disk.file[0].fd, "x", 1, 0), 1);
	assert_int_equal(pwrite(disk.file[0].fd, header, 4096, 4096), 4096);
	assert_int_equal(files_names(&disk, uuid, key_id), 0);
	assert_int_equal(ftruncate(disk.file[0].fd, 4096 + 47), 0);
	assert_int_equal(files_names(&disk, uuid, key_id), -EINVAL);
	files_close(&disk);
}

static void keys(void **state)
{
	uint8_t want[33], key[DISK_MASTER_BYTES];
	int fd[2], stdin_fd;

	memset(want, 0x5a, sizeof(want));
	put_file("key", want, 32);
	assert_int_equal(files_key("key", key), 0);
	assert_memory_equal(key, want, 32);
	assert_int_equal(chmod("key", 0400), 0);
	assert_int_equal(files_key("key", key), 0);
	for (unsigned int bit = 1; bit <= 0100; bit <<= 1) {
		assert_int_equal(chmod("key", 0600 | bit), 0);
		assert_int_equal(files_key("key", key), -EPERM);
	}
	put_file("long", want, 33);
	assert_int_equal(files_key("long", key), -EINVAL);
	put_file("short", want, 31);
	assert_int_equal(files_key("short", key), -EINVAL);
	assert_int_equal(files_key("none", key), -ENOENT);
	assert_int_equal(files_key(".", key), -EISDIR);

	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], want, 32), 32);
	close(fd[1]);
	stdin_fd = dup(0);
	dup2(fd[0], 0);
	memset(key, 0, sizeof(key));
	assert_int_equal(files_key("-", key), 0);
	assert_memory_equal(key, want, 32);
	dup2(stdin_fd, 0);
	close(stdin_fd);
	close(fd[0]);
}

/* --- process.h ------------------------------------------------------------------------------------ */

static int notify_socket(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(at.sun_path, path, strlen(path));
	if (*path == '@')
		at.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&at,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))),
			 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
	return fd;
}

static void ready_is_told(void **state)
{
	char path[100], word[16];
	int fd[2];

	for (int i = 0; i < 2; i++) {
		int socket_fd;

		snprintf(path, sizeof(path), "%s%s/notify", i ? "@" : "", test_dir);
		socket_fd = notify_socket(path);
		assert_int_equal(pipe(fd), 0);
		process_ready("test", fd[1]);
		assert_int_equal(recv(socket_fd, word, sizeof(word), 0), 7);
		assert_memory_equal(word, "READY=1", 7);
		assert_int_equal(read(fd[0], word, sizeof(word)), 6);
		assert_memory_equal(word, "ready\n", 6);
		assert_int_equal(read(fd[0], word, sizeof(word)), 0); /* closed */
		close(fd[0]);
		close(socket_fd);
	}
	unsetenv("NOTIFY_SOCKET");
}

/* What the caller of a netherd in the background gets. */
static int status_of(bool gets_ready)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		process_background();
		if (!gets_ready)
			_exit(7);
		process_ready("not shown", -1);
		usleep(300000);
		_exit(9);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void background(void **state)
{
	assert_int_equal(status_of(true), 0);
	assert_int_equal(status_of(false), 7);
}

static void hardened(void **state)
{
	struct rlimit core;
	sigset_t set;
	struct pollfd fd = {.events = POLLIN};

	process_harden();
	assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
	assert_int_equal(core.rlim_cur | core.rlim_max, 0);
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
	assert_int_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	assert_int_equal(umask(022), 077);
	fd.fd = process_signals();
	assert_true(fd.fd >= 0);
	assert_int_equal(poll(&fd, 1, 0), 0);
	raise(SIGTERM);
	assert_int_equal(poll(&fd, 1, 0), 1);
	close(fd.fd);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	signal(SIGTERM, SIG_IGN); /* drops the one that waits */
	assert_int_equal(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
}

static void secret(void **state)
{
	volatile uint8_t *page = process_secret();
	unsigned char there;

	assert_non_null((const void *)page);
	assert_int_equal(page[0] | page[4095], 0);
	page[7] = 1;
	process_forget((void *)(uintptr_t)page);
	assert_int_equal(mincore((void *)(uintptr_t)page, 4096, &there), -1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make_test_dir, remove_test_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_sidecar_is_bounded), TEST(opened),   TEST(locked),
		TEST(not_opened),           TEST(names),    TEST(keys),
		TEST(background),           TEST(hardened), TEST(secret),
		TEST(ready_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

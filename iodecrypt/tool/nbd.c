/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/tool/nbd.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "iodecrypt/tool/file.h"

#define GREETING 0x4e42444d41474943u /* "NBDMAGIC" */
#define OPTION 0x49484156454f5054u   /* "IHAVEOPT" */
#define OPTION_REPLY 0x3e889045565a9u
#define REQUEST 0x25609513u
#define STRUCTURED 0x668e33efu
#define ALLOCATION "base:allocation"

enum { FLAGS_FIXED = 1, FLAGS_NO_ZEROES = 2 };
enum { OPT_GO = 7, OPT_STRUCTURED = 8, OPT_SET_META = 10 };
enum { REP_ACK = 1, REP_INFO = 3, REP_META = 4 };
enum { INFO_EXPORT = 0 };
enum { CMD_READ = 0, CMD_BLOCK_STATUS = 7, CMD_REQ_ONE = 8 };
enum { CHUNK_DONE = 1, CHUNK_NONE = 0, CHUNK_DATA = 1, CHUNK_HOLE = 2, CHUNK_STATUS = 5 };
enum { STATE_ZERO = 2 };
enum {
	CHECK_FAILED = 1,
	CHECK_LEAKS = 3
}; /* qemu-img check: clusters that nobody uses do no harm */

#define ASK_MAX ((uint64_t)1 << 30) /* of block status, 32 bits long */
#define SKIPPED_MAX 4096u           /* bytes of a reply that do not matter */

struct option_reply {
	uint64_t magic;
	uint32_t option, type, length;
} __attribute__((packed));

struct request {
	uint32_t magic;
	uint16_t flags, type;
	uint64_t cookie, offset;
	uint32_t length;
} __attribute__((packed));

struct reply {
	uint32_t magic;
	uint16_t flags, type;
	uint64_t cookie;
	uint32_t length;
} __attribute__((packed));

static int broken(void)
{
	return fail(STATUS_ERROR, "qemu-nbd ended, or can not read this disk");
}

static int get(const struct nbd *n, void *buf, size_t bytes)
{
	return file_read(n->fd, buf, bytes) == (ssize_t)bytes ? STATUS_OK : broken();
}

static int put(const struct nbd *n, const void *buf, size_t bytes)
{
	return file_write(n->fd, buf, bytes) ? broken() : STATUS_OK;
}

static int skip(const struct nbd *n, uint32_t bytes)
{
	uint8_t rest[SKIPPED_MAX];

	return bytes <= sizeof(rest) ? get(n, rest, bytes) : broken();
}

/* --- the beginning ------------------------------------------------------------------------------ */

/* A reply to an option: `want` bytes of it into buf, the rest is left out. */
static int option_reply(const struct nbd *n, uint32_t *type, void *buf, size_t want)
{
	struct option_reply r;
	uint32_t length;
	int status = get(n, &r, sizeof(r));

	if (status)
		return status;
	length = be32toh(r.length);
	*type = be32toh(r.type);
	if (be64toh(r.magic) != OPTION_REPLY || *type & 1u << 31)
		return broken();
	memset(buf, 0, want);
	if (length < want)
		want = length;
	status = get(n, buf, want);
	return status ? status : skip(n, length - (uint32_t)want);
}

static int option(const struct nbd *n, uint32_t number, const void *data, uint32_t length)
{
	uint64_t magic = htobe64(OPTION);
	uint32_t head[2] = {htobe32(number), htobe32(length)};
	int status = put(n, &magic, sizeof(magic));

	status = status ? status : put(n, head, sizeof(head));
	return status ? status : put(n, data, length);
}

/* Structured replies tell holes; the context "base:allocation" tells them beforehand. */
static int negotiate(struct nbd *n)
{
	struct {
		uint32_t name, queries, length;
		char query[sizeof(ALLOCATION) - 1];
	} meta = {0, htobe32(1), htobe32(sizeof(ALLOCATION) - 1), ALLOCATION};
	struct {
		uint16_t type;
		uint64_t bytes;
	} __attribute__((packed)) info;
	uint8_t go[6] = {0};
	uint32_t type;
	int status = option(n, OPT_STRUCTURED, NULL, 0);

	if (status || (status = option_reply(n, &type, &info, 0)))
		return status;
	if (type != REP_ACK || option(n, OPT_SET_META, &meta, 12 + sizeof(meta.query)))
		return broken();
	for (unsigned int metas = 0; !(status = option_reply(n, &type, &info, 0)); metas++)
		if (type != REP_META)
			return type == REP_ACK && metas == 1 ? option(n, OPT_GO, go, sizeof(go))
							     : broken();
	return status;
}

static int learn_size(struct nbd *n)
{
	struct {
		uint16_t type;
		uint64_t bytes;
	} __attribute__((packed)) info = {0};
	uint32_t type;
	int status;

	do {
		status = option_reply(n, &type, &info, sizeof(info));
		if (status)
			return status;
		if (type == REP_INFO && be16toh(info.type) == INFO_EXPORT)
			n->bytes = be64toh(info.bytes);
	} while (type != REP_ACK);
	return STATUS_OK;
}

static int greet(struct nbd *n)
{
	struct {
		uint64_t greeting, option;
		uint16_t flags;
	} __attribute__((packed)) server;
	uint32_t flags = htobe32(FLAGS_FIXED | FLAGS_NO_ZEROES);
	int status = get(n, &server, sizeof(server));

	if (status)
		return status;
	if (be64toh(server.greeting) != GREETING || be64toh(server.option) != OPTION ||
	    !(be16toh(server.flags) & FLAGS_FIXED))
		return broken();
	status = put(n, &flags, sizeof(flags));
	status = status ? status : negotiate(n);
	return status ? status : learn_size(n);
}

/* --- the server --------------------------------------------------------------------------------- */

/* The listening socket is handed over as systemd does: LISTEN_FDS of them, from descriptor 3 on. */
_Noreturn static void serve(int listening, const char *path, const char *format)
{
	char pid[16], form[64];

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	snprintf(pid, sizeof(pid), "%d", getpid());
	snprintf(form, sizeof(form), "--format=%s", format);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_PID", pid, 1);
	signal(SIGPIPE, SIG_DFL);
	if (listening != 3)
		dup2(listening, 3);
	else
		fcntl(3, F_SETFD, 0);
	execlp("qemu-nbd", "qemu-nbd", "--read-only", form, "--", path, (char *)NULL);
	fprintf(stderr, "nether-image: qemu-nbd (Debian: qemu-utils): %s\n", strerror(errno));
	_exit(127);
}

/*
 * A pair of sockets would do, but qemu-nbd has to accept(). Nobody else can connect: the directory is this user's, and
 * the name is gone before anybody listens behind it.
 */
static int connect_pair(int *listening, int *connected)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const char *tmp = getenv("TMPDIR");
	char dir[sizeof(a.sun_path) - 8];
	bool there;

	if (snprintf(dir, sizeof(dir), "%s/nether-image.XXXXXX", tmp ? tmp : "/tmp") >=
		    (int)sizeof(dir) ||
	    !mkdtemp(dir))
		return -1;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/nbd", dir);
	*listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*connected = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	there = !bind(*listening, (struct sockaddr *)&a, sizeof(a)) && !listen(*listening, 1) &&
		!connect(*connected, (struct sockaddr *)&a, sizeof(a));
	unlink(a.sun_path);
	rmdir(dir);
	return there ? 0 : -1;
}

/* QEMU reads what a disk that was cut off has lost as zeros, and says nothing; its check does. */
static int check(const char *path, const char *format)
{
	pid_t child = fork();
	int status;

	if (!child) {
		if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
			_exit(CHECK_FAILED);
		execlp("qemu-img", "qemu-img", "check", "-f", format, "--", path, (char *)NULL);
		_exit(CHECK_FAILED);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return fail(STATUS_ERROR, "no process: %s", strerror(errno));
	if (WIFEXITED(status) && (!WEXITSTATUS(status) || WEXITSTATUS(status) == CHECK_LEAKS))
		return STATUS_OK;
	return fail(STATUS_ERROR,
		    "%s: `qemu-img check -f %s` (Debian: qemu-utils) finds errors, or fails", path,
		    format);
}

int nbd_open(struct nbd *n, const char *path, const char *format)
{
	int listening = -1, status = check(path, format);
	pid_t child;

	*n = (struct nbd){.fd = -1};
	if (status)
		return status;
	if (connect_pair(&listening, &n->fd))
		return fail(STATUS_ERROR, "no socket in TMPDIR: %s", strerror(errno));
	child = fork();
	if (!child)
		serve(listening, path, format);
	close(listening);
	return child < 0 ? fail(STATUS_ERROR, "no process: %s", strerror(errno)) : greet(n);
}

void nbd_close(struct nbd *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

/* --- requests ----------------------------------------------------------------------------------- */

static int ask(struct nbd *n, uint16_t type, uint16_t flags, uint64_t offset, uint32_t length)
{
	struct request r = {htobe32(REQUEST), htobe16(flags),  htobe16(type),
			    ++n->cookie,      htobe64(offset), htobe32(length)};

	return put(n, &r, sizeof(r));
}

/* The head of the next part of the reply. */
static int part(const struct nbd *n, struct reply *r)
{
	int status = get(n, r, sizeof(*r));

	if (status)
		return status;
	r->flags = be16toh(r->flags);
	r->type = be16toh(r->type);
	r->length = be32toh(r->length);
	if (be32toh(r->magic) != STRUCTURED || r->cookie != n->cookie)
		return broken();
	if (r->type & 1u << 15)
		return fail(STATUS_ERROR, "qemu-nbd could not read the disk");
	return STATUS_OK;
}

static int extent(struct nbd *n, uint64_t offset, uint32_t length, uint32_t found[2])
{
	struct {
		uint32_t context, extent[2];
	} body = {0};
	struct reply r;
	int status = ask(n, CMD_BLOCK_STATUS, CMD_REQ_ONE, offset, length);

	do {
		status = status ? status : part(n, &r);
		if (!status && r.type == CHUNK_STATUS && r.length == sizeof(body))
			status = get(n, &body, sizeof(body));
		else if (!status && (r.type != CHUNK_NONE || r.length))
			status = broken();
	} while (!status && !(r.flags & CHUNK_DONE));
	found[0] = be32toh(body.extent[0]);
	found[1] = be32toh(body.extent[1]);
	return status ? status : found[0] ? STATUS_OK : broken();
}

int nbd_skip(struct nbd *n, uint64_t *offset)
{
	uint32_t found[2];

	while (*offset < n->bytes) {
		uint64_t left = n->bytes - *offset;
		int status = extent(n, *offset, (uint32_t)(left < ASK_MAX ? left : ASK_MAX), found);

		if (status || !(found[1] & STATE_ZERO))
			return status;
		*offset += found[0];
	}
	*offset = n->bytes;
	return STATUS_OK;
}

/* One part of what a read brought: bytes, or a hole. */
static int bring(const struct nbd *n, struct chunk *c, const struct reply *r)
{
	uint64_t start = chunk_sector(c) * DISK_SECTOR, at, bytes;
	uint32_t hole = 0;
	int status = get(n, &at, sizeof(at));

	if (!status && r->type == CHUNK_HOLE)
		status = get(n, &hole, sizeof(hole));
	if (status)
		return status;
	at = be64toh(at) - start;
	bytes = r->type == CHUNK_HOLE ? be32toh(hole) : r->length - sizeof(at);
	if (at > CHUNK_BYTES || bytes > (uint64_t)c->sectors * DISK_SECTOR ||
	    at + bytes > (uint64_t)c->sectors * DISK_SECTOR || at % DISK_SECTOR ||
	    bytes % DISK_SECTOR)
		return broken();
	if (r->type == CHUNK_HOLE)
		return STATUS_OK;
	memset(c->have + at / DISK_SECTOR, HAVE_IT, bytes / DISK_SECTOR);
	return get(n, c->data + at, bytes);
}

int nbd_read(struct nbd *n, struct chunk *c)
{
	struct reply r;
	int status = ask(n, CMD_READ, 0, chunk_sector(c) * DISK_SECTOR, c->sectors * DISK_SECTOR);

	memset(c->have, HAVE_NOT, sizeof(c->have));
	do {
		status = status ? status : part(n, &r);
		if (!status && ((r.type == CHUNK_DATA && r.length > 8) ||
				(r.type == CHUNK_HOLE && r.length == 12)))
			status = bring(n, c, &r);
		else if (!status && (r.type != CHUNK_NONE || r.length))
			status = broken();
	} while (!status && !(r.flags & CHUNK_DONE));
	return status;
}

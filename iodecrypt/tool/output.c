/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/tool/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct output {
	char path[PATH_MAX], temp[PATH_MAX];
	int fd;
	bool force;
	volatile sig_atomic_t there; /* the temporary */
} outputs[OUTPUT_MAX];
static unsigned int count;

static const int deadly[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void remove_temporaries(void)
{
	for (unsigned int i = 0; i < OUTPUT_MAX; i++)
		if (outputs[i].there) {
			outputs[i].there = 0;
			unlink(outputs[i].temp);
		}
}

/* Ends as it would have, which the shell wants to see. */
static void caught(int sig)
{
	remove_temporaries();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void deadly_set(sigset_t *set)
{
	sigemptyset(set);
	for (unsigned int i = 0; i < ARRAY_SIZE(deadly); i++)
		sigaddset(set, deadly[i]);
}

void output_init(void)
{
	struct sigaction action = {.sa_handler = caught}, old;

	deadly_set(&action.sa_mask);
	for (unsigned int i = 0; i < ARRAY_SIZE(deadly); i++)
		if (!sigaction(deadly[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(deadly[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN); /* EPIPE instead, */
	signal(SIGXFSZ, SIG_IGN); /* and EFBIG */
}

static int open_directory(const struct output *out)
{
	char copy[PATH_MAX];

	memcpy(copy, out->path, sizeof(copy));
	return open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int check(const char *path, bool force)
{
	struct stat st;

	for (unsigned int i = 0; i < count; i++)
		if (!strcmp(outputs[i].path, path))
			return fail(STATUS_USAGE, "%s: two files of one name", path);
	if (count == OUTPUT_MAX || strlen(path) + 8 >= PATH_MAX)
		return fail(STATUS_USAGE, "%s: too long a name", path);
	if (lstat(path, &st))
		return errno == ENOENT ? STATUS_OK : fail_file(path);
	if (!S_ISREG(st.st_mode))
		return fail(STATUS_ERROR, "%s exists, and is not a file", path);
	return force ? STATUS_OK : fail(STATUS_ERROR, "%s exists (--force replaces it)", path);
}

/* The signals wait meanwhile, so that a temporary is always known to their handler. */
static int make(struct output *out)
{
	sigset_t set, old;

	deadly_set(&set);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	out->fd = mkostemp(out->temp, O_CLOEXEC);
	out->there = out->fd >= 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return out->fd < 0 ? fail_file(out->path) : STATUS_OK;
}

int output_create(const char *path, bool private, bool force, int *fd)
{
	struct output *out = &outputs[count];
	mode_t mask = umask(077);
	int status;

	umask(mask);
	status = check(path, force);
	if (status)
		return status;
	snprintf(out->path, sizeof(out->path), "%s", path);
	snprintf(out->temp, sizeof(out->temp), "%.*s.XXXXXX", PATH_MAX - 8, path);
	out->force = force;
	status = make(out);
	if (status)
		return status;
	count++;
	if (!private && fchmod(out->fd, 0666 & ~mask))
		return fail_file(path);
	*fd = out->fd;
	return STATUS_OK;
}

/* Not over a file that came meanwhile; not all file systems can tell. */
static int give_name(struct output *out)
{
	int err = renameat2(AT_FDCWD, out->temp, AT_FDCWD, out->path,
			    out->force ? 0 : RENAME_NOREPLACE);

	if (err && errno == EINVAL)
		err = rename(out->temp, out->path);
	if (err)
		return fail_file(out->path);
	out->there = 0;
	return STATUS_OK;
}

static int sync_name(const struct output *out)
{
	int fd = open_directory(out), err;

	if (fd < 0)
		return fail_file(out->path);
	err = fsync(fd);
	close(fd);
	return err ? fail_file(out->path) : STATUS_OK;
}

static int give_names(void)
{
	int status = STATUS_OK;
	unsigned int i;

	for (i = 0; i < count && !status; i++)
		status = give_name(&outputs[i]);
	for (unsigned int k = 0; k < count && !status; k++)
		status = sync_name(&outputs[k]);
	/* One without the others is worth nothing; what was replaced is gone. */
	while (status && i--)
		if (!outputs[i].there && !outputs[i].force)
			unlink(outputs[i].path);
	return status;
}

int output_commit(void)
{
	int status = STATUS_OK;
	sigset_t set, old;

	for (unsigned int i = 0; i < count && !status; i++) {
		if (fsync(outputs[i].fd) || close(outputs[i].fd))
			status = fail_file(outputs[i].path);
	}
	deadly_set(&set);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	if (!status)
		status = give_names();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return status;
}

void output_discard(void)
{
	remove_temporaries();
}

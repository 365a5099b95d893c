/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/netherd/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#define SECRET_BYTES 4096u

#ifndef PROCESS_NAME /* this file is another program's, too */
#define PROCESS_NAME "netherd"
#endif

static int parent = -1; /* where the process that was called waits */
static bool in_background;

void process_say(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (in_background)
		syslog(LOG_DAEMON | LOG_NOTICE, "%s", line);
	else
		fprintf(stderr, PROCESS_NAME ": %s\n", line);
}

void process_harden(void)
{
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* it is EFBIG then */
}

void process_drop(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct have[2] = {{0}}, keep[2] = {{0}};

	if (syscall(SYS_capget, &header, have))
		return;
	keep[0].permitted = keep[0].effective =
		have[0].permitted & (1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
	if (syscall(SYS_capset, &header, keep))
		process_say("capabilities cannot be dropped: %s", strerror(errno));
}

/* In the process that was called: waits for the child's word, or its end. */
static void await(pid_t child, int fd)
{
	char word;
	int status;

	if (read(fd, &word, 1) == 1)
		_exit(0);
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		_exit(1);
	_exit(WEXITSTATUS(status));
}

void process_background(void)
{
	int fd[2];
	pid_t child;

	if (pipe2(fd, O_CLOEXEC) || (child = fork()) < 0) {
		process_say("no background: %s", strerror(errno));
		exit(1);
	}
	if (child) {
		close(fd[1]);
		await(child, fd[0]);
	}
	close(fd[0]);
	setsid();
	parent = fd[1];
}

/* From here on nothing of the caller's terminal is used. */
static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	in_background = true;
	openlog(PROCESS_NAME, LOG_PID, LOG_DAEMON);
	if (write(parent, "\n", 1) != 1)
		process_say("nobody waits for it to be ready");
	close(parent);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

static void notify_systemd(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (len < 2 || len >= sizeof(to.sun_path) || (*path != '/' && *path != '@'))
		return;
	memcpy(to.sun_path, path, len);
	if (*path == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (struct sockaddr *)&to,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		process_say("%s: %s", path, strerror(errno));
	close(fd);
}

void process_ready(const char *text, int fd)
{
	if (fd >= 0) {
		if (write(fd, "ready\n", 6) != 6)
			process_say("--ready-fd %d: %s", fd, strerror(errno));
		close(fd);
	}
	notify_systemd();
	if (parent >= 0) {
		leave_terminal();
	} else {
		printf(PROCESS_NAME ": %s\n", text);
		fflush(stdout);
	}
}

int process_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void *process_secret(void)
{
	void *page = mmap(NULL, SECRET_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	if (mlock(page, SECRET_BYTES) || madvise(page, SECRET_BYTES, MADV_DONTDUMP)) {
		munmap(page, SECRET_BYTES);
		return NULL;
	}
	return page;
}

void process_forget(void *page)
{
	explicit_bzero(page, SECRET_BYTES);
	munmap(page, SECRET_BYTES);
}

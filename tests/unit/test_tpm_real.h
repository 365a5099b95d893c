/* SPDX-License-Identifier: Apache-2.0 */
/* A real TPM (swtpm, a process of the test's own) behind the model's registers. As after a reset: nobody has started it. */
#ifndef TESTS_UNIT_TEST_TPM_REAL_H
#define TESTS_UNIT_TEST_TPM_REAL_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/test_tpm_model.h"

static struct {
	int fd;
	pid_t pid;
	char folder[40];
	unsigned int commands,
		fail_at; /* the fail_at-th command of the driver's, counted from 1, and all behind it, fail */
} real;

static inline void real_start(enum model_kind kind)
{
	char state[60], fd[12];
	int pair[2];

	model_reset(kind);
	memset(&real, 0, sizeof(real));
	strcpy(real.folder, "/tmp/test-tpm-XXXXXX");
	if (!mkdtemp(real.folder) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		abort();
	snprintf(state, sizeof(state), "dir=%s", real.folder);
	snprintf(fd, sizeof(fd), "%d", pair[1]);
	real.pid = fork();
	if (!real.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--fd", fd,
		       "--flags", "not-need-init", NULL);
		_exit(127);
	}
	close(pair[1]);
	real.fd = pair[0];
}

static inline void real_stop(void)
{
	char path[60];

	close(real.fd);
	kill(real.pid, SIGKILL);
	waitpid(real.pid, NULL, 0);
	snprintf(path, sizeof(path), "%s/tpm2-00.permall", real.folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/.lock", real.folder);
	unlink(path);
	rmdir(real.folder);
}

static inline void real_read(uint8_t *to, uint32_t n)
{
	while (n) {
		ssize_t got = read(real.fd, to, n);

		if (got <= 0)
			abort(); /* swtpm is gone, or was never there */
		to += got;
		n -= (uint32_t)got;
	}
}

/* The response's bytes. */
static inline uint32_t real_run(const uint8_t *command, uint32_t n, uint8_t *response)
{
	uint32_t size;

	if (write(real.fd, command, n) != n)
		abort();
	real_read(response, 10);
	size = model_says(response);
	real_read(response + 10, size - 10);
	return size;
}

static uint32_t model_answer(const uint8_t *command, uint32_t n, uint8_t *response)
{
	static const uint8_t failure[] = {0x80, 1, 0, 0, 0, 10, 0, 0, 1, 1};

	if (++real.commands >= real.fail_at && real.fail_at) {
		memcpy(response, failure, sizeof(failure));
		return sizeof(failure);
	}
	return real_run(command, n, response);
}

/* TPM2_PCR_Read() of one PCR in the SHA-256 bank: what the TPM itself holds. */
static inline void real_pcr(uint8_t pcr, uint8_t value[32])
{
	uint8_t command[20] = {0x80, 1, 0, 0, 0, 20, 0, 0, 1, 0x7e, 0, 0, 0, 1, 0, 11, 3},
		response[MODEL_BUFFER];

	command[17 + pcr / 8] = (uint8_t)(1u << pcr % 8);
	if (real_run(command, sizeof(command), response) != 10 + 4 + 10 + 4 + 2 + 32)
		abort();
	memcpy(value, response + 30, 32);
}

#endif

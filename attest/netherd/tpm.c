/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/netherd/tpm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX 4096u /* the kernel's TPM_BUFSIZE */
#define HEAD 10u
#define PATIENCE_MS \
	120000 /* commands may take that long (TCG PC Client Platform TPM Profile, 6.5.1.4), and wait for others */

const char *tpm_device = TPM_DEVICE;

static uint32_t size_of(const uint8_t *message)
{
	return (uint32_t)message[2] << 24 | (uint32_t)message[3] << 16 | (uint32_t)message[4] << 8 |
	       message[5];
}

/* One write is a command, one read its response (Linux' drivers/char/tpm). */
static int exchange(int fd, uint8_t *message, uint32_t room)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint32_t n = size_of(message);
	ssize_t got;

	do
		got = write(fd, message, n);
	while (got < 0 && errno == EINTR);
	if (got != (ssize_t)n)
		return got < 0 ? -errno : -EIO;
	do
		got = poll(&p, 1, PATIENCE_MS);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return got < 0 ? -errno : -ETIMEDOUT;
	memset(message, 0, room);
	do
		got = read(fd, message, room);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	return got < (ssize_t)HEAD || (ssize_t)size_of(message) != got ? -EIO : 0;
}

int tpm_relay(int *fd, uint8_t *message, uint32_t room)
{
	uint8_t copy[MESSAGE_MAX];
	int err;

	if (room < HEAD || room > sizeof(copy))
		return -EINVAL;
	memcpy(copy, message, room);
	__asm__ volatile("" ::: "memory"); /* nothing of it is read again */
	if (size_of(copy) < HEAD || size_of(copy) > room)
		return -EINVAL;
	if (*fd < 0)
		*fd = open(tpm_device, O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		return -errno;
	err = exchange(*fd, copy, room);
	if (err) { /* whatever is left of the command, the next one must not meet it */
		close(*fd);
		*fd = -1;
		return err;
	}
	memcpy(message, copy, room);
	return 0;
}

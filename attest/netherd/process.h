/* SPDX-License-Identifier: Apache-2.0 */
/* netherd as a process: what it gives up, what it says, and to whom it says that it is ready. */
#ifndef ATTEST_NETHERD_PROCESS_H
#define ATTEST_NETHERD_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

/* One line to stderr, and to syslog once in the background. */
void process_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* No core dump, no ptrace but by the superuser, no set-uid programs, files for the owner alone. */
void process_harden(void);

/* All capabilities but the one to open files that are not root's: for the receipts. */
void process_drop(void);

/*
 * Goes on in a child. The caller's process ends in here: with 0 when the child calls process_ready(), else with the
 * status that the child ends with.
 */
void process_background(void);

/*
 * Says "ready" on stdout if in the foreground, to systemd (sd_notify(3): a datagram to $NOTIFY_SOCKET), to who waits in
 * process_background(), and as a line to descriptor fd, which it closes, if that is not negative.
 */
void process_ready(const char *text, int fd);

/* A descriptor that becomes readable when the process is asked to end, or -1. Before the first thread. */
int process_signals(void);

/*
 * A page of secrets, not to be swapped out or dumped, or NULL; process_forget() overwrites it and gives it
 * back.
 */
void *process_secret(void);
void process_forget(void *page);

#endif

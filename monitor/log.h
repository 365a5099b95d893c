/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: a ring in the monitor's memory that L1 reads by hypercall. Until L1 runs, each line also
 * goes to com1 and the screen; afterwards those belong to L1, and only a dying monitor takes them
 * back.
 */
#ifndef MONITOR_LOG_H
#define MONITOR_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_SIZE 65536u

/* Adds one line; a newline is added here. Lines over 200 characters are cut. Any CPU, any time. */
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same for what L1 can provoke without end: only the first 200 lines of this kind are kept. */
void log_provoked(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Whether lines also go to the console (on at start). */
void log_console(bool on);

/* The monitor is dying: lines go to the console from now on, whoever held the log. */
void log_seize(void);

/*
 * Copies up to n bytes from position *pos (bytes since boot). Moves *pos forward to the oldest
 * byte still kept if it is gone. Returns how many bytes were copied.
 */
size_t log_read(uint64_t *pos, void *buf, size_t n);

#endif

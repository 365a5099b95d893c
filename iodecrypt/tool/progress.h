/* SPDX-License-Identifier: Apache-2.0 */
/* How far the work is, on standard error: a line that changes on a terminal, else one now and then. */
#ifndef IODECRYPT_TOOL_PROGRESS_H
#define IODECRYPT_TOOL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

void progress_start(uint64_t total, bool quiet);
/* From any thread: all before this byte is done, or holds nothing; and so many bytes more have been worked on. */
void progress_at(uint64_t position);
void progress_add(uint64_t bytes);
/* To be called every 200 ms or so. */
void progress_tick(void);
/* A last line. */
void progress_end(bool done);
/* Makes room for another line. */
void progress_clear(void);

#endif

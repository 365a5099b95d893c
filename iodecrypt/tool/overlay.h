/* SPDX-License-Identifier: Apache-2.0 */
/* Writes to a file that are kept in memory, so that recovery can be tried. */
#ifndef IODECRYPT_TOOL_OVERLAY_H
#define IODECRYPT_TOOL_OVERLAY_H

#include "ept/base.h"

struct overlay;

/* NULL, or one that is empty. */
struct overlay *overlay_new(void);
void overlay_free(struct overlay *o);

/* Offset and n are multiples of 512: 0, or -1 with errno. */
int overlay_write(struct overlay *o, const void *buf, size_t n, uint64_t offset);
/* Puts what has been written over what the file had. */
void overlay_read(const struct overlay *o, void *buf, size_t n, uint64_t offset);

#endif

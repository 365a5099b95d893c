/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that appear under their names whole, on the platter, or not at all: written to temporaries beside them, which
 * are removed if anything fails or a signal ends the program.
 */
#ifndef IODECRYPT_TOOL_OUTPUT_H
#define IODECRYPT_TOOL_OUTPUT_H

#include "iodecrypt/tool/tool.h"

#define OUTPUT_MAX 3

/* Catches signals. Before anything else. */
void output_init(void);

/* private: for its owner alone. An existing file is replaced only if `force`. A status; the descriptor is output's. */
int output_create(const char *path, bool private, bool force, int *fd);

/* Gives all their names, in the order of their creation: a status. */
int output_commit(void);

/* Removes what has not been committed. */
void output_discard(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Master keys in files, or from pipes; never on a command line or in the environment, where others see them. */
#ifndef IODECRYPT_TOOL_KEYFILE_H
#define IODECRYPT_TOOL_KEYFILE_H

#include "iodecrypt/keys.h"

/* Each returns a status. The key is to be wiped by the caller, whatever that is. */
int keyfile_read(const char *path, uint8_t key[DISK_MASTER_BYTES]);
/* A new key into a new file. */
int keyfile_new(const char *path);

/* Bytes of the system's that nobody can foretell: a status. */
int keyfile_random(void *out, size_t n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attestation keys that a TPM has proved to be its own, by activation: what an evidence file is checked against later,
 * when no TPM can be asked. A file of lines: SHA-256 of the endorsement key's SubjectPublicKeyInfo, of the attestation
 * key's public area, and the host as it was called.
 */
#ifndef ATTEST_TOOL_KNOWN_H
#define ATTEST_TOOL_KNOWN_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* Each an attest_status. $XDG_STATE_HOME or ~/.local/state, nether-attest/known. */
int known_default(char out[PATH_MAX]);
int known_find(const char *path, const uint8_t ek[32], const uint8_t ak[32], bool *found);
/* Adds it, unless it is there, with the directories above; a TPM with too many keys loses the one that was added first. */
int known_add(const char *path, const uint8_t ek[32], const uint8_t ak[32], const char *host);

#endif

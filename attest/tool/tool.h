/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of nether-attest have in common: docs/nether-attest.md. */
#ifndef ATTEST_TOOL_TOOL_H
#define ATTEST_TOOL_TOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "iodecrypt/tool/tool.h" /* fail() and say() */

/* How the program ends. Scripts rely on these numbers. */
enum attest_status {
	ATTEST_OK = 0,     /* every row is ok */
	ATTEST_FAILED = 1, /* a row is not; or the guest of a release does not run */
	ATTEST_USAGE = 2,
	ATTEST_ERROR =
		3, /* nothing could be checked: not reached, or not a file or answer of its kind */
};

#define LIST_MAX 16

struct attest_options {
	const char *policy, *known, *token, *pin, *cacert;
	const char *from, *release, *ek_root, *out;
	const char *ek[LIST_MAX], *ak[LIST_MAX];
	unsigned int eks, aks;
	const char *image, *stored, *key, *identity, *digest, *vm;
	uint64_t expires, lease, every, count;
	unsigned int drive, plain;
	bool any_host, json, consent, again, force, no_wait;
};

/* Each gets its operands, of the number that main.c's table has, and returns an attest_status. */
int attest_key_new(const struct attest_options *o, char **args);
int attest_key_public(const struct attest_options *o, char **args);
int attest_policy_init(const struct attest_options *o, char **args);
int attest_evidence_save(const struct attest_options *o, char **args);
int attest_evidence_check(const struct attest_options *o, char **args);
int attest_verify(const struct attest_options *o, char **args);
int attest_release(const struct attest_options *o, char **args);
int attest_watch(const struct attest_options *o, char **args);

#endif

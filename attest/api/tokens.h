/* SPDX-License-Identifier: Apache-2.0 */
/* Who may ask: a file of lines "TENANT ROLE SHA256", the hash of the token. */
#ifndef ATTEST_API_TOKENS_H
#define ATTEST_API_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "attest/api/limits.h"
#include "attest/api/text.h"

#define TOKENS_MAX 1024u
#define TOKENS_BYTES (TOKENS_MAX * 160u) /* of the file */

enum role { ROLE_TENANT, ROLE_METRICS };
enum token_answer { TOKEN_OK, TOKEN_UNKNOWN, TOKEN_RATE };

struct token {
	char tenant[TEXT_NAME_MAX + 1];
	enum role role;
	uint8_t hash[32];
	struct bucket bucket;
};

struct principal {
	char tenant[TEXT_NAME_MAX + 1];
	enum role role;
};

/* Tokens, or minus the number of the line that is none. */
long tokens_parse(const char *text, size_t bytes, struct token *out, size_t max);
/* Reads the file again if it is another one than before. 0, or -1: those of before stay. */
int tokens_load(const char *path);
/* Whose token this is; one more request of his. */
enum token_answer tokens_check(const char *token, uint64_t rate, struct principal *who);
/* Prints a new token, and its line for the file. 0 or -1. */
int tokens_new(const char *tenant, const char *role);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages that L1 has taken away from a guest that still counts on them: encrypted, and readable by
 * anybody. For each, the nonce and the tag are kept here, so that just this content can come back, once,
 * at the same address of the same guest (R5).
 */
#ifndef EPT_SEALED_H
#define EPT_SEALED_H

#include "crypto/seal.h"
#include "ept/addr.h"

/* First 4 bytes of a nonce: what is exported for reading must never open as sealed. */
enum seal_domain {
	SEAL_DOMAIN_PAGE = 1,
	SEAL_DOMAIN_EXPORT = 2,
};

/* Whose page: id is never reused; the key is that guest's alone. */
struct seal_owner {
	uint64_t id;
	const struct crypto_key *key;
};

/* At boot: room for records, `bytes` of zeroed memory that is the module's from now on. */
void sealed_init(void *room, size_t bytes);

/*
 * Encrypts the page in place, which only the monitor can reach, and remembers it for gpa. Returns 0, or
 * ERR_NOMEM with the page unchanged if there is no room for a record, ERR_PERM if gpa has one.
 */
int sealed_out(const struct seal_owner *owner, gpa_t gpa, void *page);

/*
 * The reverse. Returns 0 with the record gone; ERR_NOENT if nothing is remembered for gpa; ERR_PERM with
 * page and record unchanged if this is not what was sealed.
 */
int sealed_in(const struct seal_owner *owner, gpa_t gpa, void *page);

/* Forgets gpa: the guest itself gave the page up. No error if there was nothing. */
void sealed_forget(const struct seal_owner *owner, gpa_t gpa);

/* Forgets everything of the guest. */
void sealed_forget_all(const struct seal_owner *owner);

/* Records in use, and room for them. */
void sealed_usage(size_t *used, size_t *room);

#endif

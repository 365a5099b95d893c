/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a release and a signature cost: the tenant's seal by nether-attest's functions (OpenSSL's library), the monitor's open
 * and its signature of evidence by the image's own objects, in a process of this machine. A line each, of all rounds sorted:
 * NAME BEST MEDIAN, in operations a second of the thread's CPU time.
 */
#include <openssl/rand.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attest/evidence.h"
#include "attest/release.h"
#include "attest/tool/hpke_seal.h"
#include "crypto/p256.h"
#include "crypto/sha256.h"
#include "crypto/x25519.h"
#include "ept/base.h"

#define ROUNDS 40u
#define TIMES 50u /* a round */

static uint8_t identity[32], receive[32], receive_public[32], sign_key[32];
static struct release_message message;
static struct release released = {.drive = 1, .root_known = 1};
static uint8_t evidence[EVIDENCE_MAX];
static struct evidence_writer writer;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "bench/release: %s failed\n", what);
	exit(1);
}

/* What the image's evidence.c calls. */
_Noreturn void assert_failed(const char *what, const char *file, int line)
{
	fail(what);
}

/* As release_seal() of attest/tool/release.c, which is linked with all of the tool. */
static void seal(void)
{
	struct hpke_sender s;
	uint8_t ephemeral[32];

	message = (struct release_message){.version = RELEASE_VERSION, .bytes = sizeof(message)};
	memcpy(message.magic, RELEASE_MAGIC, sizeof(message.magic));
	crypto_x25519_public(message.tenant, identity);
	if (RAND_priv_bytes(ephemeral, sizeof(ephemeral)) != 1 ||
	    hpke_setup(&s, ephemeral, identity, receive_public, RELEASE_INFO))
		fail("HPKE's set-up");
	memcpy(message.enc, s.enc, sizeof(message.enc));
	if (hpke_seal(&s, &message, offsetof(struct release_message, sealed), &released,
		      sizeof(released), message.sealed))
		fail("sealing");
}

static void open_it(void)
{
	struct release r;

	if (release_open(&r, &message, receive_public, receive) || memcmp(&r, &released, sizeof(r)))
		fail("opening");
}

static void sign(uint8_t out[EVIDENCE_SIGNATURE], const uint8_t digest[32])
{
	crypto_p256_sign(out, sign_key, digest);
}

/* As much of evidence as there can be: its hash, and its signature. */
static void sign_evidence(void)
{
	evidence_end(&writer, sign);
}

static void sign_digest(void)
{
	uint8_t out[EVIDENCE_SIGNATURE];

	crypto_p256_sign(out, sign_key, evidence);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int descending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

static void measure(const char *what, void (*fn)(void))
{
	double rate[ROUNDS], start;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		start = seconds();
		for (unsigned int i = 0; i < TIMES; i++)
			fn();
		rate[round] = TIMES / (seconds() - start);
	}
	qsort(rate, ROUNDS, sizeof(rate[0]), descending);
	printf("%s %.0f %.0f\n", what, rate[0], rate[ROUNDS / 2]);
}

static void fill(void)
{
	struct evidence head = {.version = EVIDENCE_VERSION};
	struct evidence_guest guest = {.vcpus = 2};
	struct evidence_disk disk = {.state = 3};

	evidence_begin(&writer, evidence, &head);
	for (unsigned int i = 0; i < EVIDENCE_GUESTS_MAX; i++)
		evidence_add_guest(&writer, &guest);
	for (unsigned int i = 0; i < EVIDENCE_DISKS_MAX; i++)
		evidence_add_disk(&writer, &disk);
}

int main(void)
{
	uint8_t public[CRYPTO_P256_PUBLIC_BYTES];
	const char *why;

	if (crypto_init(&why))
		fail(why);
	if (RAND_priv_bytes(identity, 32) != 1 || RAND_priv_bytes(receive, 32) != 1 ||
	    RAND_priv_bytes(sign_key, 32) != 1 || crypto_p256_public(public, sign_key))
		fail("drawing keys");
	crypto_x25519_public(receive_public, receive);
	fill();
	measure("seal", seal);
	measure("open", open_it);
	measure("sign", sign_digest);
	measure("evidence", sign_evidence);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pretended monitor: in place of monitor/ctl/ask.c. It signs evidence by a P-256 key of its own, which the evidence has. The
 * environment's MONITOR_DIR may have files: `monitor.pem` (that key), `none` (nobody answers), `log` (the event log), `tboot` (a measured launch),
 * `refuse` (the error of a monitor that has no keys), `nonsense`.
 */
#include "monitor/ctl/ask.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attest/evidence.h"
#include "ept/base.h"
#include "monitor/hypercall.h"

static EVP_PKEY *key;

static bool has(const char *name)
{
	const char *dir = getenv("MONITOR_DIR");
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : ".", name);
	return access(path, F_OK) == 0;
}

/* One that was measured before this program began; or any. */
static EVP_PKEY *find_key(void)
{
	const char *dir = getenv("MONITOR_DIR");
	char path[512];
	EVP_PKEY *found;
	FILE *f;

	snprintf(path, sizeof(path), "%s/monitor.pem", dir ? dir : ".");
	f = fopen(path, "r");
	if (!f)
		return EVP_EC_gen("P-256");
	found = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	return found;
}

int ask_version(struct monitor_version *v)
{
	memset(v, 0, sizeof(*v));
	key = find_key();
	return has("none") ? ASK_NO_MONITOR : 0;
}

static void sign(uint8_t *all, size_t bytes)
{
	uint8_t der[128];
	const uint8_t *at = der;
	size_t n = sizeof(der);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	ECDSA_SIG *sig;

	if (EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) != 1 ||
	    EVP_DigestSign(md, der, &n, all, bytes) != 1)
		abort();
	EVP_MD_CTX_free(md);
	sig = d2i_ECDSA_SIG(NULL, &at, (long)n);
	BN_bn2binpad(ECDSA_SIG_get0_r(sig), all + bytes, 32);
	BN_bn2binpad(ECDSA_SIG_get0_s(sig), all + bytes + 32, 32);
	ECDSA_SIG_free(sig);
}

int ask_evidence(void *buf, uint64_t n, uint64_t *bytes)
{
	struct evidence e = {.magic = EVIDENCE_MAGIC, .version = EVIDENCE_VERSION, .guests = 1};
	struct evidence_guest guest = {.id = 7, .vcpus = 2};
	uint8_t point[65];
	size_t point_bytes = sizeof(point);
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	*bytes = sizeof(e) + sizeof(guest) + EVIDENCE_SIGNATURE;
	if (has("refuse"))
		return ERR_NOSYS;
	if (n < *bytes)
		return ERR_2BIG;
	memcpy(e.nonce, buf, sizeof(e.nonce));
	e.bytes = (uint32_t)*bytes;
	e.uptime = (uint64_t)t.tv_sec * 1000;
	e.tboot = has("tboot") ? 2 : 0;
	memcpy(e.monitor, "pretended", 9);
	memcpy(e.backend, "fake", 4);
	EVP_PKEY_get_octet_string_param(key, "pub", point, sizeof(point), &point_bytes);
	memcpy(e.sign, point + 1, 64);
	memset(e.receive, 0x52, sizeof(e.receive));
	if (has("nonsense"))
		e.magic[0] = 'X';
	memcpy(buf, &e, sizeof(e));
	memcpy((uint8_t *)buf + sizeof(e), &guest, sizeof(guest));
	sign(buf, sizeof(e) + sizeof(guest));
	return 0;
}

int ask_eventlog(void *page, uint64_t at, struct monitor_eventlog *log)
{
	char path[512];
	FILE *f;
	long end;

	snprintf(path, sizeof(path), "%s/log%s",
		 getenv("MONITOR_DIR") ? getenv("MONITOR_DIR") : ".",
		 at & EVENTLOG_TXT ? ".txt" : "");
	at &= ~EVENTLOG_TXT;
	f = fopen(path, "rb");
	if (!f)
		return ERR_NOENT;
	fseek(f, 0, SEEK_END);
	end = ftell(f);
	*log = (struct monitor_eventlog){.size = (uint64_t)end, .complete = true};
	if (at > log->size) {
		fclose(f);
		return ERR_INVAL;
	}
	fseek(f, (long)at, SEEK_SET);
	log->copied = fread(page, 1, 4096, f);
	fclose(f);
	return 0;
}

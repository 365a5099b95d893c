/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/evidence.h"

#include <inttypes.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include "monitor/hypercall.h"
#include "switch-channel/call.h"

#define FLAGS_KNOWN (EVIDENCE_NO_TPM | EVIDENCE_NO_ISOLATION | EVIDENCE_DEV_KEYS | EVIDENCE_ANCHORS)
#define GUEST_FLAGS_KNOWN (LAUNCH_PROTECTED | LAUNCH_SEALED | EVIDENCE_GUEST_STOPPED)

static int wrong(char why[EVIDENCE_WHY], const char *what)
{
	snprintf(why, EVIDENCE_WHY, "%s", what);
	return -1;
}

/* Text with at least one NUL, and nothing behind the first. */
static bool padded(const char *text, size_t n)
{
	size_t length = strnlen(text, n);

	for (size_t i = length; i < n; i++)
		if (text[i])
			return false;
	return length && length < n;
}

static bool is_zero(const uint8_t *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (at[i])
			return false;
	return true;
}

/* Whether it says what a monitor can say. */
static bool channel_ok(const struct evidence_channel *c)
{
	bool open = c->state == CHANNEL_OPEN || c->state == CHANNEL_LEFT;

	return c->id && c->offerer && c->service[0] && c->state >= CHANNEL_OFFERED &&
	       c->state <= CHANNEL_ENDED && c->peer >= CHANNEL_PEER_DIGEST &&
	       c->peer <= CHANNEL_PEER_HOST && c->reason <= CHANNEL_REASON_PAGES &&
	       (c->reason || c->state != CHANNEL_ENDED) &&
	       (c->pages != 0) == (c->state != CHANNEL_ENDED) && c->pages <= CHANNEL_PAGES_MAX &&
	       open == (c->acceptor != 0) &&
	       (c->acceptor == EVIDENCE_CHANNEL_HOST) == (open && c->peer == CHANNEL_PEER_HOST) &&
	       (c->peer != CHANNEL_PEER_HOST || is_zero(c->identity, sizeof(c->identity)));
}

static int parse_channels(struct evidence_all *e, struct cursor *c, char why[EVIDENCE_WHY])
{
	for (uint32_t i = 0; i < e->head.channels; i++) {
		memcpy(&e->channels[i], take(c, sizeof(e->channels[i])), sizeof(e->channels[i]));
		if (!channel_ok(&e->channels[i]))
			return wrong(why, "a channel's record that is not known");
		for (uint32_t j = 0; j < i; j++)
			if (e->channels[j].id == e->channels[i].id)
				return wrong(why, "a channel twice");
	}
	return 0;
}

static int parse_records(struct evidence_all *e, struct cursor *c, char why[EVIDENCE_WHY])
{
	for (uint32_t i = 0; i < e->head.guests; i++) {
		memcpy(&e->guests[i], take(c, sizeof(e->guests[i])), sizeof(e->guests[i]));
		if (e->guests[i].zero || e->guests[i].flags & ~GUEST_FLAGS_KNOWN)
			return wrong(why, "a guest's record that is not known");
		for (uint32_t j = 0; j < i; j++)
			if (e->guests[j].id == e->guests[i].id)
				return wrong(why, "a guest twice");
	}
	for (uint32_t i = 0; i < e->head.disks; i++) {
		memcpy(&e->disks[i], take(c, sizeof(e->disks[i])), sizeof(e->disks[i]));
		if (e->disks[i].state > DISK_STATE_OVER)
			return wrong(why, "a disk's record that is not known");
	}
	return parse_channels(e, c, why);
}

int evidence_parse(struct evidence_all *e, const struct bytes *in, char why[EVIDENCE_WHY])
{
	struct cursor c = {in->at, in->n, false};
	const uint8_t *head = take(&c, sizeof(e->head));

	memset(e, 0, sizeof(*e));
	if (!head || memcmp(head, EVIDENCE_MAGIC, sizeof(e->head.magic)) != 0)
		return wrong(why, "not evidence");
	memcpy(&e->head, head, sizeof(e->head));
	if (e->head.version != EVIDENCE_VERSION)
		return wrong(why, "of another version");
	if (e->head.guests > EVIDENCE_GUESTS_MAX || e->head.disks > EVIDENCE_DISKS_MAX ||
	    e->head.channels > EVIDENCE_CHANNELS_MAX || e->head.bytes != in->n ||
	    in->n != sizeof(e->head) + e->head.guests * sizeof(e->guests[0]) +
			     e->head.disks * sizeof(e->disks[0]) +
			     e->head.channels * sizeof(e->channels[0]) + EVIDENCE_SIGNATURE)
		return wrong(why, "of another length than its counts say");
	if (!padded(e->head.monitor, sizeof(e->head.monitor)) ||
	    !padded(e->head.backend, sizeof(e->head.backend)))
		return wrong(why, "a version that is not padded text");
	if (e->head.flags & ~FLAGS_KNOWN)
		return wrong(why, "flags that are not known");
	return parse_records(e, &c, why);
}

/* NULL if it is no point of the curve. */
static EVP_PKEY *p256(const uint8_t sign[64])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	char group[] = "P-256";
	uint8_t point[65] = {4};
	EVP_PKEY *key = NULL;
	OSSL_PARAM params[3];

	memcpy(point + 1, sign, 64);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
	params[1] =
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
	params[2] = OSSL_PARAM_construct_end();
	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

bool evidence_signed(const struct bytes *in, const uint8_t sign[64])
{
	size_t before = in->n - EVIDENCE_SIGNATURE;
	EVP_PKEY *key = in->n > EVIDENCE_SIGNATURE ? p256(sign) : NULL;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	ECDSA_SIG *sig = ECDSA_SIG_new();
	uint8_t *der = NULL;
	bool ok = false;
	int n;

	if (key && md && sig &&
	    ECDSA_SIG_set0(sig, BN_bin2bn(in->at + before, 32, NULL),
			   BN_bin2bn(in->at + before + 32, 32, NULL)) == 1) {
		n = i2d_ECDSA_SIG(sig, &der);
		ok = n > 0 && EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
		     EVP_DigestVerify(md, der, (size_t)n, in->at, before) == 1;
	}
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(key);
	return ok;
}

void evidence_qualifying(uint8_t out[32], const uint8_t nonce[EVIDENCE_NONCE],
			 const struct bytes *in)
{
	EVP_MD_CTX *md = need(EVP_MD_CTX_new());

	if (EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(md, EVIDENCE_QUOTE, strlen(EVIDENCE_QUOTE)) != 1 ||
	    EVP_DigestUpdate(md, nonce, EVIDENCE_NONCE) != 1 ||
	    EVP_DigestUpdate(md, in->at, in->n) != 1 || EVP_DigestFinal_ex(md, out, NULL) != 1)
		need(NULL);
	EVP_MD_CTX_free(md);
}

static const char *stop_text(uint32_t reason)
{
	static const char *const texts[] = {
#define X(name, text) text,
		STOP_REASONS(X)
#undef X
	};

	return reason < sizeof(texts) / sizeof(texts[0]) ? texts[reason] : "an unknown reason";
}

static const char *disk_text(uint32_t state)
{
	static const char *const texts[] = {"free", "opening", "ready", "live", "over"};

	return state < sizeof(texts) / sizeof(texts[0]) ? texts[state] : "unknown";
}

void evidence_print_guest(const struct evidence_guest *g, FILE *to)
{
	char digest[65];

	hex_encode(digest, g->digest, sizeof(g->digest));
	fprintf(to, "guest %" PRIu64 ": %s%s, %u vCPUs, launch digest %s", g->id,
		g->flags & LAUNCH_PROTECTED ? "protected" : "NOT protected",
		g->flags & LAUNCH_SEALED ? ", sealed" : "", g->vcpus, digest);
	if (g->flags & EVIDENCE_GUEST_STOPPED)
		fprintf(to, ", STOPPED: %s", stop_text(g->stop_reason));
	fputc('\n', to);
}

void evidence_print_disk(const struct evidence_disk *d, FILE *to)
{
	char uuid[33], tenant[65], release[33];

	hex_encode(uuid, d->uuid, sizeof(d->uuid));
	hex_encode(tenant, d->tenant, sizeof(d->tenant));
	hex_encode(release, d->release, sizeof(d->release));
	fprintf(to, "disk %s: %s, guest %" PRIu64 " drive %u, keys of tenant %s by message %s\n",
		uuid, disk_text(d->state), d->guest, d->drive, tenant, release);
}

static void print_side(uint64_t guest, FILE *to)
{
	if (guest == EVIDENCE_CHANNEL_HOST)
		fprintf(to, "the HOST");
	else if (guest)
		fprintf(to, "guest %" PRIu64, guest);
	else
		fprintf(to, "nobody");
}

/* The service's name is a guest's word: only what is plain text of it is printed. */
void evidence_print_channel(const struct evidence_channel *c, FILE *to)
{
	static const char *const kinds[] = {"", "launch digest", "tenant", "host"};
	static const char *const reasons[] = {"",
					      "closed",
					      "a violation of the ring",
					      "no heartbeat",
					      "a guest's end",
					      "the host took pages"};
	char identity[65];

	hex_encode(identity, c->identity, sizeof(c->identity));
	fprintf(to, "channel %" PRIu64 " ", c->id);
	for (size_t i = 0; i < sizeof(c->service) && c->service[i]; i++)
		fputc(c->service[i] > ' ' && c->service[i] < 0x7f ? c->service[i] : '?', to);
	fprintf(to, ": guest %" PRIu64 " to ", c->offerer);
	print_side(c->acceptor, to);
	fprintf(to, ", offered to %s%s%s, %u pages, accepted %" PRIu64 " times", kinds[c->peer],
		c->peer == CHANNEL_PEER_HOST ? "" : " ",
		c->peer == CHANNEL_PEER_HOST ? "" : identity, c->pages, c->accepts);
	if (c->state == CHANNEL_LEFT)
		fprintf(to, ", left by its offerer");
	if (c->reason)
		fprintf(to, ", %s by %s", c->state == CHANNEL_ENDED ? "ended" : "last ended",
			reasons[c->reason]);
	fputc('\n', to);
}

void evidence_print(const struct evidence_all *e, FILE *to)
{
	uint64_t s = e->head.uptime / 1000;

	fprintf(to, "up for %" PRIu64 ":%02u:%02u, %u channels\n", s / 3600,
		(unsigned int)(s / 60 % 60), (unsigned int)(s % 60), e->head.channels);
	for (uint32_t i = 0; i < e->head.guests; i++)
		evidence_print_guest(&e->guests[i], to);
	for (uint32_t i = 0; i < e->head.disks; i++)
		evidence_print_disk(&e->disks[i], to);
	for (uint32_t i = 0; i < e->head.channels; i++)
		evidence_print_channel(&e->channels[i], to);
}

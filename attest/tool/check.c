/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "monitor/hypercall.h"

#define WHY 160 /* any of the parsers' */

const uint8_t *check_replayed(const struct check *c, unsigned int pcr)
{
	return pcr >= 17 && pcr <= 22 && c->txt_log.count ? c->txt_log.pcrs[pcr] : c->log.pcrs[pcr];
}

/* --- the TPM's keys -------------------------------------------------------------------------- */

/* Of a certificate that is pinned, the key counts, which has to be this one: no root may be asked for. */
static void check_pin(struct check *c, const struct bundle *b, const struct policy *p)
{
	uint8_t certificate[32];
	bool pinned;

	hash(certificate, b->ek_certificate.at, b->ek_certificate.n);
	pinned = policy_pinned(&p->eks, c->ek.spki) ||
		 (policy_pinned(&p->eks, certificate) && ekcert_of(&b->ek_certificate, &c->ek));
	rows_add(&c->rows, pinned || p->any_host, "this host", "an EK that the policy pins", "%s",
		 pinned        ? "its EK is pinned"
		 : p->any_host ? "any with such a certificate"
			       : "its EK is not pinned");
}

static void check_ek(struct check *c, const struct bundle *b, const struct policy *p)
{
	char why[WHY], what[EKCERT_WHY], spki[65];
	const char * not ;
	bool ok;

	if (public_parse(&c->ek, &b->ek_public, why)) {
		rows_add(&c->rows, false, "endorsement key", "a key of a TPM's", "%s", why);
		return;
	}
	not = public_not_ek(&c->ek);
	c->has_ek = !not ;
	hex_encode(spki, c->ek.spki, sizeof(c->ek.spki));
	rows_add(&c->rows, !not, "endorsement key", "a restricted decryption key of its TPM's",
		 "%s", not ? not : spki);
	if (!p)
		return;
	ok = p->roots && ekcert_check(&b->ek_certificate, &c->ek, p->roots, p->any_host, what);
	if (p->roots)
		rows_add(&c->rows, ok, "EK's certificate", "one that leads to the policy's roots",
			 "%s", what);
	check_pin(c, b, p);
}

void check_identity(struct check *c, const struct bundle *b, const struct policy *p)
{
	char why[WHY], id[65];
	const char * not ;

	*c = (struct check){0};
	check_ek(c, b, p);
	if (public_parse(&c->ak, &b->ak_public, why)) {
		rows_add(&c->rows, false, "attestation key", "a key of a TPM's", "%s", why);
		return;
	}
	not = public_not_ak(&c->ak);
	c->has_ak = !not ;
	hash(c->ak_id, b->ak_public.at + 2, b->ak_public.n - 2);
	hex_encode(id, c->ak_id, sizeof(c->ak_id));
	rows_add(&c->rows, !not, "attestation key", "a restricted signing key of its TPM's", "%s",
		 not ? not : id);
}

/* --- the quote ------------------------------------------------------------------------------- */

static void check_extra(struct check *c, const struct bundle *b)
{
	uint8_t want[32];
	bool ok;

	evidence_qualifying(want, b->nonce, &b->evidence);
	ok = c->quote.extra_n == sizeof(want) && !memcmp(c->quote.extra, want, sizeof(want));
	rows_add(&c->rows, ok, "quote's nonce", "the hash of this nonce and this evidence", "%s",
		 !ok            ? "of another, or of none"
		 : c->from_file ? "of the file's nonce and evidence, whenever that was"
				: "of this nonce and this evidence");
}

static void check_selection(struct check *c, uint32_t needed)
{
	char found[100] = "";
	size_t n = 0;

	for (unsigned int i = 0; i < LOG_PCRS; i++)
		if (c->quote.pcrs & 1u << i)
			n += (size_t)snprintf(found + n, sizeof(found) - n, "%s%u", n ? " " : "",
					      i);
	rows_add(&c->rows, !(needed & ~c->quote.pcrs), "quoted PCRs",
		 "those that the policy speaks of, 11 and 12", "SHA-256: %s", found);
}

/* Part 3, 18.4: over the values of the PCRs, in their order. */
static void check_digest(struct check *c)
{
	uint8_t values[LOG_PCRS * LOG_DIGEST], digest[32];
	char want[65], found[65];
	size_t n = 0;
	bool ok;

	for (unsigned int i = 0; i < LOG_PCRS; i++)
		if (c->quote.pcrs & 1u << i) {
			memcpy(values + n, check_replayed(c, i), LOG_DIGEST);
			n += LOG_DIGEST;
		}
	hash(digest, values, n);
	ok = !memcmp(digest, c->quote.digest, sizeof(digest));
	hex_encode(want, c->quote.digest, sizeof(digest));
	hex_encode(found, digest, sizeof(digest));
	rows_add(&c->rows, ok, "event log leads to the quote", want, "%s",
		 ok ? "every quoted PCR is what the log says" : found);
}

static void check_quote(struct check *c, const struct bundle *b, const struct policy *p)
{
	const char *not = NULL;
	char why[WHY];

	c->has_quote = !quote_parse(&c->quote, &b->quote, why);
	if (c->has_quote)
		snprintf(why, sizeof(why), "reset %u", c->quote.resets);
	rows_add(&c->rows, c->has_quote, "quote", "a TPM's, of SHA-256 PCRs", "%s", why);
	if (!c->has_quote)
		return;
	not = c->has_ak ? quote_unsigned(&c->ak, &b->quote, &b->signature)
			: "there is no key to check it with";
	rows_add(&c->rows, !not, "quote's signature", "the attestation key's", "%s",
		 not ? not : "the attestation key's");
	check_extra(c, b);
	check_selection(c,
			p ? policy_pcrs(p) : 1u << MEASURED_PCR_LOADED | 1u << MEASURED_PCR_KEYS);
	if (c->has_log)
		check_digest(c);
}

/* --- the log --------------------------------------------------------------------------------- */

static void check_log_data(struct check *c)
{
	unsigned int hashed = 0;

	for (unsigned int i = 0; i < c->log.count; i++) {
		int is = log_data(&c->log.events[i]);

		hashed += is == 1;
		if (is < 0) {
			rows_add(&c->rows, false, "events' data", "data of that digest",
				 "event %u, PCR %u: other data than was measured",
				 c->log.events[i].number, c->log.events[i].pcr);
			return;
		}
	}
	rows_add(&c->rows, true, "events' data", NULL,
		 "%u of %u have theirs proved by their digest", hashed, c->log.count);
}

static void check_log(struct check *c, const struct bundle *b)
{
	char why[WHY];

	c->has_log = !log_parse(&c->log, b->event_log.at, b->event_log.n, false, why);
	if (c->has_log)
		snprintf(why, sizeof(why), "%u events", c->log.count);
	rows_add(&c->rows, c->has_log, "event log", "a crypto-agile log with SHA-256", "%s", why);
	if (b->txt_event_log.n) {
		bool ok =
			!log_parse(&c->txt_log, b->txt_event_log.at, b->txt_event_log.n, true, why);

		rows_add(&c->rows, ok, "TXT event log", "a crypto-agile log with SHA-256", "%s",
			 ok ? "read" : why);
	}
	if (c->has_log)
		check_log_data(c);
}

/*
 * A restart that is no reset: it slept, and whoever woke it need not be who put it to sleep. A dynamic launch counts as one
 * (TPM 2.0 part 2, TPMS_CLOCK_INFO), and what it has reset shows that it took place.
 */
static void check_restarts(struct check *c)
{
	bool launched = c->has_loaded && loaded_txt(&c->loaded);

	if (c->has_quote)
		rows_add(&c->rows, c->quote.restarts <= launched, "TPM's restarts",
			 launched ? "at most the TXT launch: not resumed since its reset"
				  : "none: not resumed since its reset",
			 "%u", c->quote.restarts);
}

/* The monitor's word that TXT started it is worth what the policy says of the PCRs that only TXT can reset. */
static void check_txt(struct check *c, const struct policy *p)
{
	bool quoted, said;

	if (!c->has_loaded || !loaded_txt(&c->loaded))
		return;
	quoted = !(TXT_PCRS & ~c->quote.pcrs);
	said = !p || !(TXT_PCRS & ~(policy_pcrs(p) | p->ignored));
	rows_add(&c->rows, quoted && c->txt_log.count && said, "TXT launch",
		 "PCRs 17 and 18 quoted, their log, and a policy that speaks of them", "%s",
		 !quoted             ? "PCRs 17 and 18 are not quoted"
		 : !c->txt_log.count ? "there is no log of it"
		 : !said             ? "the policy says nothing of PCRs 17 and 18"
				     : "quoted, with a log");
}

/* --- evidence -------------------------------------------------------------------------------- */

static void check_evidence_keys(struct check *c, const struct bundle *b)
{
	const struct evidence *e = &c->evidence.head;
	bool ok;

	ok = evidence_signed(&b->evidence, c->has_keys ? c->keys.sign : e->sign) && c->has_keys;
	rows_add(&c->rows, ok, "evidence's signature", "by the key measured into PCR 12", "%s",
		 ok ? "by the key measured into PCR 12" : "not by that key");
	if (!c->has_keys)
		return;
	ok = !memcmp(e->receive, c->keys.receive, sizeof(e->receive)) &&
	     !memcmp(e->sign, c->keys.sign, sizeof(e->sign));
	rows_add(&c->rows, ok, "evidence's keys", "those measured into PCR 12", "%s",
		 ok ? "those measured into PCR 12" : "others");
}

static void check_same(struct check *c)
{
	const struct evidence *e = &c->evidence.head;
	const struct measured_platform *p = &c->loaded.platform;
	char want[64], dma[LOADED_FLAGS], open[LOADED_FLAGS];
	bool ok;

	if (!c->has_loaded)
		return;
	snprintf(want, sizeof(want), "nethervisor %.31s %.7s", e->monitor, e->backend);
	rows_add(&c->rows, !strcmp(want, c->loaded.monitor), "evidence's monitor",
		 c->loaded.monitor, "%s", want);
	ok = e->iommus == p->iommus && e->dma == p->dma && e->open == p->open &&
	     e->tboot == c->loaded.tboot;
	rows_add(&c->rows, ok, "evidence's platform", "as measured into PCR 11",
		 "%u IOMMUs; DMA: %s; open: %s; tboot: %s", e->iommus, loaded_dma(e->dma, dma),
		 loaded_open(e->open, open), loaded_tboot(e->tboot));
}

static void check_flags(struct check *c, const struct policy *p)
{
	uint32_t flags = c->evidence.head.flags;

	rows_add(&c->rows, !(flags & EVIDENCE_NO_TPM), "monitor's TPM", "keys that were measured",
		 "%s", flags & EVIDENCE_NO_TPM ? "nothing was measured" : "its keys were measured");
	if (!p)
		return;
	rows_add(&c->rows, !(flags & EVIDENCE_DEV_KEYS) || p->dev_keys, "for development",
		 "an image that takes keys from tenants only", "%s",
		 flags & EVIDENCE_DEV_KEYS ? "an image that takes keys from L1" : "no");
	rows_add(&c->rows, !(flags & EVIDENCE_NO_ISOLATION) || p->no_isolation, "isolation", "on",
		 "%s", flags & EVIDENCE_NO_ISOLATION ? "off (no-isolation)" : "on");
}

static void check_evidence(struct check *c, const struct bundle *b, const struct policy *p)
{
	char why[WHY];
	bool ok;

	c->has_evidence = !evidence_parse(&c->evidence, &b->evidence, why);
	if (c->has_evidence)
		snprintf(why, sizeof(why), "%u guests, %u disks, %u channels",
			 c->evidence.head.guests, c->evidence.head.disks,
			 c->evidence.head.channels);
	rows_add(&c->rows, c->has_evidence, "evidence", "evidence of a monitor's", "%s", why);
	if (!c->has_evidence)
		return;
	ok = !memcmp(c->evidence.head.nonce, b->nonce, sizeof(b->nonce));
	rows_add(&c->rows, ok, "evidence's nonce", "this one", "%s",
		 !ok            ? "another"
		 : c->from_file ? "the file's"
				: "this one");
	check_evidence_keys(c, b);
	check_same(c);
	check_flags(c, p);
}

void check_state(struct check *c, const struct bundle *b, const struct policy *p)
{
	check_log(c, b);
	check_quote(c, b, p);
	if (c->has_log)
		check_pcrs(c, p);
	check_restarts(c);
	check_txt(c, p);
	check_evidence(c, b, p);
}

void check_free(struct check *c)
{
	rows_free(&c->rows);
	public_free(&c->ek);
	public_free(&c->ak);
	log_free(&c->log);
	log_free(&c->txt_log);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/policy.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "attest/measured.h"
#include "attest/tool/bundle.h"
#include "attest/tool/rows.h"
#include "attest/tool/tool.h"
#include "attest/tool/yaml.h"
#include "monitor/hypercall.h"

#define PCR(n) (1u << (n))
/* The loader, its commands, its files, and what the monitor has started: a policy without these is none. */
#define PCRS_ALWAYS (PCR(4) | PCR(8) | PCR(9) | PCR(MEASURED_PCR_LOADED))
/* Of which a release, or the monitor's build, can say what events there are. */
#define PCRS_RELEASE PCRS_ALWAYS
#define PCRS_SAID 0x3ffu /* 0 to 9: checked, or ignored on purpose */
/* Never: what anybody can reset; and PCR 12, whose content is known. */
#define PCRS_NEVER (PCR(MEASURED_PCR_KEYS) | PCR(16) | PCR(23))
#define PCRS_VALUES_ONLY 17u /* from here on: their events are in another log */
#define CERTIFICATES_MAX 64

_Static_assert(POLICY_WHY == YAML_WHY, "one text");

bool policy_has(const struct policy_digests *d, const uint8_t digest[32])
{
	for (unsigned int i = 0; i < d->count; i++)
		if (!memcmp(d->list[i], digest, 32))
			return true;
	return false;
}

bool policy_pinned(const struct policy_pins *p, const uint8_t digest[32])
{
	for (unsigned int i = 0; i < p->count; i++)
		if (!memcmp(p->list[i], digest, 32))
			return true;
	return false;
}

STACK_OF(X509) * policy_certificates(const char *pem, size_t n)
{
	STACK_OF(X509) *list = need(sk_X509_new_null());
	BIO *bio = need(BIO_new_mem_buf(pem, (int)n));
	X509 *cert;

	while (sk_X509_num(list) < CERTIFICATES_MAX &&
	       (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		if (!sk_X509_push(list, cert))
			need(NULL);
	BIO_free(bio);
	if (!sk_X509_num(list)) {
		sk_X509_free(list);
		return NULL;
	}
	return list;
}

/* --- pieces ---------------------------------------------------------------------------------- */

static bool read_pin(struct yaml *y, yaml_node_t *item, void *arg)
{
	struct policy_pins *pins = arg;

	if (pins->count == POLICY_PINS)
		return yaml_wrong(y, item, "too many");
	return yaml_hash(y, item, pins->list[pins->count++]);
}

static bool read_digest(struct yaml *y, yaml_node_t *item, void *arg)
{
	struct policy_digests *d = arg;

	if (d->count == POLICY_DIGESTS)
		return yaml_wrong(y, item, "too many alternatives");
	return yaml_hash(y, item, d->list[d->count++]);
}

static bool event_pcr(struct yaml *y, yaml_node_t *value, void *arg)
{
	struct policy_event *e = arg;

	if (!yaml_number(y, value, 23, &e->pcr))
		return false;
	return !(PCR(e->pcr) & PCRS_NEVER) || yaml_wrong(y, value, "this PCR proves nothing");
}

static bool event_digests(struct yaml *y, yaml_node_t *value, void *arg)
{
	struct policy_event *e = arg;

	if (value && value->type == YAML_SCALAR_NODE)
		return read_digest(y, value, &e->digests);
	return yaml_each(y, value, read_digest, &e->digests) &&
	       (e->digests.count || yaml_wrong(y, value, "no hash"));
}

static bool event_what(struct yaml *y, yaml_node_t *value, void *arg)
{
	struct policy_event *e = arg;
	const char *text = yaml_text(y, value);

	if (text)
		e->what = need(strdup(text));
	return text;
}

static bool read_item(struct yaml *y, yaml_node_t *item, struct policy_event **list,
		      unsigned int *count)
{
	static const struct yaml_key keys[] = {{"pcr", event_pcr, true},
					       {"sha256", event_digests, true},
					       {"what", event_what, false}};
	struct policy_event e = {0};

	if (*count == POLICY_EVENTS)
		return yaml_wrong(y, item, "too many");
	if (!yaml_map(y, item, keys, ARRAY_SIZE(keys), &e)) {
		free(e.what);
		return false;
	}
	if (!e.what)
		e.what = need(strdup(""));
	if (!(*count & (*count - 1)))
		*list = need(reallocarray(*list, *count ? 2 * (size_t)*count : 1, sizeof(e)));
	(*list)[(*count)++] = e;
	return true;
}

static bool read_event(struct yaml *y, yaml_node_t *item, void *arg)
{
	struct policy *p = arg;

	if (!read_item(y, item, &p->events, &p->event_count))
		return false;
	return p->events[p->event_count - 1].pcr < PCRS_VALUES_ONLY ||
	       yaml_wrong(y, item, "this PCR has no events, but values");
}

static bool read_value(struct yaml *y, yaml_node_t *item, void *arg)
{
	struct policy *p = arg;

	if (!read_item(y, item, &p->values, &p->value_count))
		return false;
	for (unsigned int i = 0; i + 1 < p->value_count; i++)
		if (p->values[i].pcr == p->values[p->value_count - 1].pcr)
			return yaml_wrong(y, item, "this PCR's values twice");
	return true;
}

struct word {
	const char *name;
	uint32_t bit;
};

static bool read_word(struct yaml *y, yaml_node_t *item, const struct word *words,
		      unsigned int count, uint32_t *bits)
{
	const char *text = yaml_text(y, item);

	for (unsigned int i = 0; text && i < count; i++)
		if (!strcmp(text, words[i].name)) {
			*bits |= words[i].bit;
			return true;
		}
	return yaml_wrong(y, item, "a word that is not known");
}

static bool read_dma_word(struct yaml *y, yaml_node_t *item, void *arg)
{
	static const struct word words[] = {{"blocked", DMA_BLOCKED},
					    {"interrupts", DMA_INTERRUPTS}};

	return read_word(y, item, words, ARRAY_SIZE(words), arg);
}

static bool read_open_word(struct yaml *y, yaml_node_t *item, void *arg)
{
	static const struct word words[] = {{"chipset", PLATFORM_OPEN_CHIPSET},
					    {"config", PLATFORM_OPEN_CONFIG},
					    {"power", PLATFORM_OPEN_POWER},
					    {"memory", PLATFORM_OPEN_MEMORY},
					    {"cpus", PLATFORM_OPEN_CPUS}};

	return read_word(y, item, words, ARRAY_SIZE(words), arg);
}

/* enum tboot_state; one that is broken is never taken. */
static bool read_tboot_word(struct yaml *y, yaml_node_t *item, void *arg)
{
	static const struct word words[] = {{"none", 1u << 0},
					    {"fell-through", 1u << 1},
					    {"measured", 1u << 2}};

	return read_word(y, item, words, ARRAY_SIZE(words), arg);
}

/* --- the keys of the file -------------------------------------------------------------------- */

static bool ek_any(struct yaml *y, yaml_node_t *value, void *arg)
{
	return yaml_bool(y, value, &((struct policy *)arg)->any_host);
}

static bool ek_pins(struct yaml *y, yaml_node_t *value, void *arg)
{
	return yaml_each(y, value, read_pin, &((struct policy *)arg)->eks);
}

static bool ek_roots(struct yaml *y, yaml_node_t *value, void *arg)
{
	const char *text = yaml_text(y, value);
	struct policy *p = arg;

	if (!text)
		return false;
	p->roots = policy_certificates(text, strlen(text));
	return p->roots || yaml_wrong(y, value, "no certificates in PEM");
}

static bool require_iommus(struct yaml *y, yaml_node_t *value, void *arg)
{
	return yaml_number(y, value, 64, &((struct policy *)arg)->iommus);
}

static bool require_dma(struct yaml *y, yaml_node_t *value, void *arg)
{
	return yaml_each(y, value, read_dma_word, &((struct policy *)arg)->dma);
}

static bool require_open(struct yaml *y, yaml_node_t *value, void *arg)
{
	return yaml_each(y, value, read_open_word, &((struct policy *)arg)->may_open);
}

static bool require_tboot(struct yaml *y, yaml_node_t *value, void *arg)
{
	return yaml_each(y, value, read_tboot_word, &((struct policy *)arg)->tboot);
}

static bool require_dev(struct yaml *y, yaml_node_t *value, void *arg)
{
	return yaml_bool(y, value, &((struct policy *)arg)->dev_keys);
}

static bool require_isolation(struct yaml *y, yaml_node_t *value, void *arg)
{
	return yaml_bool(y, value, &((struct policy *)arg)->no_isolation);
}

static bool file_version(struct yaml *y, yaml_node_t *value, void *arg)
{
	uint32_t version;

	return yaml_number(y, value, 100, &version) &&
	       (version == 1 || yaml_wrong(y, value, "a version that is not known"));
}

static bool file_ek(struct yaml *y, yaml_node_t *value, void *arg)
{
	static const struct yaml_key keys[] = {{"any-host", ek_any, false},
					       {"pins", ek_pins, false},
					       {"roots", ek_roots, false}};

	return yaml_map(y, value, keys, ARRAY_SIZE(keys), arg);
}

static bool file_ak(struct yaml *y, yaml_node_t *value, void *arg)
{
	return yaml_each(y, value, read_pin, &((struct policy *)arg)->aks);
}

static bool file_require(struct yaml *y, yaml_node_t *value, void *arg)
{
	static const struct yaml_key keys[] = {
		{"iommus", require_iommus, true},
		{"dma", require_dma, true},
		{"may-be-open", require_open, true},
		{"tboot", require_tboot, true},
		{"may-have-dev-keys", require_dev, false},
		{"may-have-no-isolation", require_isolation, false},
	};

	return yaml_map(y, value, keys, ARRAY_SIZE(keys), arg);
}

static bool ignored_pcr(struct yaml *y, yaml_node_t *item, void *arg)
{
	struct policy *p = arg;
	uint32_t pcr;

	if (!yaml_number(y, item, 23, &pcr))
		return false;
	p->ignored |= PCR(pcr);
	return !(PCR(pcr) & (PCRS_ALWAYS | PCRS_NEVER)) ||
	       yaml_wrong(y, item, "this PCR cannot be ignored");
}

static bool file_ignore(struct yaml *y, yaml_node_t *value, void *arg)
{
	return yaml_each(y, value, ignored_pcr, arg);
}

static bool file_values(struct yaml *y, yaml_node_t *value, void *arg)
{
	return yaml_each(y, value, read_value, arg);
}

static bool file_events(struct yaml *y, yaml_node_t *value, void *arg)
{
	return yaml_each(y, value, read_event, arg);
}

static uint32_t pcrs_of(const struct policy_event *list, unsigned int count)
{
	uint32_t pcrs = 0;

	for (unsigned int i = 0; i < count; i++)
		pcrs |= PCR(list[i].pcr);
	return pcrs;
}

uint32_t policy_pcrs(const struct policy *p)
{
	return pcrs_of(p->events, p->event_count) | pcrs_of(p->values, p->value_count) |
	       PCR(MEASURED_PCR_LOADED) | PCR(MEASURED_PCR_KEYS);
}

/* R23: without a pin, anyone's machine with a genuine TPM would do. */
static bool complete(struct yaml *y, const struct policy *p)
{
	uint32_t events = pcrs_of(p->events, p->event_count);
	uint32_t values = pcrs_of(p->values, p->value_count);
	yaml_node_t *root = yaml_root(y);
	char what[80];

	if (!p->eks.count && !p->any_host)
		return yaml_wrong(y, root, "no host is pinned (ek: pins), nor may it be any-host");
	if (p->any_host && !p->roots)
		return yaml_wrong(y, root, "any-host without roots of certificates");
	if (values & events)
		return yaml_wrong(y, root, "a PCR has values and events");
	if (values & PCR(MEASURED_PCR_LOADED))
		return yaml_wrong(y, root, "PCR 11 has no values, but events");
	for (unsigned int i = 0; i < 24; i++)
		if (PCR(i) & (PCRS_SAID | PCRS_ALWAYS) & ~(values | events | p->ignored)) {
			snprintf(what, sizeof(what), "nothing is said of PCR %u", i);
			return yaml_wrong(y, root, what);
		}
	return true;
}

int policy_parse(struct policy *p, const uint8_t *text, size_t n, char why[POLICY_WHY])
{
	static const struct yaml_key keys[] = {
		{"nethervisor-policy", file_version, true},
		{"ek", file_ek, true},
		{"ak", file_ak, false},
		{"require", file_require, true},
		{"ignore", file_ignore, false},
		{"values", file_values, true},
		{"events", file_events, true},
	};
	struct yaml y;
	bool ok;

	*p = (struct policy){0};
	*why = '\0';
	if (!yaml_open(&y, text, n, why))
		return -1;
	ok = yaml_map(&y, yaml_root(&y), keys, ARRAY_SIZE(keys), p) && complete(&y, p);
	yaml_close(&y);
	if (!ok)
		policy_free(p);
	return ok ? 0 : -1;
}

/* Hashes of files, which people compare: the events have what was measured of them. */
static bool file_images(struct yaml *y, yaml_node_t *value, void *arg)
{
	return true;
}

int policy_parse_events(struct policy *p, const uint8_t *text, size_t n, char why[POLICY_WHY])
{
	static const struct yaml_key keys[] = {{"images", file_images, false},
					       {"events", file_events, true}};
	yaml_node_t *root;
	struct yaml y;
	bool ok;

	*p = (struct policy){0};
	*why = '\0';
	if (!yaml_open(&y, text, n, why))
		return -1;
	root = yaml_root(&y);
	ok = root->type == YAML_SEQUENCE_NODE ? file_events(&y, root, p)
					      : yaml_map(&y, root, keys, ARRAY_SIZE(keys), p);
	if (ok && pcrs_of(p->events, p->event_count) & ~PCRS_RELEASE)
		ok = yaml_wrong(&y, root, "events of a PCR other than 4, 8, 9 and 11");
	yaml_close(&y);
	if (!ok)
		policy_free(p);
	return ok ? 0 : -1;
}

int policy_load(struct policy *p, const char *path)
{
	char why[POLICY_WHY];
	struct bytes text;
	int status = bundle_read_file(path, POLICY_MAX, &text);

	*p = (struct policy){0};
	if (status)
		return status;
	if (policy_parse(p, text.at, text.n, why))
		status = fail(ATTEST_ERROR, "%s: %s", path, why);
	bytes_free(&text);
	return status;
}

void policy_free(struct policy *p)
{
	for (unsigned int i = 0; i < p->event_count; i++)
		free(p->events[i].what);
	for (unsigned int i = 0; i < p->value_count; i++)
		free(p->values[i].what);
	free(p->events);
	free(p->values);
	sk_X509_pop_free(p->roots, X509_free);
	*p = (struct policy){0};
}

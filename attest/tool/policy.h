/* SPDX-License-Identifier: Apache-2.0 */
/* What the tenant takes for good: a YAML file. docs/nether-attest.md, "The policy". */
#ifndef ATTEST_TOOL_POLICY_H
#define ATTEST_TOOL_POLICY_H

#include <openssl/x509.h>

#include "attest/tool/bytes.h"

#define POLICY_MAX (1u << 20)
#define POLICY_WHY 160
#define POLICY_DIGESTS 16u /* alternatives for one event or value */
#define POLICY_EVENTS 4096u
#define POLICY_PINS 64u

struct policy_digests {
	unsigned int count;
	uint8_t list[POLICY_DIGESTS][32];
};

/* One of these digests is to be the PCR's next event; or its value, in policy.values. */
struct policy_event {
	uint32_t pcr;
	struct policy_digests digests;
	char *what;
};

struct policy_pins {
	unsigned int count;
	uint8_t list[POLICY_PINS][32];
};

struct policy {
	struct policy_event *events, *values;
	unsigned int event_count, value_count;
	uint32_t ignored;       /* PCRs, a bit each */
	STACK_OF(X509) * roots; /* of endorsement keys' certificates; NULL: none */
	struct policy_pins eks; /* SHA-256 of a SubjectPublicKeyInfo or a certificate */
	struct policy_pins aks; /* SHA-256 of the public area: for what is checked offline */
	bool any_host;
	uint32_t iommus;             /* at least */
	uint32_t dma;                /* DMA_ flags that must be */
	uint32_t may_open;           /* PLATFORM_OPEN_ flags that may be */
	uint32_t tboot;              /* bit i: enum tboot_state's value i may be */
	bool dev_keys, no_isolation; /* may be */
};

/* The text of a file: 0, or -1 with why, and nothing to free. */
int policy_parse(struct policy *p, const uint8_t *text, size_t n, char why[POLICY_WHY]);
/* A list of {pcr, sha256, what} alone, as `make release-hashes` writes: into p->events of an empty policy. */
int policy_parse_events(struct policy *p, const uint8_t *text, size_t n, char why[POLICY_WHY]);
/* An attest_status, and says what is wrong. */
int policy_load(struct policy *p, const char *path);
void policy_free(struct policy *p);

bool policy_has(const struct policy_digests *d, const uint8_t digest[32]);
bool policy_pinned(const struct policy_pins *p, const uint8_t digest[32]);
/* All PCRs that a quote has to have. */
uint32_t policy_pcrs(const struct policy *p);
/* PEM certificates: NULL if there is none, or something else. */
STACK_OF(X509) * policy_certificates(const char *pem, size_t n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* `policy init`: a first policy, to be read and edited, of a release's hashes and of a boot that is trusted. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "attest/tool/check.h"
#include "attest/tool/tool.h"
#include "iodecrypt/tool/output.h"
#include "monitor/hypercall.h"

#define FIRMWARE_PCRS 0xefu /* 0 to 3, 5 to 7: by their values */
#define PROGRAMS_PCR 4u
#define SHIM_PCR 14u
#define ACTION_MAX 100u

/* What the command line and files say of the policy to be. */
struct request {
	struct policy host;    /* which hosts and keys */
	struct policy release; /* its events */
	struct bytes roots;    /* PEM */
};

static const uint32_t listed_pcrs[] = {4, 8, 9, MEASURED_PCR_LOADED};

static void put_text(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			fprintf(to, "\\%c", *text);
		else if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			fprintf(to, "\\x%02x", (unsigned char)*text);
		else
			fputc(*text, to);
	fputc('"', to);
}

static void put_hash(FILE *to, const uint8_t digest[32])
{
	char hex[65];

	hex_encode(hex, digest, 32);
	fputs(hex, to);
}

static void put_event(FILE *to, uint32_t pcr, const uint8_t digest[32], const char *what)
{
	fprintf(to, "  - {pcr: %u, sha256: ", pcr);
	put_hash(to, digest);
	fputs(", what: ", to);
	put_text(to, what);
	fputs("}\n", to);
}

static void put_pins(FILE *to, const char *name, const struct policy_pins *pins)
{
	fprintf(to, "%s: [", name);
	for (unsigned int i = 0; i < pins->count; i++) {
		fputs(i ? ", " : "", to);
		put_hash(to, pins->list[i]);
	}
	fputs("]\n", to);
}

static void put_roots(FILE *to, const char *pem)
{
	const char *end;

	fputs("  roots: |\n", to);
	for (const char *line = pem; *line; line = *end ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		if (end > line)
			fprintf(to, "    %.*s\n", (int)strcspn(line, "\r\n"), line);
	}
}

static void put_ek(FILE *to, const struct request *r)
{
	fputs("# Which machines: SHA-256 of the endorsement key's SubjectPublicKeyInfo or of its certificate.\n"
	      "ek:\n",
	      to);
	fprintf(to, "  any-host: %s\n", r->host.any_host ? "true" : "false");
	put_pins(to, "  pins", &r->host.eks);
	if (r->roots.n)
		put_roots(to, (char *)r->roots.at);
	if (r->host.aks.count) {
		fputs("# Attestation keys that `evidence check` takes without having asked their TPM.\n",
		      to);
		put_pins(to, "ak", &r->host.aks);
	}
}

static void put_require(FILE *to)
{
	fputs("\nrequire:\n"
	      "  iommus: 1                  # driven by the monitor, at least\n"
	      "  dma: [blocked, interrupts] # devices reach only the host's memory, send only ordinary interrupts\n"
	      "  may-be-open: []            # chipset, config, power, memory, cpus: what the monitor cannot close here\n"
	      "  tboot: [none, measured]    # or fell-through\n"
	      "  may-have-dev-keys: false\n"
	      "  may-have-no-isolation: false\n",
	      to);
}

/* Of which PCRs the policy will have the values: a bit each. */
static uint32_t valued(const struct check *c)
{
	static const uint8_t zeros[LOG_DIGEST];
	uint32_t pcrs = FIRMWARE_PCRS;

	if (memcmp(c->log.pcrs[SHIM_PCR], zeros, sizeof(zeros)) != 0)
		pcrs |= 1u << SHIM_PCR;
	if (loaded_txt(&c->loaded))
		pcrs |= TXT_PCRS;
	return pcrs;
}

/* From a boot that is trusted. */
static void put_values(FILE *to, const struct check *c)
{
	fputs("\n# Final values of PCRs: any of a list.\nvalues:\n", to);
	for (unsigned int i = 0; i < LOG_PCRS; i++)
		if (valued(c) & 1u << i) {
			fprintf(to, "  - {pcr: %u, sha256: [", i);
			put_hash(to, check_replayed(c, i));
			fputs("]}\n", to);
		}
}

static void put_loaded(FILE *to, const struct check *c)
{
	for (unsigned int i = 0; i < c->loaded.count; i++) {
		const struct loaded_event *e = &c->loaded.list[i];
		char name[LOADED_NAME], what[LOADED_NAME + 130], *words;

		if (e->id == MEASURED_TBOOT || e->id == MEASURED_PLATFORM)
			continue; /* `require` has them */
		loaded_name(e, name);
		words = loaded_words(e);
		snprintf(what, sizeof(what), "%s%s%.120s", name,
			 e->id == MEASURED_MODULE || !*words ? "" : ": ",
			 e->id == MEASURED_MODULE ? "" : words);
		free(words);
		put_event(to, MEASURED_PCR_LOADED, e->e->digest, what);
	}
}

static bool in_release(const struct policy *release, uint32_t pcr)
{
	for (unsigned int i = 0; i < release->event_count; i++)
		if (release->events[i].pcr == pcr)
			return true;
	return false;
}

static void put_released(FILE *to, const struct policy_event *e)
{
	fprintf(to, "  - {pcr: %u, sha256: [", e->pcr);
	for (unsigned int j = 0; j < e->digests.count; j++) {
		fputs(j ? ", " : "", to);
		put_hash(to, e->digests.list[j]);
	}
	fputs("], what: ", to);
	put_text(to, e->what);
	fputs("}\n", to);
}

static void put_release(FILE *to, const struct policy *release, uint32_t pcr)
{
	for (unsigned int i = 0; i < release->event_count; i++)
		if (release->events[i].pcr == pcr)
			put_released(to, &release->events[i]);
}

/*
 * Of the firmware's own between the programs. An event's type is proved by nothing: of a program that the log calls something else,
 * the digest must not get into a policy. So what is kept is proved by its data, and that can be no program: a separator's four
 * bytes, or a line of text.
 */
static bool firmwares_own(const struct log_event *e)
{
	if (log_data(e) != 1)
		return false;
	if (e->type == EV_SEPARATOR)
		return e->bytes == 4;
	if (e->type != EV_EFI_ACTION || e->bytes > ACTION_MAX)
		return false;
	for (uint32_t i = 0; i < e->bytes; i++)
		if (e->data[i] < 0x20 || e->data[i] >= 0x7f)
			return false;
	return true;
}

/*
 * PCR 4: a release says which programs the firmware starts, in order; the events between them are the firmware's own, which are
 * the boot's. ATTEST_FAILED: the boot has started more, or fewer, or something else.
 */
static int put_programs(FILE *to, const struct check *c, const struct policy *release)
{
	const struct log_event *e;
	unsigned int from = 0, next = 0;
	char *words;

	while ((e = log_next(&c->log, PROGRAMS_PCR, &from))) {
		if (e->type != EV_EFI_PROGRAM) {
			if (!firmwares_own(e))
				return fail(
					ATTEST_FAILED,
					"event %u, PCR 4: neither a program nor the firmware's own",
					e->number);
			words = log_words(e);
			put_event(to, e->pcr, e->digest, words);
			free(words);
			continue;
		}
		while (next < release->event_count && release->events[next].pcr != PROGRAMS_PCR)
			next++;
		if (next == release->event_count)
			return fail(ATTEST_FAILED,
				    "the firmware has started more than the release has");
		put_released(to, &release->events[next++]);
	}
	for (; next < release->event_count; next++)
		if (release->events[next].pcr == PROGRAMS_PCR)
			return fail(ATTEST_FAILED,
				    "the firmware has not started all that the release has");
	return ATTEST_OK;
}

/* A release's list of a PCR comes before what the boot had. */
static int put_events(FILE *to, const struct check *c, const struct policy *release)
{
	int status = ATTEST_OK;

	fputs("\n# All events of these PCRs, in their order. sha256 may be a list: any of them.\n"
	      "events:\n",
	      to);
	for (unsigned int i = 0; i < ARRAY_SIZE(listed_pcrs); i++) {
		const struct log_event *e;
		unsigned int from = 0;

		if (in_release(release, listed_pcrs[i]) && listed_pcrs[i] == PROGRAMS_PCR) {
			status = status ? status : put_programs(to, c, release);
		} else if (in_release(release, listed_pcrs[i])) {
			put_release(to, release, listed_pcrs[i]);
		} else if (listed_pcrs[i] == MEASURED_PCR_LOADED) {
			put_loaded(to, c);
		} else {
			while ((e = log_next(&c->log, listed_pcrs[i], &from))) {
				char *words = log_words(e);

				put_event(to, e->pcr, e->digest, words);
				free(words);
			}
		}
	}
	return status;
}

/* What the boot has not, and the policy will ask for. */
static void warn(const struct check *c)
{
	const struct evidence *e = &c->evidence.head;

	if (!e->iommus || ~e->dma & (DMA_BLOCKED | DMA_INTERRUPTS))
		say("this boot has no IOMMU, or not all of one: the policy refuses it as it is");
	if (e->open)
		say("this boot leaves something of the platform open: the policy refuses it as it is");
	if (e->flags & (EVIDENCE_NO_TPM | EVIDENCE_DEV_KEYS | EVIDENCE_NO_ISOLATION))
		say("this boot is one for development or without isolation: the policy refuses it as it is");
}

/* A policy has to list events of each: where nobody measured any, none can be made that `verify` takes. */
static void check_listed(struct check *c, const struct policy *release)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(listed_pcrs); i++) {
		uint32_t pcr = listed_pcrs[i];
		unsigned int from = 0;

		if (!in_release(release, pcr) && !log_next(&c->log, pcr, &from))
			rows_add(&c->rows, false, "events for a policy",
				 "a boot by UEFI and a GRUB that measures (docs/uefi.md)",
				 "nothing was measured into PCR %u", pcr);
	}
}

/* All PCRs that the policy will speak of. */
static void check_quoted(struct check *c)
{
	uint32_t needed = valued(c) | 1u << MEASURED_PCR_KEYS;

	for (unsigned int i = 0; i < ARRAY_SIZE(listed_pcrs); i++)
		needed |= 1u << listed_pcrs[i];
	rows_add(
		&c->rows, !(needed & ~c->quote.pcrs), "PCRs for a policy",
		"a quote of PCRs 0 to 9, 11, 12, 14 if it is used, and 17 and 18 after a TXT launch",
		"%s", needed & ~c->quote.pcrs ? "not all were quoted" : "all were quoted");
}

/* The boot must fit together, and be one of the host that is meant, or it is no reference for anything. */
static int check_reference(struct check *c, struct bundle *b, const struct attest_options *o,
			   const struct request *r)
{
	int status = bundle_load(b, o->from);

	if (status)
		return status;
	check_identity(c, b, &r->host);
	status = check_known(c, o, &r->host);
	if (status)
		return status;
	check_state(c, b, NULL);
	check_quoted(c);
	check_listed(c, &r->release);
	if (!c->rows.failed)
		return ATTEST_OK;
	rows_print(&c->rows, stderr);
	return fail(ATTEST_FAILED, "%s does not fit together, or is not of that host", o->from);
}

static int write_policy(FILE *to, const struct attest_options *o, const struct check *c,
			const struct request *r)
{
	int status;

	fputs("nethervisor-policy: 1\n\n", to);
	put_ek(to, r);
	put_require(to);
	put_values(to, c);
	status = put_events(to, c, &r->release);
	if (status)
		return status;
	return fflush(to) || ferror(to) ? fail_file(o->out ? o->out : "standard output")
					: ATTEST_OK;
}

static int write_out(const struct attest_options *o, const struct check *c, const struct request *r)
{
	FILE *to = stdout;
	int fd, status;

	if (!o->out)
		return write_policy(to, o, c, r);
	status = output_create(o->out, false, o->force, &fd);
	if (status)
		return ATTEST_ERROR;
	fd = dup(fd);
	to = fd < 0 ? NULL : fdopen(fd, "w");
	status = to ? write_policy(to, o, c, r) : fail_file(o->out);
	if (to && fclose(to) && !status)
		status = fail_file(o->out);
	if (!status && output_commit())
		status = ATTEST_ERROR;
	output_discard();
	return status;
}

/* Hashes as the user has written them. */
static int read_pins(struct policy_pins *pins, const char *const list[], unsigned int count)
{
	_Static_assert(LIST_MAX <= POLICY_PINS, "all that the command line can have");
	for (; pins->count < count; pins->count++)
		if (!hex_decode(pins->list[pins->count], list[pins->count], 32))
			return fail(ATTEST_USAGE, "%s is not a SHA-256 hash in hexadecimal",
				    list[pins->count]);
	return ATTEST_OK;
}

static int read_roots(struct request *r, const char *path)
{
	int status = bundle_read_file(path, POLICY_MAX, &r->roots);
	const char *pem = (char *)r->roots.at;

	if (status)
		return status;
	r->host.roots = policy_certificates(pem, r->roots.n);
	if (!r->host.roots || strlen(pem) != r->roots.n)
		return fail(ATTEST_ERROR, "%s: no certificates in PEM", path);
	return ATTEST_OK;
}

static int read_release(struct request *r, const char *path)
{
	struct bytes text = {NULL, 0};
	int status = bundle_read_file(path, POLICY_MAX, &text);
	char why[POLICY_WHY];

	if (!status && policy_parse_events(&r->release, text.at, text.n, why))
		status = fail(ATTEST_ERROR, "%s: %s", path, why);
	bytes_free(&text);
	return status;
}

static int read_request(struct request *r, const struct attest_options *o)
{
	int status;

	r->host.any_host = o->any_host;
	status = read_pins(&r->host.eks, o->ek, o->eks);
	if (!status)
		status = read_pins(&r->host.aks, o->ak, o->aks);
	if (!status && o->ek_root)
		status = read_roots(r, o->ek_root);
	if (!status && o->release)
		status = read_release(r, o->release);
	return status;
}

int attest_policy_init(const struct attest_options *o, char **args)
{
	struct request r = {0};
	struct bundle b = {0};
	struct check c = {0};
	int status;

	if (!o->from)
		return fail(ATTEST_USAGE,
			    "--from EVIDENCE is needed: firmware's PCRs are those of a boot");
	if (!o->eks && !o->any_host)
		return fail(
			ATTEST_USAGE,
			"--ek HASH pins the host (`evidence save` shows it); without, anyone's machine would do: --any-host");
	if (o->any_host && !o->ek_root)
		return fail(ATTEST_USAGE, "--any-host takes an --ek-root");
	status = read_request(&r, o);
	if (!status)
		status = check_reference(&c, &b, o, &r);
	if (!status) {
		warn(&c);
		status = write_out(o, &c, &r);
	}
	bytes_free(&r.roots);
	policy_free(&r.host);
	policy_free(&r.release);
	check_free(&c);
	bundle_free(&b);
	return status;
}

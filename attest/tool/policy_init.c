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

/* Hashes as the user has written them. */
static int put_pins(FILE *to, const char *name, const char *const list[], unsigned int count)
{
	uint8_t digest[32];

	fprintf(to, "%s: [", name);
	for (unsigned int i = 0; i < count; i++) {
		if (!hex_decode(digest, list[i], 32))
			return fail(ATTEST_USAGE, "%s is not a SHA-256 hash in hexadecimal",
				    list[i]);
		fputs(i ? ", " : "", to);
		put_hash(to, digest);
	}
	fputs("]\n", to);
	return ATTEST_OK;
}

static int put_roots(FILE *to, const char *path)
{
	STACK_OF(X509) * list;
	struct bytes pem;
	int status = bundle_read_file(path, POLICY_MAX, &pem);
	const char *line, *end;

	if (status)
		return status;
	list = policy_certificates((char *)pem.at, pem.n);
	if (!list || strlen((char *)pem.at) != pem.n) {
		sk_X509_pop_free(list, X509_free);
		bytes_free(&pem);
		return fail(ATTEST_ERROR, "%s: no certificates in PEM", path);
	}
	sk_X509_pop_free(list, X509_free);
	fputs("  roots: |\n", to);
	for (line = (char *)pem.at; *line; line = *end ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		if (end > line)
			fprintf(to, "    %.*s\n", (int)strcspn(line, "\r\n"), line);
	}
	bytes_free(&pem);
	return ATTEST_OK;
}

static int put_ek(FILE *to, const struct attest_options *o)
{
	int status;

	fputs("# Which machines: SHA-256 of the endorsement key's SubjectPublicKeyInfo or of its certificate.\n"
	      "ek:\n",
	      to);
	fprintf(to, "  any-host: %s\n", o->any_host ? "true" : "false");
	status = put_pins(to, "  pins", o->ek, o->eks);
	if (!status && o->ek_root)
		status = put_roots(to, o->ek_root);
	if (!status && o->aks) {
		fputs("# Attestation keys that `evidence check` takes without having asked their TPM.\n",
		      to);
		status = put_pins(to, "ak", o->ak, o->aks);
	}
	return status;
}

static void put_require(FILE *to)
{
	fputs("\nrequire:\n"
	      "  iommus: 1                  # driven by the monitor, at least\n"
	      "  dma: [blocked, interrupts] # devices reach only the host's memory, send only ordinary interrupts\n"
	      "  may-be-open: []            # chipset, config, power: what the monitor cannot close here\n"
	      "  tboot: [none, measured]    # or fell-through\n"
	      "  may-have-dev-keys: false\n"
	      "  may-have-no-isolation: false\n",
	      to);
}

/* Values of the firmware's PCRs, from a boot that is trusted. */
static void put_values(FILE *to, const struct check *c)
{
	static const uint8_t zeros[LOG_DIGEST];

	fputs("\n# Final values of PCRs: any of a list.\nvalues:\n", to);
	for (unsigned int i = 0; i < LOG_PCRS; i++)
		if ((FIRMWARE_PCRS & 1u << i) ||
		    (i == SHIM_PCR && memcmp(c->log.pcrs[i], zeros, sizeof(zeros)) != 0)) {
			fprintf(to, "  - {pcr: %u, sha256: [", i);
			put_hash(to, c->log.pcrs[i]);
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
 * PCR 4: a release says which programs the firmware starts, in order; the events between them are the firmware's own, which are
 * the boot's. ATTEST_FAILED: the boot has started more, or fewer.
 */
static int put_programs(FILE *to, const struct check *c, const struct policy *release)
{
	const struct log_event *e;
	unsigned int from = 0, next = 0;
	char *words;

	while ((e = log_next(&c->log, PROGRAMS_PCR, &from))) {
		if (e->type != EV_EFI_PROGRAM) {
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
	if (e->flags)
		say("this boot is one for development or without isolation: the policy refuses it as it is");
}

/* The boot must fit together, or it is no reference for anything. */
static int check_reference(struct check *c, struct bundle *b, const char *path)
{
	int status = bundle_load(b, path);

	if (status)
		return status;
	check_identity(c, b, NULL);
	check_state(c, b, NULL);
	if (!c->rows.failed)
		return ATTEST_OK;
	rows_print(&c->rows, stderr);
	return fail(ATTEST_FAILED, "%s does not fit together", path);
}

static int write_policy(FILE *to, const struct attest_options *o, const struct check *c,
			const struct policy *release)
{
	int status;

	fputs("nethervisor-policy: 1\n\n", to);
	status = put_ek(to, o);
	if (status)
		return status;
	put_require(to);
	put_values(to, c);
	status = put_events(to, c, release);
	if (status)
		return status;
	return fflush(to) || ferror(to) ? fail_file(o->out ? o->out : "standard output")
					: ATTEST_OK;
}

static int write_out(const struct attest_options *o, const struct check *c,
		     const struct policy *release)
{
	FILE *to = stdout;
	int fd, status;

	if (!o->out)
		return write_policy(to, o, c, release);
	status = output_create(o->out, false, o->force, &fd);
	if (status)
		return ATTEST_ERROR;
	fd = dup(fd);
	to = fd < 0 ? NULL : fdopen(fd, "w");
	status = to ? write_policy(to, o, c, release) : fail_file(o->out);
	if (to && fclose(to) && !status)
		status = fail_file(o->out);
	if (!status && output_commit())
		status = ATTEST_ERROR;
	output_discard();
	return status;
}

int attest_policy_init(const struct attest_options *o, char **args)
{
	struct policy release = {0};
	struct bytes text = {NULL, 0};
	struct bundle b = {0};
	struct check c = {0};
	char why[POLICY_WHY];
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
	status = check_reference(&c, &b, o->from);
	if (!status && o->release)
		status = bundle_read_file(o->release, POLICY_MAX, &text);
	if (!status && o->release && policy_parse_events(&release, text.at, text.n, why))
		status = fail(ATTEST_ERROR, "%s: %s", o->release, why);
	if (!status) {
		warn(&c);
		status = write_out(o, &c, &release);
	}
	bytes_free(&text);
	policy_free(&release);
	check_free(&c);
	bundle_free(&b);
	return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/watch.h"

#include <inttypes.h>
#include <time.h>

#include "attest/tool/host.h"
#include "attest/tool/report.h"
#include "monitor/hypercall.h"

#define LOST_MAX 5u /* times in a row that the host does not answer */

static const struct evidence_guest *find_guest(const struct evidence_all *e, uint64_t id)
{
	for (uint32_t i = 0; i < e->head.guests; i++)
		if (e->guests[i].id == id)
			return &e->guests[i];
	return NULL;
}

/* Of the guest that has it, if any has. */
static const struct evidence_disk *find_disk(const struct evidence_all *e,
					     const struct evidence_disk *like)
{
	for (uint32_t i = 0; i < e->head.disks; i++)
		if (!memcmp(e->disks[i].uuid, like->uuid, sizeof(like->uuid)))
			return &e->disks[i];
	return NULL;
}

static bool guest_changes(const struct evidence_all *before, const struct evidence_all *now,
			  FILE *to)
{
	bool matters = false;

	for (uint32_t i = 0; i < before->head.guests; i++) {
		const struct evidence_guest *was = &before->guests[i], *is;

		is = find_guest(now, was->id);
		if (is && !memcmp(is, was, sizeof(*is)))
			continue;
		fprintf(to, is ? "changed: " : "gone: ");
		evidence_print_guest(is ? is : was, to);
		matters |= is != NULL; /* an id is never used again (R19) */
	}
	for (uint32_t i = 0; i < now->head.guests; i++)
		if (!find_guest(before, now->guests[i].id)) {
			fprintf(to, "new: ");
			evidence_print_guest(&now->guests[i], to);
			matters |= now->guests[i].flags & EVIDENCE_GUEST_STOPPED;
		}
	return matters;
}

static bool disk_changes(const struct evidence_all *before, const struct evidence_all *now,
			 FILE *to)
{
	bool matters = false;

	for (uint32_t i = 0; i < before->head.disks; i++) {
		const struct evidence_disk *was = &before->disks[i], *is = find_disk(now, was);

		if (is && !memcmp(is, was, sizeof(*is)))
			continue;
		fprintf(to, is ? "changed: " : "gone: ");
		evidence_print_disk(is ? is : was, to);
		matters |= is && (memcmp(is->tenant, was->tenant, sizeof(is->tenant)) != 0 ||
				  memcmp(is->release, was->release, sizeof(is->release)) != 0 ||
				  (was->state == DISK_STATE_LIVE && is->guest != was->guest));
		matters |= !is && was->state == DISK_STATE_LIVE;
	}
	for (uint32_t i = 0; i < now->head.disks; i++)
		if (!find_disk(before, &now->disks[i])) {
			fprintf(to, "new: ");
			evidence_print_disk(&now->disks[i], to);
		}
	return matters;
}

static const struct evidence_channel *find_channel(const struct evidence_all *e, uint64_t id)
{
	for (uint32_t i = 0; i < e->head.channels; i++)
		if (e->channels[i].id == id)
			return &e->channels[i];
	return NULL;
}

/* They come and go with what the guests do: nothing that matters by itself. */
static void channel_changes(const struct evidence_all *before, const struct evidence_all *now,
			    FILE *to)
{
	for (uint32_t i = 0; i < before->head.channels; i++) {
		const struct evidence_channel *was = &before->channels[i];
		const struct evidence_channel *is = find_channel(now, was->id);

		if (is && !memcmp(is, was, sizeof(*is)))
			continue;
		fprintf(to, is ? "changed: " : "gone: ");
		evidence_print_channel(is ? is : was, to);
	}
	for (uint32_t i = 0; i < now->head.channels; i++)
		if (!find_channel(before, now->channels[i].id)) {
			fprintf(to, "new: ");
			evidence_print_channel(&now->channels[i], to);
		}
}

bool watch_changes(const struct evidence_all *before, const struct evidence_all *now, FILE *to)
{
	bool matters = false, guests, disks;

	if (memcmp(before->head.receive, now->head.receive, sizeof(now->head.receive)) != 0 ||
	    memcmp(before->head.sign, now->head.sign, sizeof(now->head.sign)) != 0) {
		fprintf(to, "changed: the monitor has other keys: it was booted anew\n");
		matters = true;
	} else if (now->head.uptime < before->head.uptime) {
		fprintf(to, "changed: the monitor's clock went back\n");
		matters = true;
	}
	guests = guest_changes(before, now, to);
	disks = disk_changes(before, now, to);
	channel_changes(before, now, to);
	return matters || guests || disks;
}

static void pause_for(uint64_t seconds)
{
	struct timespec t = {.tv_sec = (time_t)seconds};

	while (nanosleep(&t, &t))
		;
}

/* Once: ATTEST_OK, ATTEST_ERROR if the host did not answer, which may pass; all else ends the watch. */
static int look(struct http *h, const struct attest_options *o, const char *host,
		const struct policy *p, struct evidence_all *last, bool *first)
{
	struct bundle b = {0};
	struct check c = {0};
	int status = host_check(h, host, p, &b, &c);

	if (!status && (*first || c.rows.failed))
		status = report(&c, &b, o->json);
	else if (!status && watch_changes(last, &c.evidence, stdout))
		status = ATTEST_FAILED;
	if (status == ATTEST_OK && *first)
		host_remember(o, host, &c);
	if (status == ATTEST_OK) {
		*last = c.evidence;
		*first = false;
	}
	fflush(stdout);
	check_free(&c);
	bundle_free(&b);
	return status;
}

int attest_watch(const struct attest_options *o, char **args)
{
	unsigned int lost = 0;
	struct evidence_all last;
	struct policy p = {0};
	bool first = true;
	struct http *h;
	int status;

	if (!o->policy || !o->every)
		return fail(ATTEST_USAGE, "`watch` takes a --policy and --every SECONDS");
	status = policy_load(&p, o->policy);
	if (status)
		return status;
	h = host_open(o, args[0]);
	status = h ? ATTEST_OK : ATTEST_ERROR;
	for (uint64_t i = 0; h && (!o->count || i < o->count); i++) {
		if (i)
			pause_for(o->every);
		status = look(h, o, args[0], &p, &last, &first);
		lost = status == ATTEST_ERROR ? lost + 1 : 0;
		if ((status && status != ATTEST_ERROR) || lost == LOST_MAX)
			break;
	}
	http_close(h);
	policy_free(&p);
	return status;
}

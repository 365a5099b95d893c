/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/launch.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LOST_MAX 5u /* times in a row that the host does not answer */
#define SETTLE 15u  /* seconds: see launch_wait() */
#define PATH 96

enum launch {
	LAUNCH_PENDING,
	LAUNCH_RUNS,
	LAUNCH_OVER, /* failed; or stopped, or forgotten */
};

struct look {
	enum launch is;
	char state[LAUNCH_STATE]; /* the host's word */
	char *message;            /* the host's, harmless; or NULL */
};

static time_t now(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static const char *member(const cJSON *json, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));

	return text ? text : "";
}

static bool read_state(struct look *l, const cJSON *json)
{
	static const char *const states[] = {"defined", "starting", "running", "stopped", "failed"};
	const char *state = member(json, "state"), *message = member(json, "message");

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (!strcmp(state, states[i])) {
			snprintf(l->state, sizeof(l->state), "%s", states[i]);
			l->is = !strcmp(state, "running")    ? LAUNCH_RUNS
				: !strcmp(state, "starting") ? LAUNCH_PENDING
							     : LAUNCH_OVER;
			l->message = *message ? rows_text(message, strlen(message)) : NULL;
			return true;
		}
	return false;
}

/* ATTEST_OK and *l, whose message is to be freed; or ATTEST_ERROR, said why. */
static int ask(struct http *h, const struct attest_options *o, struct look *l)
{
	cJSON *answer = NULL;
	char path[PATH];
	int status;

	snprintf(path, sizeof(path), "/v1/vms/%s", o->vm);
	status = host_call(h, "GET", path, NULL, &answer);
	if (!status && !read_state(l, answer))
		status = fail(ATTEST_ERROR, "%s: the answer has no state", path);
	cJSON_Delete(answer);
	return status;
}

static int outcome(const struct attest_options *o, const struct look *l)
{
	if (l->is == LAUNCH_RUNS)
		say("the host says that %s is running", o->vm);
	else
		say("the host says that %s is %s%s%s", o->vm, l->state, l->message ? ": " : "",
		    l->message ? l->message : "");
	return l->is == LAUNCH_RUNS ? ATTEST_OK : ATTEST_FAILED;
}

int launch_before(struct http *h, const struct attest_options *o, char before[LAUNCH_STATE])
{
	struct look l = {LAUNCH_PENDING, "", NULL};
	int status = ask(h, o, &l);

	memcpy(before, l.state, LAUNCH_STATE);
	free(l.message);
	return status;
}

/*
 * The host takes the message at its leisure, and may say meanwhile what was before: a launch is over when it says something
 * else, or that for long.
 */
int launch_wait(struct http *h, const struct attest_options *o, const char before[LAUNCH_STATE])
{
	time_t end = now() + (time_t)o->expires;
	unsigned int lost = 0, same = 0;
	int status;

	while (lost < LOST_MAX) {
		struct look l = {LAUNCH_PENDING, "", NULL};
		bool over;

		status = ask(h, o, &l);
		lost = status ? lost + 1 : 0;
		same = l.is == LAUNCH_OVER && !strcmp(l.state, before) ? same + 1 : 0;
		over = l.is == LAUNCH_OVER && (!same || same > SETTLE);
		status = l.is == LAUNCH_RUNS || over ? outcome(o, &l) : -1;
		free(l.message);
		if (status >= 0)
			return status;
		if (now() >= end)
			return fail(ATTEST_ERROR,
				    "%s is not running yet, and the message has expired", o->vm);
		nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	}
	return fail(ATTEST_ERROR, "what became of %s is not known: see GET /v1/vms/%s", o->vm,
		    o->vm);
}

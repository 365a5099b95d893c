/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "attest/api/source.h"
#include "attest/api/tpm.h"
#include "version.h"

static const char *const path_text[] = {
#define X(name, text) text,
	PATHS(X)
#undef X
};
/* What is answered with; the last place is for any other. */
static const unsigned int statuses[] = {200, 201, 202, 204, 400, 401, 403, 404, 405,
					409, 411, 413, 422, 429, 500, 503, 507, 0};
#define STATUSES (sizeof(statuses) / sizeof(statuses[0]))

static const struct {
	uint64_t most; /* microseconds */
	const char *text;
} buckets[] = {{5000, "0.005"}, {50000, "0.05"}, {500000, "0.5"}, {5000000, "5"}};
#define BUCKETS (sizeof(buckets) / sizeof(buckets[0]))

static _Atomic uint64_t requests[PATH_CLASSES][STATUSES];
static _Atomic uint64_t latency[PATH_CLASSES][BUCKETS + 1], microseconds_sum[PATH_CLASSES];
static _Atomic uint64_t bytes_written, cuts, quotes, tpm_errors;
static _Atomic int connections, images;

void metrics_request(enum path_class path, unsigned int status, uint64_t microseconds)
{
	size_t s = 0, b = 0;

	while (s < STATUSES - 1 && statuses[s] != status)
		s++;
	while (b < BUCKETS && microseconds > buckets[b].most)
		b++;
	requests[path][s]++;
	latency[path][b]++;
	microseconds_sum[path] += microseconds;
}

void metrics_bytes(uint64_t n)
{
	bytes_written += n;
}

void metrics_connections(int change)
{
	connections += change;
}

void metrics_cut(void)
{
	cuts++;
}

void metrics_quote(void)
{
	quotes++;
}

void metrics_tpm_error(void)
{
	tpm_errors++;
}

void metrics_images(int change)
{
	images += change;
}

static uint64_t resident(void)
{
	unsigned long size = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu", &size, &pages) != 2)
		pages = 0;
	fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void print_requests(FILE *out)
{
	fputs("# TYPE netherd_requests_total counter\n", out);
	for (int p = 0; p < PATH_CLASSES; p++) {
		for (size_t s = 0; s < STATUSES; s++) {
			if (requests[p][s])
				fprintf(out,
					"netherd_requests_total{path=\"%s\",status=\"%u\"} %" PRIu64
					"\n",
					path_text[p], statuses[s], requests[p][s]);
		}
	}
}

static void print_latency(FILE *out)
{
	fputs("# TYPE netherd_request_seconds histogram\n", out);
	for (int p = 0; p < PATH_CLASSES; p++) {
		uint64_t n = 0;

		for (size_t b = 0; b < BUCKETS; b++) {
			n += latency[p][b];
			fprintf(out,
				"netherd_request_seconds_bucket{path=\"%s\",le=\"%s\"} %" PRIu64
				"\n",
				path_text[p], buckets[b].text, n);
		}
		n += latency[p][BUCKETS];
		fprintf(out,
			"netherd_request_seconds_bucket{path=\"%s\",le=\"+Inf\"} %" PRIu64 "\n",
			path_text[p], n);
		fprintf(out, "netherd_request_seconds_sum{path=\"%s\"} %.6f\n", path_text[p],
			(double)microseconds_sum[p] / 1e6);
		fprintf(out, "netherd_request_seconds_count{path=\"%s\"} %" PRIu64 "\n",
			path_text[p], n);
	}
}

static void one(FILE *out, const char *name, const char *type, uint64_t value)
{
	fprintf(out, "# TYPE %s %s\n%s %" PRIu64 "\n", name, type, name, value);
}

void metrics_answer(const struct request *r, struct answer *a)
{
	FILE *out;

	answer_free(a);
	out = open_memstream(&a->body, &a->bytes);
	if (!out) {
		answer_error(a, 500, "internal", "no memory");
		return;
	}
	fprintf(out, "# TYPE netherd_build_info gauge\nnetherd_build_info{version=\"%s\"} 1\n",
		NETHERVISOR_VERSION);
	print_requests(out);
	print_latency(out);
	one(out, "netherd_upload_bytes_total", "counter", bytes_written);
	one(out, "netherd_connections", "gauge", (uint64_t)connections);
	one(out, "netherd_connections_cut_total", "counter", cuts);
	one(out, "netherd_quotes_total", "counter", quotes);
	one(out, "netherd_tpm_errors_total", "counter", tpm_errors);
	one(out, "netherd_tpm_up", "gauge", tpm_healthy());
	one(out, "netherd_monitor_up", "gauge", source_is_there());
	one(out, "netherd_images", "gauge", (uint64_t)images);
	one(out, "process_resident_memory_bytes", "gauge", resident());
	fclose(out);
	a->status = 200;
	a->type = "text/plain; version=0.0.4";
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netherctl: shows the version, statistics and log of the monitor below, and declares guests
 * sealed. What it prints has come through L1, which could have changed it: it serves operators, not
 * tenants.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "monitor/ctl/command.h"
#include "monitor/hypercall.h"
#include "monitor/reasons.h"
#include "version.h"

#define RECORDS_MAX 1024 /* more than any monitor has: a larger number is a broken answer */
#define LOG_POLL_NS 200000000L
#define DIGEST_SHOWN 8 /* bytes of a digest in a list */

struct guest {
	bool there;
	struct monitor_guest g;
	struct monitor_launch launch; /* not of the host */
	struct monitor_exits exits[EXIT_REASON_COUNT];
};

/* One reading of everything. Not atomic: the guests run on while it is taken. */
struct snapshot {
	struct monitor_version version;
	struct monitor_info info;
	struct monitor_platform platform;
	uint64_t tsc;
	size_t count;
	struct guest *guests; /* [0] is the host */
	struct monitor_refused refused[REFUSAL_COUNT];
};

static const char *const reason_name[] = {
#define X(name, text) [EXIT_##name] = #name,
	EXIT_REASONS(X)
#undef X
};

static const char *const reason_text[] = {
#define X(name, text) [EXIT_##name] = text,
	EXIT_REASONS(X)
#undef X
};

static const char *const refusal_name[] = {
#define X(name, text) [REFUSAL_##name] = #name,
	REFUSALS(X)
#undef X
};

static const char *const refusal_text[] = {
#define X(name, text) [REFUSAL_##name] = text,
	REFUSALS(X)
#undef X
};

static const char *stop_text(const struct monitor_guest *g)
{
	static const char *const text[] = {
#define X(name, text) [STOP_##name] = text,
		STOP_REASONS(X)
#undef X
	};

	return g->why < STOP_REASON_COUNT ? text[g->why]
					  : "a reason that this netherctl does not know";
}

static uint64_t rdtsc(void)
{
	uint32_t lo;
	uint32_t hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return lo | (uint64_t)hi << 32;
}

static double mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

static double ratio(uint64_t a, uint64_t b)
{
	return b ? (double)a / (double)b : 0;
}

static int read_guest(uint64_t index, struct guest *guest)
{
	int err = ask_guest(index, &guest->g);

	memset(guest->exits, 0, sizeof(guest->exits));
	memset(&guest->launch, 0, sizeof(guest->launch));
	guest->there = err == 0;
	if (index && guest->there && ask_launch(index, &guest->launch))
		guest->there = false; /* gone since, as below */
	for (unsigned int r = 0; guest->there && r < EXIT_REASON_COUNT; r++)
		if (ask_exits(index, r, &guest->exits[r]))
			guest->there = false;
	return 0;
}

/* Fills everything but the version, which says whether asking is safe at all. */
static int snapshot_take(struct snapshot *s)
{
	if (ask_info(&s->info) || ask_platform(&s->platform) || s->info.records == 0 ||
	    s->info.records > RECORDS_MAX) {
		fprintf(stderr, "netherctl: the monitor's answer makes no sense\n");
		return STATUS_ERROR;
	}
	s->count = s->info.records;
	s->guests = calloc(s->count, sizeof(*s->guests));
	if (!s->guests) {
		fprintf(stderr, "netherctl: out of memory\n");
		return STATUS_ERROR;
	}
	for (size_t i = 0; i < s->count; i++)
		read_guest(i, &s->guests[i]);
	for (unsigned int i = 0; i < REFUSAL_COUNT; i++)
		if (ask_refused(i, &s->refused[i]))
			s->refused[i].count = 0;
	s->tsc = rdtsc();
	return STATUS_OK;
}

static uint64_t cycles_of(const struct guest *g)
{
	uint64_t sum = 0;

	for (unsigned int r = 0; r < EXIT_REASON_COUNT; r++)
		sum += g->exits[r].cycles;
	return sum;
}

/* --- text ------------------------------------------------------------------------------- */

static void print_title(size_t index, const struct guest *guest)
{
	const struct monitor_guest *g = &guest->g;

	if (index == 0)
		printf("\nhost (L1)");
	else
		printf("\nguest %" PRIu64 ", root 0x%" PRIx64, g->id, g->root);
	printf(": %" PRIu64 " vCPU%s, ", g->vcpus, g->vcpus == 1 ? "" : "s");
	if (g->stopped)
		printf("stopped: %s, ", stop_text(g));
	else
		printf("running, ");
	printf("%" PRIu64 " exits\n", g->exits);
}

static void print_dma(const struct monitor_info *info)
{
	if (info->dma & DMA_OPEN) {
		printf("DMA: open, devices reach all memory\n");
		return;
	}
	printf("DMA: %" PRIu64 " IOMMU%s, devices reach the host's memory%s%s\n", info->iommus,
	       info->iommus == 1 ? "" : "s",
	       info->dma & DMA_BLOCKED ? ", and none before it was measured" : "",
	       info->dma & DMA_INTERRUPTS ? "; interrupts are filtered" : "");
}

static void print_refused(const struct snapshot *s)
{
	const char *title = "\nrefused to the host: (MSR or address of the last)\n";

	for (unsigned int i = 0; i < REFUSAL_COUNT; i++) {
		const struct monitor_refused *r = &s->refused[i];

		if (!r->count)
			continue;
		printf("%s  %12" PRIu64 " %16" PRIx64 "  %s\n", title, r->count, r->last,
		       refusal_text[i]);
		title = "";
	}
}

static const char *space_text(uint64_t space)
{
	static const char *const text[] = {"nowhere", "port", "PCI", "memory"};

	return space < sizeof(text) / sizeof(text[0]) ? text[space] : "?";
}

static void print_platform(const struct monitor_platform *p)
{
	printf("platform: %" PRIu64 " writes refused", p->refused);
	if (p->refused)
		printf(", the last of 0x%" PRIx64 " to %s 0x%" PRIx64, p->value,
		       space_text(p->space), p->address);
	printf("\n");
	if (p->open & PLATFORM_OPEN_CHIPSET)
		printf("open to the host: registers of a chipset that the monitor does not know\n");
	if (p->open & PLATFORM_OPEN_CONFIG)
		printf("open to the host: some of PCI configuration space\n");
	if (p->open & PLATFORM_OPEN_POWER)
		printf("open to the host: sleep or reset registers\n");
	if (p->open & PLATFORM_OPEN_MEMORY)
		printf("open to the host: memory, after a reset from outside\n");
	if (p->open & PLATFORM_OPEN_CPUS)
		printf("open to the host: CPUs that ACPI does not list\n");
}

static void print_stat(const struct snapshot *s)
{
	const struct monitor_info *info = &s->info;

	printf("Nethervisor %s, backend %s, %" PRIu64 " CPU%s\n", s->version.text,
	       s->version.backend, info->cpus, info->cpus == 1 ? "" : "s");
	printf("memory: host %.1f MiB, monitor %.1f MiB at 0x%" PRIx64 "\n", mib(info->host_bytes),
	       mib(info->monitor_bytes), info->monitor_hpa);
	print_dma(info);
	print_platform(&s->platform);
	for (size_t i = 0; i < s->count; i++) {
		const struct guest *g = &s->guests[i];

		if (!g->there)
			continue;
		print_title(i, g);
		printf("  %12s %16s %12s  reason\n", "exits", "cycles", "cycles/exit");
		for (unsigned int r = 0; r < EXIT_REASON_COUNT; r++) {
			const struct monitor_exits *e = &g->exits[r];

			if (e->count)
				printf("  %12" PRIu64 " %16" PRIu64 " %12.0f  %s\n", e->count,
				       e->cycles, ratio(e->cycles, e->count), reason_text[r]);
		}
	}
	print_refused(s);
}

/* --- JSON ------------------------------------------------------------------------------- */

static void json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\' || (unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
			printf("\\u%04x", (unsigned char)*s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void json_guest(const struct guest *guest)
{
	const struct monitor_guest *g = &guest->g;
	const char *comma = "";

	printf("{\"id\": %" PRIu64 ", \"root\": %" PRIu64 ", \"vcpus\": %" PRIu64 ", ", g->id,
	       g->root, g->vcpus);
	if (guest->launch.id) {
		printf("\"protection\": \"%s\", \"digest\": \"", launch_kind(&guest->launch));
		launch_digest(&guest->launch, sizeof(guest->launch.digest));
		printf("\", ");
	}
	printf("\"state\": \"%s\", \"why\": ", g->stopped ? "stopped" : "running");
	json_string(stop_text(g));
	printf(", \"exits\": %" PRIu64 ", \"reasons\": {", g->exits);
	for (unsigned int r = 0; r < EXIT_REASON_COUNT; r++) {
		const struct monitor_exits *e = &guest->exits[r];

		if (!e->count)
			continue;
		printf("%s\"%s\": {\"exits\": %" PRIu64 ", \"cycles\": %" PRIu64 "}", comma,
		       reason_name[r], e->count, e->cycles);
		comma = ", ";
	}
	printf("}}");
}

static void json_refused(const struct snapshot *s)
{
	const char *comma = "";

	printf("{");
	for (unsigned int i = 0; i < REFUSAL_COUNT; i++) {
		const struct monitor_refused *r = &s->refused[i];

		if (!r->count)
			continue;
		printf("%s\"%s\": {\"count\": %" PRIu64 ", \"last\": %" PRIu64 "}", comma,
		       refusal_name[i], r->count, r->last);
		comma = ", ";
	}
	printf("}");
}

static void print_json(const struct snapshot *s)
{
	const struct monitor_info *info = &s->info;
	const char *comma = "";

	printf("{\"version\": ");
	json_string(s->version.text);
	printf(", \"backend\": ");
	json_string(s->version.backend);
	printf(", \"abi\": %" PRIu64 ", \"cpus\": %" PRIu64 ",\n", s->version.abi, info->cpus);
	printf(" \"host_bytes\": %" PRIu64 ", \"monitor_bytes\": %" PRIu64
	       ", \"monitor_hpa\": %" PRIu64 ",\n",
	       info->host_bytes, info->monitor_bytes, info->monitor_hpa);
	printf(" \"iommus\": %" PRIu64 ", \"dma_open\": %s, \"dma_blocked_at_boot\": %s, "
	       "\"interrupts_filtered\": %s,\n",
	       info->iommus, info->dma & DMA_OPEN ? "true" : "false",
	       info->dma & DMA_BLOCKED ? "true" : "false",
	       info->dma & DMA_INTERRUPTS ? "true" : "false");
	printf(" \"platform\": {\"refused\": %" PRIu64 ", \"space\": \"%s\", \"address\": %" PRIu64
	       ", \"value\": %" PRIu64 ", \"open\": %" PRIu64 "},\n",
	       s->platform.refused, space_text(s->platform.space), s->platform.address,
	       s->platform.value, s->platform.open);
	printf(" \"tsc_start\": %" PRIu64 ", \"tsc\": %" PRIu64 ",\n \"host\": ", info->tsc_start,
	       s->tsc);
	json_guest(&s->guests[0]);
	printf(",\n \"refused\": ");
	json_refused(s);
	printf(",\n \"guests\": [");
	for (size_t i = 1; i < s->count; i++) {
		if (!s->guests[i].there)
			continue;
		printf("%s\n  ", comma);
		json_guest(&s->guests[i]);
		comma = ",";
	}
	printf("]}\n");
}

/* --- the commands ----------------------------------------------------------------------- */

static int cmd_stat(struct snapshot *s, int argc, char **argv)
{
	bool json = argc == 1 && !strcmp(argv[0], "--json");
	int status;

	if (argc && !json) {
		fprintf(stderr, "usage: netherctl stat [--json]\n");
		return STATUS_ERROR;
	}
	status = snapshot_take(s);
	if (status)
		return status;
	(json ? print_json : print_stat)(s);
	free(s->guests);
	return STATUS_OK;
}

static int cmd_guests(struct snapshot *s, int argc)
{
	int status;

	if (argc) {
		fprintf(stderr, "usage: netherctl guests\n");
		return STATUS_ERROR;
	}
	status = snapshot_take(s);
	if (status)
		return status;
	printf("%6s  %5s  %-11s  %-*s  state\n", "guest", "vCPUs", "protection", 2 * DIGEST_SHOWN,
	       "digest");
	for (size_t i = 1; i < s->count; i++) {
		const struct guest *g = &s->guests[i];

		if (!g->there)
			continue;
		printf("%6" PRIu64 "  %5" PRIu64 "  %-11s  ", g->g.id, g->g.vcpus,
		       launch_kind(&g->launch));
		if (g->launch.flags & LAUNCH_PROTECTED)
			launch_digest(&g->launch, DIGEST_SHOWN);
		else
			printf("%-*s", 2 * DIGEST_SHOWN, "-");
		printf("  %s%s\n", g->g.stopped ? "stopped: " : "", stop_text(&g->g));
	}
	free(s->guests);
	return STATUS_OK;
}

static int cmd_log(int argc, char **argv)
{
	bool follow = argc == 1 && !strcmp(argv[0], "-f");
	uint64_t pos = 0;
	uint64_t lost;
	char buf[ASK_LOG_CHUNK];

	if (argc && !follow) {
		fprintf(stderr, "usage: netherctl log [-f]\n");
		return STATUS_ERROR;
	}
	for (;;) {
		int n = ask_log(&pos, buf, &lost);

		if (n < 0) {
			fprintf(stderr, "netherctl: the monitor refuses to read its log: %d\n", n);
			return STATUS_ERROR;
		}
		if (lost)
			printf("[%" PRIu64 " bytes lost]\n", lost);
		if (fwrite(buf, 1, (size_t)n, stdout) != (size_t)n)
			return STATUS_ERROR;
		if (n)
			continue;
		if (fflush(stdout) || !follow)
			return ferror(stdout) ? STATUS_ERROR : STATUS_OK;
		nanosleep(&(struct timespec){.tv_nsec = LOG_POLL_NS}, NULL);
	}
}

/* The record of the same guest in an earlier snapshot, or NULL if it is newer than that. */
static const struct guest *earlier(const struct snapshot *old, const struct guest *g)
{
	for (size_t i = 0; i < old->count; i++)
		if (old->guests[i].there && old->guests[i].g.id == g->g.id)
			return &old->guests[i];
	return NULL;
}

static void top_guest(size_t index, const struct guest *now, const struct guest *then, double secs,
		      uint64_t tsc)
{
	static const struct guest nothing;

	then = then ? then : &nothing;
	print_title(index, now);
	printf("  %.2f %% of a CPU is spent in the monitor\n",
	       100 * ratio(cycles_of(now) - cycles_of(then), tsc));
	printf("  %12s %12s  reason\n", "exits/s", "cycles/exit");
	for (unsigned int r = 0; r < EXIT_REASON_COUNT; r++) {
		uint64_t n = now->exits[r].count - then->exits[r].count;
		uint64_t cycles = now->exits[r].cycles - then->exits[r].cycles;

		if (n)
			printf("  %12.0f %12.0f  %s\n", (double)n / secs, ratio(cycles, n),
			       reason_text[r]);
	}
}

static double now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int cmd_top(struct snapshot *s, int argc, char **argv)
{
	long rounds = argc ? strtol(argv[0], NULL, 10) : -1;
	struct snapshot old = *s;
	double then;
	int status;

	if (argc > 1 || (argc && rounds <= 0)) {
		fprintf(stderr, "usage: netherctl top [SECONDS]\n");
		return STATUS_ERROR;
	}
	status = snapshot_take(&old);
	then = now_seconds();
	while (!status && rounds--) {
		double now;

		sleep(1);
		status = snapshot_take(s);
		if (status)
			break;
		now = now_seconds();
		if (isatty(STDOUT_FILENO))
			printf("\033[H\033[J");
		for (size_t i = 0; i < s->count; i++)
			if (s->guests[i].there)
				top_guest(i, &s->guests[i], earlier(&old, &s->guests[i]),
					  now - then, s->tsc - old.tsc);
		fflush(stdout);
		free(old.guests);
		old = *s;
		then = now;
	}
	free(old.guests);
	return status;
}

static int usage(FILE *to, int status)
{
	fprintf(to,
		"usage: netherctl COMMAND\n"
		"  stat [--json]   memory owners, guests, exits by reason with their cost\n"
		"  guests          one line for each guest: how protected, digest, state\n"
		"  launch DOMID    of one of Xen's domains: sealed or open, and its launch digest\n"
		"  declare DOMID sealed|open\n"
		"                  before its first run ('xl create -p'): what it is to be launched as\n"
		"  disks           the guests' encrypted disks: state, what was moved, refused, fetched\n"
		"  channels        what guests have offered each other and the host, and who has accepted\n"
		"  evidence NONCE FILE\n"
		"                  what the monitor signs of itself and its guests, for 64 hexadecimal digits\n"
		"  eventlog [--txt] [FILE]\n"
		"                  whether all was measured into the TPM; the log of that. --txt: of the TXT launch\n"
		"  log [-f]        the monitor's log; -f waits for more\n"
		"  top [SECONDS]   exits per second, refreshed every second\n"
		"  version         of the monitor and of this program\n"
		"Exit status: 0, 1 error, 2 no monitor answers, 3 the monitor speaks another ABI.\n"
		"All numbers are what the monitor says through L1; L1 could have changed them.\n");
	return status;
}

static bool known(const char *command)
{
	static const char *const commands[] = {"stat",  "guests",   "launch",   "declare",
					       "disks", "channels", "evidence", "eventlog",
					       "log",   "top",      "version"};

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(command, commands[i]))
			return true;
	return false;
}

static int report_version_error(int err, const struct monitor_version *v)
{
	if (err == ASK_NO_MONITOR) {
		fprintf(stderr, "netherctl: no monitor answers below this system\n");
		return STATUS_NO_MONITOR;
	}
	fprintf(stderr,
		"netherctl: the monitor (%s) speaks hypercall ABI %" PRIu64
		", this program (%s) %d:\n"
		"netherctl: use the netherctl that was built with the monitor\n",
		v->text, v->abi, NETHERVISOR_VERSION, HYPERCALL_ABI);
	return STATUS_ABI;
}

int main(int argc, char **argv)
{
	struct snapshot s = {0};
	const char *command = argc > 1 ? argv[1] : "";
	int err;

	if (!strcmp(command, "--help") || !strcmp(command, "-h") || !strcmp(command, "help"))
		return usage(stdout, STATUS_OK);
	if (!known(command))
		return usage(stderr, STATUS_ERROR);

	err = ask_version(&s.version);
	if (!strcmp(command, "version")) {
		printf("netherctl %s, ABI %d\n", NETHERVISOR_VERSION, HYPERCALL_ABI);
		if (err != ASK_NO_MONITOR)
			printf("monitor %s, backend %s, ABI %" PRIu64 "\n", s.version.text,
			       s.version.backend, s.version.abi);
	}
	if (err)
		return report_version_error(err, &s.version);
	if (!strcmp(command, "stat"))
		return cmd_stat(&s, argc - 2, argv + 2);
	if (!strcmp(command, "guests"))
		return cmd_guests(&s, argc - 2);
	if (!strcmp(command, "launch"))
		return cmd_launch(argc - 2, argv + 2);
	if (!strcmp(command, "declare"))
		return cmd_declare(argc - 2, argv + 2);
	if (!strcmp(command, "disks"))
		return cmd_disks(argc - 2);
	if (!strcmp(command, "channels"))
		return cmd_channels(argc - 2);
	if (!strcmp(command, "evidence"))
		return cmd_evidence(argc - 2, argv + 2);
	if (!strcmp(command, "eventlog"))
		return cmd_eventlog(argc - 2, argv + 2);
	if (!strcmp(command, "log"))
		return cmd_log(argc - 2, argv + 2);
	if (!strcmp(command, "top"))
		return cmd_top(&s, argc - 2, argv + 2);
	return STATUS_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switch-channel/call.h"
#include "switch-channel/port/options.h"

#define SLEEP_MAX 100000u /* microseconds: not longer than this side's own heartbeat */

static const struct option known[] = {
	{"offer", required_argument, NULL, 'o'},   {"xen", required_argument, NULL, 'x'},
	{"service", required_argument, NULL, 's'}, {"queues", required_argument, NULL, 'q'},
	{"order", required_argument, NULL, 'r'},   {"mtu", required_argument, NULL, 'm'},
	{"no-offload", no_argument, NULL, 'n'},    {"violations", required_argument, NULL, 'v'},
	{"sleep", required_argument, NULL, 'l'},   {0}};

static void usage(void)
{
	fputs("usage: nether-port [OPTION..] [--offer PAGES] FILE TAP\n"
	      "       nether-port [OPTION..] --xen DOMAIN CHANNEL TAP\n"
	      "       nether-port [OPTION..] --xen DOMAIN --service NAME TAP\n"
	      "Bridges a channel with the device TAP, until it is told to end; then prints counts.\n"
	      "FILE: the channel's pages. --offer makes FILE of so many, and offers the channel; otherwise it is accepted.\n"
	      "--xen, in dom0: the channel that a guest (DOMAIN: Xen's number or name of it) offers to the host, by the monitor's number of the channel;\n"
	      "or by its service: then it waits until the guest offers one, and for the next when that has ended; by a name for the next guest, too.\n"
	      "Options: --mtu N, --no-offload; of an offer: --queues N, --order N (log2 of a ring's descriptors);\n"
	      "--violations N: of the ring's rules by the other side, after which it closes the channel and ends (100; 0: never);\n"
	      "--sleep N: microseconds between two looks at a ring that has been empty for some time (1000).\n"
	      "Status: 0: told to end, or the guest has gone; 1: it could not begin; 2: usage; 3: violations.\n",
	      stderr);
}

static bool number(const char *text, uint32_t min, uint32_t max, uint32_t *value)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (end == text || *end || v < min || v > max)
		return false;
	*value = (uint32_t)v;
	return true;
}

static bool option(struct choice *choice, int c, const char *text)
{
	switch (c) {
	case 'o':
		return number(text, 1, NRING_PAGES_MAX, &choice->offer);
	case 'x':
		choice->domain = text;
		return *text;
	case 's':
		choice->service = text;
		return *text && strlen(text) <= CHANNEL_SERVICE;
	case 'q':
		return number(text, 1, NRING_QUEUES_MAX, &choice->wish.queues);
	case 'r':
		return number(text, 1, NRING_ORDER_MAX, &choice->wish.order);
	case 'm':
		return number(text, 1, 65535, &choice->wish.mtu);
	case 'n':
		choice->wish.features = 0;
		return true;
	case 'v':
		return number(text, 0, UINT32_MAX, &choice->violations);
	case 'l':
		return number(text, 1, SLEEP_MAX, &choice->sleep);
	default:
		return false;
	}
}

static bool read_all(int argc, char **argv, struct choice *choice)
{
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
		if (!option(choice, c, optarg))
			return false;
	if ((choice->offer && choice->domain) || (choice->service && !choice->domain))
		return false;
	if (argc - optind != 2 - (choice->service != NULL))
		return false;
	choice->where = choice->service ? NULL : argv[optind];
	choice->tap = argv[argc - 1];
	return true;
}

bool options(int argc, char **argv, struct choice *choice)
{
	/* Nobody here hears bells: tap_features() has no F_SLEEP. */
	*choice = (struct choice){
		.wish = {.features = NRING_F_ALL, .mtu = 1500, .queues = 1, .order = 9},
		.violations = 100};
	if (read_all(argc, argv, choice)) {
		/* Below IPv6's least the kernel would take the device's addresses away. */
		choice->wish.mtu_min = choice->wish.mtu < 1280 ? choice->wish.mtu : 1280;
		return true;
	}
	usage();
	return false;
}

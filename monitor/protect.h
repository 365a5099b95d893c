/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protection of guests' memory, from a guest's first entry (its launch) to its end: what L1 may do
 * with the pages that are a guest's, or of a guest's table.
 */
#ifndef MONITOR_PROTECT_H
#define MONITOR_PROTECT_H

#include "crypto/seal.h"
#include "ept/guest_table.h"
#include "monitor/guestport.h"
#include "monitor/layout.h"
#include "monitor/manifest.h"
#include "monitor/startup.h"
#include "monitor/vcpu_info.h"
#include "ept/sealed.h"
#include "monitor/cpu.h"

struct guest;

/* Of one guest; in its record. */
struct protection {
	struct guest_table table;
	struct crypto_key key;
	struct seal_owner seal;
	struct guest_layout layout;
	struct vcpu_infos infos;
	struct startup startup;
	struct manifest manifest;
	struct guest_disks disks;
};

/* A word of the command line: guests are virtualized, but keep nothing from L1. */
#define PROTECT_OPTION                       \
	{                                    \
		"no-isolation", &protect_off \
	}
extern bool protect_off;

/* At boot, after crypto_init(): 0 or an error. */
int protect_init(void);

/*
 * Takes the guest's table, and the pages in it, from L1. Serves others meanwhile; the guest is LAUNCHING.
 * Returns 0, or an error with *why set and everything as it was: the guest cannot be entered.
 */
int protect_launch(struct guest *g, const char **why);

/* The guest, none of whose vCPUs was entered: its launch digest, with this CPU's guest state. 0 or an error. */
int protect_measure(struct cpu *cpu, struct guest *g);

/* Pages that the guest has, and of its table. 0: nothing is protected. */
uint64_t protect_pages(const struct guest *g);

/* The guest, which no CPU enters any more, gives up its table; its key and its seals are wiped. */
void protect_end(struct guest *g);

/*
 * L1 touched a page that its table does not give it. in_walk: its CPU did, walking what it takes for its
 * own page tables. True: L1 goes on, or tries again. False: the page is neither its own nor a guest's.
 */
bool protect_touch(struct cpu *cpu, hpa_t hpa, bool write, bool in_walk);

#endif

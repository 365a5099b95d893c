/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an attack works with: Xen's libraries, a victim fresh for this attack, perhaps an accomplice,
 * and what both say on their consoles.
 */
#ifndef ATTACK_WORLD_H
#define ATTACK_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xenctrl.h>
#include <xendevicemodel.h>
#include <xenforeignmemory.h>

#define PAGE 4096u
#define BEATS 8        /* a change shows in one of the next two; so many without one: none came */
#define RAM_PAGES 9216 /* the victim's 36 MiB */

/* A guest's console, as xenconsoled logs it. */
struct console {
	int log;
	int notify; /* inotify: the log grew */
	char line[512];
	size_t length;
};

/* What the victim is seen to do. */
enum life {
	LIFE_INTACT,  /* it goes on, and found nothing changed */
	LIFE_CHANGED, /* it goes on, and found pages changed: world.bad */
	LIFE_STOPPED, /* crashed, shut down or gone */
	LIFE_SILENT,  /* runs, and says nothing */
};

struct world {
	xc_interface *xc;
	xenforeignmemory_handle *memory;
	xendevicemodel_handle *model;
	uint32_t victim;
	uint32_t accomplice; /* 0: none */
	uint64_t seed;
	struct console victim_says;
	struct console accomplice_says;
	int accomplice_input;
	char bad[256]; /* " at GPA at GPA", of the last beat that reported a change */

	/* The victim's own words: gpas, but va. */
	uint64_t secret, va, data, epoch, hook, tell, stray, root;

	/* The outcome. */
	const char *verdict; /* "succeeded", "failed" or "untried" */
	char text[512];
};

void world_open(struct world *w, uint32_t victim, uint64_t seed, uint32_t accomplice);

/* Starts the victim and waits until it has been intact for a beat. Exits if it does not come up. */
void world_start(struct world *w);

/*
 * The outcome of the attack, as printf(). untried: something that the attack needs did not work, and nobody
 * knows whether that is the monitor's doing; adds what errno says where err is not 0.
 */
void succeeded(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void failed(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void untried(struct world *w, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The next whole line of a console, or NULL if the domain stops, or says nothing for a minute. */
const char *console_line(struct world *w, struct console *c, uint32_t domain);
bool domain_stopped(struct world *w, uint32_t domain);

/* Follows the victim until a beat that is not LIFE_INTACT, or for so many beats from now on. */
enum life world_watch(struct world *w, unsigned int beats);
const char *life_name(enum life life);

/*
 * An attack that wants the page at gpa to be not as the victim left it: whether the victim said so since
 * its last words that were read, or does within BEATS.
 */
void expect_change(struct world *w, uint64_t gpa);

/* The same for what is no page: a sign of pattern.h. `what` says it in words. */
void expect_sign(struct world *w, unsigned int sign, const char *what);

/* One that wants it to run the code that tells its secret: whether it does. */
void expect_told(struct world *w);

/* The gpa and gfn of the victim's data page n. */
uint64_t data_page(const struct world *w, unsigned int n);
xen_pfn_t data_gfn(const struct world *w, unsigned int n);

/* One page, or n in a row, of a domain; NULL and errno if it cannot be mapped. */
void *map_page(struct world *w, uint32_t domain, int prot, xen_pfn_t gfn);
void unmap_page(struct world *w, void *page);

/*
 * Whether memory has 8 bytes or more of the secret, at a multiple of 8. The secret itself is nowhere in
 * this program's memory, so that a search of all memory does not find the searcher.
 */
bool has_secret(const struct world *w, const void *memory, size_t size);
void judge_secret(struct world *w, const void *memory, size_t size, const char *where);

/* Lets the victim own so many pages more. */
int grow_limit(struct world *w, uint32_t domain, unsigned int pages);

/* Machine frames that Xen's table (M2P) says are at this gfn in some domain; their number, <= max. */
size_t frames_of(struct world *w, xen_pfn_t gfn, xen_pfn_t *frames, size_t max);

/* Sends a command to the accomplice; its answer, or NULL if it was stopped. */
const char *ask_accomplice(struct world *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif

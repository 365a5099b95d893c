/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The I/O ports of L1. All are its own, without an exit, but for those that a rule names. A guest
 * never reaches those either, whatever L1 leaves to it.
 */
#ifndef MONITOR_PORT_H
#define MONITOR_PORT_H

#include "monitor/exit.h"

/* Of one bit a port, set: exits; with the bits of the last ports' neighbours behind it. */
#define PORT_MAP_PAGES 3
#define PORT_RULES_MAX 32

/* An OUT of L1's. */
struct port_write {
	uint16_t port;
	uint8_t size; /* bytes */
	uint32_t value;
};

enum port_answer {
	PORT_PASS,   /* the hardware gets it */
	PORT_DONE,   /* it has been carried out, or is silently dropped */
	PORT_REFUSE, /* dropped, counted and logged */
};

struct port_rule {
	uint16_t first, last;
	/* The only size of an access that is served, at `first`; 0: any inside the rule. */
	uint8_t size;
	const char *name;
	/* Decides about an OUT, and may end the machine. NULL: all are refused. */
	enum port_answer (*write)(struct cpu *cpu, const struct port_write *w);
	/* Answers an IN. NULL: the hardware does. */
	uint32_t (*read)(uint16_t port, unsigned int size);
};

/* At boot: a map in which nothing exits. */
void port_init(void);

/*
 * At boot: copies the rule. What an earlier rule has of it stays that one's: ERR_PERM if it has all
 * of it; ERR_NOMEM if there are too many.
 */
int port_add(const struct port_rule *rule);

/* port_list.c: adds what every machine has, and what this one is found to have. */
int port_list(void);

/* port_map.c: the map for the hardware. Whether an access of that many bytes meets a rule. */
hpa_t port_map(void);
bool port_exits(uint16_t port, unsigned int size);

/* For port.c. */
void port_map_init(void);
void port_map_close(uint16_t port);

/* L1 left for an IN or OUT: carries it out, or refuses it. */
void port_access(struct cpu *cpu, const struct exit *exit);

#endif

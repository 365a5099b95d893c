/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's hypercalls as functions of an ordinary program in L1. */
#ifndef MONITOR_CTL_ASK_H
#define MONITOR_CTL_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mailbox_attach; /* iodecrypt/mailbox.h */

enum ask_error {
	ASK_NO_MONITOR = -1, /* the instruction faulted, or somebody else answered */
	ASK_ABI = -2,        /* a monitor with other hypercalls than ours */
};

struct monitor_version {
	uint64_t abi;
	char text[33];
	char backend[9];
};

struct monitor_info {
	uint64_t host_bytes;
	uint64_t monitor_bytes;
	uint64_t monitor_hpa;
	uint64_t cpus;
	uint64_t records; /* of guests, the host's included */
	uint64_t tsc_start;
	uint64_t iommus; /* that the monitor drives */
	uint64_t dma;    /* DMA_ flags */
};

struct monitor_guest {
	uint64_t id;
	uint64_t root; /* hpa of its nested table */
	uint64_t vcpus;
	uint64_t stopped;
	uint64_t why; /* enum stop_reason */
	uint64_t exits;
};

struct monitor_launch {
	uint64_t id;
	uint64_t flags; /* LAUNCH_PROTECTED, LAUNCH_SEALED */
	uint64_t index; /* for ask_guest() */
	uint8_t digest[32];
};

struct monitor_exits {
	uint64_t count;
	uint64_t cycles;
};

struct monitor_platform {
	uint64_t refused;
	uint64_t space; /* of the last: 1 port, 2 PCI, 3 memory */
	uint64_t address;
	uint64_t value;
	uint64_t open; /* PLATFORM_OPEN_ */
};

/*
 * Must come first. 0, ASK_NO_MONITOR or ASK_ABI; in the last case v is filled and only
 * v->abi and v->text can be relied on.
 */
int ask_version(struct monitor_version *v);

/* The rest return 0 or the monitor's negative error (ept/base.h). */
int ask_info(struct monitor_info *info);
int ask_platform(struct monitor_platform *p);
int ask_guest(uint64_t index, struct monitor_guest *g);
int ask_exits(uint64_t index, unsigned int reason, struct monitor_exits *e);

/* Of an enum refusal: what L1 was refused, and an MSR's number or an address: the last one's. */
struct monitor_refused {
	uint64_t count;
	uint64_t last;
};
int ask_refused(unsigned int what, struct monitor_refused *r);

/* Of a record, or (_of) of the guest whose page is mapped here: ERR_NOENT if it is no guest's. */
int ask_launch(uint64_t index, struct monitor_launch *launch);
int ask_launch_of(const void *page, struct monitor_launch *launch);

/* The guest that will have the page mapped here: ERR_PERM if one has it already. */
int ask_declare(const void *page, bool sealed);

/* Of the guests' encrypted disks, one by its place in the monitor's table: ERR_INVAL where that ends. */
struct monitor_disk {
	uint64_t number;
	uint8_t uuid[16];
	uint64_t state; /* enum disk_slot_state */
	uint64_t guest; /* its id, or 0 */
	uint64_t drive;
	uint64_t count[2]; /* which two: `what` says, as monitor/hypercall.h has it */
};
int ask_disk(uint64_t index, unsigned int what, struct monitor_disk *d);

/* Of the channels, one by its place: ERR_INVAL where that ends. */
struct monitor_channel {
	uint64_t id;
	char service[17];                    /* with a NUL behind it */
	uint32_t state, reason, peer, pages; /* enums of switch-channel/call.h */
	uint64_t accepts;
	uint64_t offerer, acceptor; /* id of a guest; CHANNEL_HOST; 0: nobody */
};
int ask_channel(uint64_t index, struct monitor_channel *c);

/* Within a page that is locked in memory. page is mapped from the guest, which is not launched yet. */
int ask_disk_attach(const struct mailbox_attach *a, const void *page, uint64_t *number);

/* The same with a tenant's message. */
struct release_message; /* attest/release.h */
int ask_release(const struct release_message *m, const void *page, uint64_t *number);

/* After a 0 for closing: what its owner should know. */
struct monitor_receipt {
	uint8_t root[16];
	uint64_t generation;
};
int ask_disk_serve(uint64_t number, void *mailbox, struct monitor_receipt *r);

/* The evidence for the nonce in its first 32 bytes, into n bytes at buf; *bytes is how many it is (ERR_2BIG: that are needed). */
int ask_evidence(void *buf, uint64_t n, uint64_t *bytes);
/* Into a page of the caller's that is locked in memory: the event log's bytes from `at` on; at | EVENTLOG_TXT: of the TXT launch's. */
struct monitor_eventlog {
	uint64_t copied;
	uint64_t size; /* of all */
	bool complete; /* all was measured */
};
int ask_eventlog(void *page, uint64_t at, struct monitor_eventlog *log);

/*
 * The log from *pos on: up to ASK_LOG_CHUNK bytes into buf, their number returned. *pos becomes the
 * position after them; *lost is how many bytes before them the monitor has already overwritten.
 */
#define ASK_LOG_CHUNK 48
int ask_log(uint64_t *pos, char buf[ASK_LOG_CHUNK], uint64_t *lost);

/* Of one that is offered to the host: where the offerer has page n, and how many from there on lie one behind the other. */
int ask_channel_page(uint64_t id, uint64_t n, uint64_t *gfn, uint64_t *run);
/* page: where a page of the guest that offers it is mapped. */
int ask_channel_accept(uint64_t id, const void *page);
/* When nobody writes to it any more. */
int ask_channel_close(uint64_t id, const void *page, uint64_t reason);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An encrypted disk: what a device's data file holds is ciphertext, and a sidecar file has a tag of every
 * sector, in a tree, and a journal. docs/image-format.md specifies both; this is the engine over them.
 *
 * The engine does no I/O. A function that returns ERR_AGAIN has put requests into disk->io; the caller
 * has them carried out, sets disk->io_status, and calls the same function with the same arguments
 * again, until it returns something else: 0, or an error. Meanwhile no other function may be called for
 * this disk (ERR_BUSY), but for disk_give_up() and disk_abandon(). Who carries requests out is not trusted: what a READ
 * brings is verified before it is used; a lie costs the disk, or shows an older one where
 * docs/image-format.md says so.
 *
 * One caller at a time for each disk. Several commands may be under way, between their start and their
 * end, in any order; a read must not be given to the device while a write to one of its sectors is.
 */
#ifndef IODECRYPT_DISK_H
#define IODECRYPT_DISK_H

#include "crypto/hmac.h"
#include "crypto/xts.h"
#include "ept/base.h"
#include "iodecrypt/format.h"
#include "iodecrypt/keys.h"

#define DISK_IO_MAX 40u
#define DISK_IO_BYTES (128u << 10)
#define DISK_COUNT_MAX 65536u /* sectors of one command */

enum disk_io_op { DISK_READ, DISK_WRITE, DISK_SYNC, DISK_ANCHOR };
enum disk_io_file { DISK_SIDECAR, DISK_DATA };

/*
 * An ANCHOR is a list of its own, and not for the agent to answer: it is done when the image's counter is known to be
 * `offset`, which is what it was, and one more. Others are
 * to be done in order. The first that fails ends the list: what follows must not be done.
 * A READ beyond the end of the file brings zeros. After a SYNC, all WRITEs to that file before it, and
 * all that the device has reported as written to it, survive a power cut.
 */
struct disk_io {
	uint8_t op;
	uint8_t file;
	uint32_t bytes;
	uint64_t offset;
	void *buf; /* of the engine's pages: to be filled, or to be copied out before the next call */
};

/* A read or write of the guest. To be zeroed, then filled in, by the caller; its until the end. */
struct disk_cmd {
	uint64_t lba;
	uint32_t count; /* 1..DISK_COUNT_MAX */
	/*
	 * Copy n <= 4096 bytes from or to the command's buffer, whose byte `offset` is of sector
	 * lba + offset / 512: 0, or negative, by which the command ends with ERR_FAULT.
	 */
	int (*get)(struct disk_cmd *cmd, uint64_t offset, void *buf, size_t n);
	int (*put)(struct disk_cmd *cmd, uint64_t offset, const void *buf, size_t n);
	void *arg; /* the caller's */

	uint64_t bad; /* result of a read with ERR_IO: the first sector that it did not bring */

	/* The engine's own. */
	struct disk_cmd *next;
	uint32_t done;            /* sectors that the function under way is through with */
	uint32_t logged;          /* sectors whose tags are in the journal's half */
	uint32_t tags, tag_pages; /* its new tags: the first page of a list, and how many */
	uint8_t step;
	bool resolve;
};

/* What an owner who does not consent asks for besides what he knows. */
enum disk_anchor_need {
	DISK_ANCHOR_IF_ANY,
	DISK_ANCHOR_NEEDED, /* there must be a counter */
	DISK_ANCHOR_USED,   /* and the image was opened by it before */
};

/* What its owner knows of an image. */
struct disk_expect {
	uint64_t generation; /* of the newest header known: from a receipt, or 0 */
	uint8_t root[DISK_TAG_BYTES];
	bool root_known; /* root is that of the receipt with this generation */
	bool consent;    /* to an image that is newer, or was not closed */
	/*
	 * What stands for consent: the image's counter, which nobody can put back, is this now, in the place of this
	 * name. The disk then goes on by it.
	 */
	bool anchored;
	bool anchor_new; /* the counter was made just now: no header is older than it */
	uint8_t anchor_id[DISK_ANCHOR_BYTES];
	uint64_t anchor;
	uint8_t anchor_need; /* enum disk_anchor_need */
};

/* What its owner should know after it is closed. */
struct disk_receipt {
	uint8_t uuid[DISK_UUID_BYTES];
	uint64_t generation;
	uint8_t root[DISK_TAG_BYTES];
};

struct disk_stats {
	uint64_t sectors_read, sectors_written;
	uint64_t bad_tags, bad_nodes; /* sectors, nodes that did not verify */
	uint64_t node_misses, checkpoints, journal_bytes, syncs;
};

struct disk_page;

struct disk {
	/* Between engine and caller. */
	struct disk_io io[DISK_IO_MAX];
	uint32_t ios;
	int io_status; /* of the list: 0, or negative */

	/* For the caller to look at. */
	struct disk_header header; /* the newest on disk, once disk_open() has found one */
	struct disk_stats stats;

	const void *drive; /* the caller's: where it is */
	bool anchor_due;   /* the caller's: at the next flush a checkpoint is to be anchored */

	/* The engine's own. */
	struct crypto_xts xts;
	struct crypto_hmac sector_key, node_key, header_key, journal_key;
	/* The function under way, and for what. */
	int (*step)(struct disk *d, struct disk_cmd *cmd);
	struct disk_cmd *cmd;
	struct disk_cmd *in_flight; /* writes between start and end */
	bool waiting;               /* for the list of requests */
	bool open;
	bool dead;              /* the sidecar may lack something: nothing but disk_abandon() now */
	bool closing;           /* this checkpoint is the last */
	bool recovering;        /* the journal is being replayed, and stays as it is */
	bool anchored;          /* there is a counter; header.anchor is what it is, or will be */
	bool anchoring;         /* this checkpoint makes it one more */
	bool unflushed;         /* a write has ended since the last FLUSHED record or checkpoint */
	uint8_t saving;         /* which step of a checkpoint is under way */
	struct disk_cmd *relog; /* the command whose records it writes again */
	uint32_t batch;         /* sectors whose records are being written */
	uint32_t levels;
	uint32_t tail; /* bytes used of the journal's half */
	uint64_t seq;  /* of the next record */
	uint8_t root[DISK_TAG_BYTES];
	struct {
		const struct disk_keys *keys;
		const struct disk_expect *expect;
		const uint8_t *session;
		uint8_t step;
		uint32_t at, window, bytes; /* of the half: next record; what the stage has of it */
		uint32_t done;              /* sectors of the record */
		uint64_t seq, flushed, end; /* next, last FLUSHED, and first that is none */
	} scan;                             /* of disk_open() */
	uint8_t *stage;                     /* DISK_IO_BYTES */
	uint8_t *pool;
	struct disk_page *page;
	uint32_t pages, tag_pages, dirty;
	uint32_t freed; /* a page that may be free */
	uint64_t clock;
	void *memory;
	size_t memory_pages;
};

/*
 * Pages that a disk needs, at least: those for requests, for two paths through the largest tree, for the
 * tags of writes of `sectors` sectors in all (256 a page, a page at least for each), and for keeping
 * account. All beyond are its cache of nodes, 128 KiB of the disk each.
 */
#define DISK_PAGES_BUT_TAGS (DISK_IO_BYTES / DISK_NODE + 2 * DISK_LEVELS_MAX)
#define DISK_PAGES(sectors)                              \
	(DISK_PAGES_BUT_TAGS + ((sectors) + 255) / 256 + \
	 (DISK_PAGES_BUT_TAGS + ((sectors) + 255) / 256) / 120 + 1)
#define DISK_PAGES_MAX (1u << 20)

/*
 * Starts with n pages of 4096 bytes at pages, aligned to that, the engine's until disk_abandon() or
 * disk_close(). ERR_INVAL: fewer than DISK_PAGES(1), or more than DISK_PAGES_MAX.
 */
int disk_init(struct disk *d, void *pages, size_t n);

/*
 * Opens the image; replays its journal if it was not closed. session is 16 random bytes, new for every
 * call. keys may be wiped afterwards. Errors, after which the disk has been abandoned and only
 * d->header may be looked at:
 *	ERR_INVAL	not an image
 *	ERR_NOSYS	of a version or with an algorithm that this engine does not know
 *	ERR_NODEV	another image (uuid)
 *	ERR_KEY		of another master key (key id)
 *	ERR_TAG		damaged: no header verifies, or one says nonsense
 *	ERR_STALE	older than expect->generation
 *	ERR_UNCLEAN	newer, not closed, or a fork, and not consented to
 *	ERR_IO		a request failed, or the tree does not verify
 *	ERR_BUSY	open already, or not after disk_init() (not abandoned)
 */
int disk_open(struct disk *d, const struct disk_keys *keys, const struct disk_expect *expect,
	      const uint8_t session[DISK_SESSION_BYTES]);

/*
 * Before the device is given a write: gets plaintext from the command's buffer and puts ciphertext there.
 * After 0, and not before, the device may write it, and disk_write_end() is to be called. Errors:
 *	ERR_INVAL	beyond the end of the disk, or a bad count
 *	ERR_BUSY	overlaps with a write under way, or no room beside those: again when one has ended
 *	ERR_NOMEM, ERR_2BIG	more than the pages, or the journal, are for
 *	ERR_FAULT	from get or put
 *	ERR_IO		a node does not verify, a request failed, or the disk is dead
 */
int disk_write_start(struct disk *d, struct disk_cmd *cmd);

/*
 * When the device is through with a write, and nothing of it can reach the data file any more. Not ok:
 * the device reported failure; each sector is now settled to be as before, as written, or unreadable.
 * ERR_IO: the disk is dead. In any case the engine has done with the command.
 */
int disk_write_end(struct disk *d, struct disk_cmd *cmd, bool ok);

/*
 * When the device has filled a read's buffer with ciphertext: verifies and decrypts it in place. ERR_IO: from
 * sector cmd->bad on the buffer is zeros. Other errors as disk_write_start(), the buffer in part done.
 */
int disk_read_end(struct disk *d, struct disk_cmd *cmd);

/*
 * When the device has flushed its cache, and no write was under way since it was told to. Recovery then
 * takes no older content of these sectors. ERR_IO: the disk is dead.
 */
int disk_flush_end(struct disk *d);

/*
 * Closes the image, and abandons the disk once it returns 0. ERR_BUSY: a write is under way. ERR_IO: the
 * disk is dead, or is now.
 */
int disk_close(struct disk *d, struct disk_receipt *receipt);

/*
 * The function under way, if there is one, will not be called again: it ends as if its requests had failed, in which
 * get and put of its command may be called.
 */
void disk_give_up(struct disk *d);

/* At any time after disk_init(): wipes keys and pages. The image is then one that was not closed. */
void disk_abandon(struct disk *d);

#endif

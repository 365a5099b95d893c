/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/anchor.h"

#include "attest/tpm.h"
#include "crypto/crypto.h"
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/mailbox.h"
#include "monitor/uptime.h"

_Static_assert(COUNTER_MESSAGE == MAILBOX_MESSAGE && COUNTER_MESSAGE <= TPM_BUFFER,
	       "a message has room");
_Static_assert(COUNTER_ID == DISK_ANCHOR_BYTES && COUNTER_UUID == DISK_UUID_BYTES, "names fit");

static struct counter_key key;

void anchor_learn(struct tpm *tpm)
{
	uint8_t message[COUNTER_MESSAGE];
	const char *why = "it makes no key";
	uint32_t handle;
	int err;

	counter_key_command(message);
	err = tpm_exchange(tpm, message, sizeof(message), &why);
	if (!err)
		err = counter_key_learn(&key, message, &handle);
	if (!err) {
		counter_flush_command(message, handle);
		err = tpm_exchange(tpm, message, sizeof(message), &why);
	}
	if (err)
		log_line("TPM: %s (response %x): disks have no anchor", why, tpm->code);
}

bool anchor_there(void)
{
	return key.known;
}

static bool is_for(const struct disk *d)
{
	return d->ios == 1 && d->io[0].op == DISK_ANCHOR;
}

/* It is over. */
static void end(struct anchor *a)
{
	uint64_t value = a->counter.value;

	a->made |= a->counter.defined;
	crypto_wipe(&a->counter, sizeof(a->counter));
	a->counter.value = value;
	a->busy = false;
	a->last = uptime_ms();
}

int anchor_find(struct anchor *a, const uint8_t uuid[DISK_UUID_BYTES], struct disk_expect *expect)
{
	if (!a->found) {
		a->found = true;
		a->busy = !counter_begin(&a->counter, &key, uuid, 0);
	}
	if (a->busy)
		return ERR_AGAIN;
	expect->anchored = a->counter.value != 0;
	expect->anchor_new = a->made;
	expect->anchor = a->counter.value;
	memcpy(expect->anchor_id, key.id, sizeof(expect->anchor_id));
	return 0;
}

const uint8_t *anchor_command(struct anchor *a, const struct disk *d,
			      const uint8_t uuid[DISK_UUID_BYTES])
{
	if (!a->busy && is_for(d))
		a->busy = !counter_begin(&a->counter, &key, uuid, d->io[0].offset);
	return a->busy ? a->counter.message : NULL;
}

int anchor_answer(struct anchor *a, struct disk *d, int err)
{
	if (!err)
		err = counter_go_on(&a->counter);
	if (err == ERR_AGAIN)
		return err;
	if (err) {
		log_provoked("the TPM's counter of a disk: error %d", err);
		a->counter.value = 0;
	}
	end(a);
	if (is_for(d))
		d->io_status = err ? ERR_IO : 0;
	return 0;
}

void anchor_time(const struct anchor *a, struct disk *d)
{
	if (d->anchored && uptime_ms() - a->last >= ANCHOR_INTERVAL)
		d->anchor_due = true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/guestchannel.h"

#include "ept/phys.h"
#include "monitor/channel.h"
#include "monitor/lib.h"
#include "monitor/log.h"

/* Copies the guest's own memory, once. */
static int read_own(const struct view *s, uint64_t gva, void *buf, size_t n)
{
	struct walk_result at;
	const void *from;

	if (page_offset(gva) + n > PAGE_SIZE || walk_gva(&s->space, GVA(gva), WALK_READ, &at))
		return ERR_FAULT;
	from = phys_guest(at.hpa, n, s->space.guest);
	if (!from)
		return ERR_FAULT;
	memcpy(buf, from, n);
	__asm__ volatile("" ::: "memory");
	return 0;
}

static int version(const struct view *s, uint64_t *r)
{
	bool has = channel_has_aperture(s->v->guest);

	r[RBX] = CHANNEL_ABI;
	r[R8] = CHANNEL_APERTURE;
	r[R9] = has ? CHANNEL_APERTURE_BYTES : 0;
	r[R10] = s->v->guest->id;
	return 0;
}

/* What says how much there is first, then the rest; all of it in one page. */
static int offer(const struct view *s, uint64_t *r)
{
	const size_t head = offsetof(struct channel_offer, extent);
	struct channel_offer o = {.extents = 0};
	size_t list;
	int err = read_own(s, r[RDX], &o, head);

	if (!err && o.extents > CHANNEL_EXTENTS_MAX)
		err = ERR_INVAL;
	list = o.extents * sizeof(o.extent[0]);
	if (!err && page_offset(r[RDX]) + head + list > PAGE_SIZE)
		err = ERR_FAULT;
	if (!err && list)
		err = read_own(s, r[RDX] + head, o.extent, list);
	return err ? err : channel_offer(s->v->guest, &o, &r[RBX]);
}

static int pending(const struct view *s, uint64_t *r)
{
	struct channel_pending found;
	uint8_t identity[CHANNEL_IDENTITY];
	int err;

	if (r[RSI] == CHANNEL_PEER_DIGEST || r[RSI] == CHANNEL_PEER_TENANT) {
		err = channel_offerer(s->v->guest, r[RDX], (enum channel_peer)r[RSI], identity);
		if (!err)
			memcpy(&r[R8], identity, sizeof(identity));
		return err;
	}
	if (r[RSI])
		return ERR_INVAL;
	err = channel_pending(s->v->guest, r[RDX], &found);
	if (err)
		return err;
	r[RBX] = found.id;
	memcpy(&r[R8], found.service, sizeof(found.service));
	r[R10] = found.pages;
	r[R11] = found.offerer;
	return 0;
}

static int accept(const struct view *s, const uint64_t *r)
{
	struct channel_accept a;
	int err = read_own(s, r[RDX], &a, sizeof(a));

	return err ? err : channel_accept(s->v->guest, &a);
}

static int status(const struct view *s, uint64_t *r)
{
	struct channel_status found;
	int err = channel_status(s->v->guest, r[RDX], &found);

	if (err)
		return err;
	r[RBX] = found.state;
	r[R8] = found.accepts;
	r[R9] = found.peer;
	r[R10] = found.pages;
	r[R11] = found.reason;
	return 0;
}

static int call(const struct view *s, uint64_t *r)
{
	if (s->mode != DECODE_64 || s->space.cpl)
		return ERR_PERM;
	switch (r[RCX]) {
	case CHANNEL_VERSION:
		return version(s, r);
	case CHANNEL_OFFER:
		return offer(s, r);
	case CHANNEL_PENDING:
		return pending(s, r);
	case CHANNEL_ACCEPT:
		return accept(s, r);
	case CHANNEL_CLOSE:
		return channel_close(s->v->guest, r[RDX], r[RSI]);
	case CHANNEL_STATUS:
		return status(s, r);
	default:
		return ERR_NOSYS;
	}
}

enum disclose_result guestchannel_call(const struct view *s)
{
	uint64_t *r = s->cpu->regs.r;
	uint64_t result = (uint64_t)(int64_t)call(s, r);

	r[RAX] = s->mode == DECODE_64 ? result : (uint32_t)result;
	hw_guest_complete(s->cpu);
	return DISCLOSE_AGAIN;
}

bool guestchannel_has(const struct view *s, const struct place *p)
{
	bool mapped;

	if (p->found)
		return owner_kind(owner_of(p->at.hpa)) == OWNER_CHANNEL;
	return p->at.stop == WALK_NESTED && channel_at(s->v->guest, p->at.gpa, &mapped);
}

enum disclose_result guestchannel_fault(const struct view *s, bool mapped)
{
	if (mapped && !s->x->exec)
		return DISCLOSE_AGAIN; /* by now */
	log_provoked("guest %lu: no channel at gpa %lx", s->v->guest->id, s->x->fault.a);
	guest_end(s->v->guest, STOP_NO_PAGE);
	return DISCLOSE_OVER;
}

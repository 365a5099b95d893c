/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/gueststore.h"

#include "ept/phys.h"
#include "monitor/lib.h"

#define RING 1024u
#define PATH 32u
#define VALUE_MAX 16u

/* Xen's public io/xs_wire.h. */
enum { XS_READ = 2, XS_ERROR = 16 };

struct ring {
	uint8_t request[RING];
	uint8_t response[RING];
	uint32_t request_consumer, request_producer;
	uint32_t response_consumer, response_producer;
};

struct head {
	uint32_t type, request, transaction, bytes;
};

struct response {
	struct head head;
	char value[VALUE_MAX];
};

static const struct {
	char path[PATH];
	char value[VALUE_MAX];
} settings[] = {
	{"hvmloader/bios", "seabios"},
	{"hvmloader/allow-memory-relocate", "0"}, /* QEMU would not follow */
	{"platform/device-model", "qemu_xen"},
};

static struct ring *ring_of(const struct walk_space *space)
{
	struct walk_result at;

	if (walk_gpa(space, GPA((uint64_t)GUESTSTORE_GFN << PAGE_SHIFT), WALK_WRITE, &at))
		return NULL;
	return phys_guest(at.hpa, sizeof(struct ring), space->guest);
}

/* From the ring's place `at` on. The guest may be changing it: each byte is read once. */
static void get(const struct ring *ring, uint32_t at, void *to, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i++)
		((uint8_t *)to)[i] =
			__atomic_load_n(&ring->request[(at + i) % RING], __ATOMIC_RELAXED);
}

/* The path has zeros to its end. */
static void answer(struct response *r, const char path[PATH])
{
	const char *value = NULL;

	for (unsigned int i = 0; r->head.type == XS_READ && i < ARRAY_SIZE(settings); i++)
		if (!memcmp(path, settings[i].path, PATH))
			value = settings[i].value;
	if (!value) {
		value = "ENOENT";
		r->head.type = XS_ERROR;
	}
	r->head.bytes = (uint32_t)strlen(value);
	memcpy(r->value, value, r->head.bytes);
}

/* One request. False: none, or no room for its answer, or nonsense. */
static bool serve(struct ring *ring)
{
	uint32_t from = __atomic_load_n(&ring->request_consumer, __ATOMIC_RELAXED);
	uint32_t used = __atomic_load_n(&ring->request_producer, __ATOMIC_ACQUIRE) - from;
	uint32_t to = __atomic_load_n(&ring->response_producer, __ATOMIC_RELAXED);
	uint32_t full = to - __atomic_load_n(&ring->response_consumer, __ATOMIC_RELAXED);
	char path[PATH] = "";
	struct response r;
	uint32_t bytes;

	if (used < sizeof(r.head) || used > RING || full > RING - sizeof(r))
		return false;
	get(ring, from, &r.head, sizeof(r.head));
	if (r.head.bytes > used - sizeof(r.head))
		return false;
	if (r.head.bytes <= PATH)
		get(ring, from + (uint32_t)sizeof(r.head), path, r.head.bytes);
	bytes = (uint32_t)sizeof(r.head) + r.head.bytes;
	answer(&r, path);
	for (uint32_t i = 0; i < sizeof(r.head) + r.head.bytes; i++)
		ring->response[(to + i) % RING] = ((uint8_t *)&r)[i];
	ring->request_consumer = from + bytes;
	__atomic_store_n(&ring->response_producer, to + (uint32_t)sizeof(r.head) + r.head.bytes,
			 __ATOMIC_RELEASE);
	return true;
}

void gueststore_clear(const struct walk_space *space)
{
	struct ring *ring = ring_of(space);

	if (ring)
		memset(ring, 0, sizeof(*ring));
}

void gueststore_serve(const struct walk_space *space)
{
	struct ring *ring = ring_of(space);

	/* Each answer takes room, so this ends, whatever another CPU of the guest's does meanwhile. */
	for (unsigned int i = 0; ring && i < RING / sizeof(struct head) && serve(ring); i++)
		;
}

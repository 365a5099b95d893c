/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest at an end of a channel that obeys whoever attacks, or is attacked: it calls the monitor with whatever it is told. It speaks on its
 * console as guests of tests/lab/net do: "NET-GUEST up", then for each line an answer and "NET-DONE STATUS". STATUS: 0, or a call's error
 * without its sign. On its command line: seed=HEX, of what it writes (pattern.h); pause=HEX: for how long it sleeps at a time (events.h). Numbers are
 * hexadecimal, identities 64 digits.
 *   offer GFN PAGES PEER IDENTITY       says "id N"; PEER: enum channel_peer
 *   pending AFTER, accept ID PEER IDENTITY GPA, close ID, status ID
 *   fill GPA PAGES WHAT                 0: the marker; 1: what is private again; ..3f: further markers
 *   look GPA PAGES                      says what is there: zeros, marker, private, other
 *   whose GPA PAGES                     says which of all markers are there (bits by WHAT), and whether zeros, other
 *   watch GPA PAGES                     looks again and again until the next line, whose answer is what was seen
 *   root                                gfn of its page table's root
 *   spin                                from now on it waits without leaving the processor
 *   ring GPA PAGES OFFERER FRAMES BYTES it sends (OFFERER 1) or takes frames, looking all the time
 */
#include "switch-channel/call.h"
#include "switch-channel/ring_attach.h"
#include "tests/attack/guest/events.h"
#include "tests/attack/guest/talk.h"
#include "tests/attack/pattern.h"

#define ORDER 8
#define FRAME_MAX 2048
#define MARKERS 64
#define LARGE 0x83 /* present, writable, 2 MiB */
#define TABLE 3
#define APERTURE_ROOT (CHANNEL_APERTURE >> 39)

static const char service[CHANNEL_SERVICE] = "attacked";

extern uint64_t root[];

static uint64_t seed;
static bool intel;
static struct channel_offer offer __attribute__((aligned(4096)));
static struct channel_accept acceptance __attribute__((aligned(4096)));
static uint64_t aperture[2][512] __attribute__((aligned(4096)));

/* --- the monitor's calls ------------------------------------------------------------------------ */

struct answer {
	int64_t status;
	uint64_t rbx, r8, r9, r10, r11;
};

static struct answer call(enum channel_call number, uint64_t rdx, uint64_t rsi)
{
	struct answer a = {.status = CHANNEL_MAGIC};
	register uint64_t r8 __asm__("r8") = 0;
	register uint64_t r9 __asm__("r9") = 0;
	register uint64_t r10 __asm__("r10") = 0;
	register uint64_t r11 __asm__("r11") = 0;

#define CALL(insn)                                                                               \
	__asm__ volatile(insn                                                                    \
			 : "+a"(a.status), "+b"(a.rbx), "+r"(r8), "+r"(r9), "+r"(r10), "+r"(r11) \
			 : "c"((uint64_t)number), "d"(rdx), "S"(rsi)                             \
			 : "memory")
	if (intel)
		CALL("vmcall");
	else
		CALL("vmmcall");
#undef CALL
	a.r8 = r8;
	a.r9 = r9;
	a.r10 = r10;
	a.r11 = r11;
	return a;
}

/* What the guest says of a call; its status. */
static uint64_t answered(const struct answer *a, const char *name, uint64_t value)
{
	if (a->status) {
		put_named("error ", (uint64_t)-a->status);
		put_end();
		return (uint64_t)-a->status;
	}
	if (name) {
		put_named(name, value);
		put_end();
	}
	return 0;
}

/* --- commands --------------------------------------------------------------------------------------- */

static uint64_t number(const char **text)
{
	while (**text == ' ')
		++*text;
	return hex(text);
}

static void identity(const char **text, uint8_t out[CHANNEL_IDENTITY])
{
	while (**text == ' ')
		++*text;
	for (size_t i = 0; i < CHANNEL_IDENTITY; i++) {
		char digits[3] = {0};
		const char *d = digits;

		for (int k = 0; k < 2 && **text; k++)
			digits[k] = *(*text)++;
		out[i] = (uint8_t)hex(&d);
	}
}

static uint64_t do_offer(const char *text)
{
	struct answer a;

	memcpy(offer.service, service, sizeof(service));
	offer.extents = 1;
	offer.extent[0].gfn = number(&text);
	offer.extent[0].pages = (uint32_t)number(&text);
	offer.peer = (uint32_t)number(&text);
	identity(&text, offer.identity);
	a = call(CHANNEL_OFFER, (uintptr_t)&offer, 0);
	return answered(&a, "id ", a.rbx);
}

static uint64_t do_pending(const char *text)
{
	struct answer a = call(CHANNEL_PENDING, number(&text), 0);

	return answered(&a, "id ", a.rbx);
}

static uint64_t do_accept(const char *text)
{
	struct answer a;

	memcpy(acceptance.service, service, sizeof(service));
	acceptance.id = number(&text);
	acceptance.peer = (uint32_t)number(&text);
	identity(&text, acceptance.identity);
	acceptance.gpa = number(&text);
	a = call(CHANNEL_ACCEPT, (uintptr_t)&acceptance, 0);
	return answered(&a, NULL, 0);
}

static uint64_t do_close(const char *text)
{
	struct answer a = call(CHANNEL_CLOSE, number(&text), CHANNEL_REASON_CLOSED);

	return answered(&a, NULL, 0);
}

static uint64_t do_status(const char *text)
{
	struct answer a = call(CHANNEL_STATUS, number(&text), 0);

	return answered(&a, "state and reason ", a.rbx << 4 | a.r11);
}

static uint64_t word_of(uint64_t what, uint64_t i)
{
	return pattern(seed, PATTERN_SECRET + what, i % SECRET_WORDS);
}

static uint64_t do_fill(const char *text)
{
	volatile uint64_t *words = (volatile uint64_t *)number(&text);
	uint64_t pages = number(&text), what = number(&text);

	for (uint64_t i = 0; i < pages * PAGE_WORDS; i++)
		words[i] = word_of(what, i);
	return 0;
}

enum { SEEN_ZEROS = 1, SEEN_MARKER = 2, SEEN_PRIVATE = 4, SEEN_OTHER = 8 };

static unsigned int seen(uint64_t word, uint64_t i)
{
	if (!word)
		return SEEN_ZEROS;
	if (word == word_of(0, i))
		return SEEN_MARKER;
	return word == word_of(1, i) ? SEEN_PRIVATE : SEEN_OTHER;
}

static unsigned int look(uint64_t gpa, uint64_t pages)
{
	const volatile uint64_t *words = (const volatile uint64_t *)gpa;
	unsigned int found = 0;

	for (uint64_t i = 0; i < pages * PAGE_WORDS; i++)
		found |= seen(words[i], i);
	return found;
}

static void say(unsigned int found)
{
	put("seen");
	if (found & SEEN_ZEROS)
		put(" zeros");
	if (found & SEEN_MARKER)
		put(" marker");
	if (found & SEEN_PRIVATE)
		put(" private");
	if (found & SEEN_OTHER)
		put(" other");
	put_end();
}

static uint64_t do_look(const char *text)
{
	uint64_t gpa = number(&text);

	say(look(gpa, number(&text)));
	return 0;
}

/* The WHAT of a word, or MARKERS. */
static uint64_t what_is(uint64_t word, uint64_t i)
{
	uint64_t what = 0;

	while (what < MARKERS && word != word_of(what, i))
		what++;
	return what;
}

static uint64_t do_whose(const char *text)
{
	const volatile uint64_t *words = (const volatile uint64_t *)number(&text);
	uint64_t pages = number(&text), marks = 0;
	bool zeros = false, other = false;

	for (uint64_t i = 0; i < pages * PAGE_WORDS; i++) {
		uint64_t word = words[i], what = word ? what_is(word, i) : 0;

		zeros |= !word;
		other |= what == MARKERS;
		if (word && what < MARKERS)
			marks |= 1ull << what;
	}
	put_named("marks ", marks);
	put(zeros ? " zeros" : "");
	put(other ? " other" : "");
	put_end();
	return 0;
}

static void done(uint64_t status)
{
	put_named("NET-DONE ", status);
	put_end();
}

/* Once before the answer and once after the next line has come, whatever happens in between. */
static uint64_t do_watch(const char *text)
{
	uint64_t gpa = number(&text), pages = number(&text), times = 2;
	unsigned int found = look(gpa, pages);
	char line[LINE];

	done(0);
	for (; !talk_waiting(); times++)
		found |= look(gpa, pages);
	get_line(line);
	found |= look(gpa, pages);
	put_named("times ", times);
	put_end();
	say(found);
	return 0;
}

static uint64_t do_root(const char *text)
{
	(void)text;
	put_named("gfn ", (uintptr_t)root / PAGE);
	put_end();
	return 0;
}

static void relax(void)
{
	__builtin_ia32_pause();
}

static uint64_t do_spin(const char *text)
{
	(void)text;
	talk_wait = relax;
	return 0;
}

/* --- frames ------------------------------------------------------------------------------------------ */

static uint64_t frame[FRAME_MAX / 8];

static void send(struct nring_tx *tx, uint64_t bytes, uint64_t n)
{
	uint64_t *to;

	while (!(to = nring_reserve(tx, (nring_u32)bytes)))
		__builtin_ia32_pause();
	for (uint64_t i = 0; i < bytes / 8; i++)
		to[i] = word_of(0, i) + n;
	nring_commit(tx, (nring_u32)bytes, NULL);
	nring_publish(tx);
}

/* Whether it is the frame with this number. */
static bool take(struct nring_rx *rx, uint64_t bytes, uint64_t n)
{
	struct nring_frame f;

	while (!nring_peek(rx, &f))
		__builtin_ia32_pause();
	nring_copy_in(frame, f.data, f.length < FRAME_MAX ? f.length : FRAME_MAX);
	nring_take(rx);
	nring_release(rx);
	for (uint64_t i = 0; i < bytes / 8; i++)
		if (frame[i] != word_of(0, i) + n)
			return false;
	return f.length == bytes;
}

/* All frames there, then one back. */
static uint64_t do_ring(const char *text)
{
	static struct nring_link link;
	static struct nring_tx tx;
	static struct nring_rx rx;
	static nring_u32 ends[1u << ORDER];
	const struct nring_wish wish = {.mtu = 1500, .queues = 1, .order = ORDER};
	uint64_t gpa = number(&text), pages = number(&text), sends = number(&text);
	uint64_t frames = number(&text), bytes = number(&text), bad = 0;

	if (bytes > FRAME_MAX ||
	    nring_link_init(&link, (void *)gpa, (nring_u32)pages, sends, &wish))
		return 1;
	while (nring_link_look(&link, NRING_STATE_UP | NRING_STATE_CARRIER) != NRING_LINK_START)
		__builtin_ia32_pause();
	nring_tx_start(&tx, (void *)gpa, &link.geometry, !sends, link.features, ends);
	nring_rx_start(&rx, (void *)gpa, &link.geometry, sends != 0, link.features);
	for (uint64_t n = 0; n < frames; n++)
		if (sends)
			send(&tx, bytes, n);
		else
			bad += !take(&rx, bytes, n);
	if (sends)
		bad += !take(&rx, bytes, frames);
	else
		send(&tx, bytes, frames);
	put_named("frames ", frames);
	put_named(" bad ", bad);
	put_end();
	return 0;
}

/* --- the guest ------------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	uint64_t (*run)(const char *text);
} commands[] = {
	{"offer ", do_offer}, {"pending ", do_pending}, {"accept ", do_accept},
	{"close ", do_close}, {"status ", do_status},   {"fill ", do_fill},
	{"look ", do_look},   {"watch ", do_watch},     {"root", do_root},
	{"spin", do_spin},    {"ring ", do_ring},       {"whose ", do_whose},
};

/* Behind `name` in the text, or NULL. */
static const char *behind(const char *text, const char *name)
{
	while (*name && *text == *name) {
		text++;
		name++;
	}
	return *name ? NULL : text;
}

static uint64_t obey(const char *line)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const char *rest = behind(line, commands[i].name);

		if (rest)
			return commands[i].run(rest);
	}
	put("no such command");
	put_end();
	return 1;
}

static void map_aperture(void)
{
	for (uint64_t i = 0; i < 512; i++)
		aperture[1][i] = (CHANNEL_APERTURE + i * CHANNEL_SLOT) | LARGE;
	aperture[0][0] = (uintptr_t)aperture[1] | TABLE;
	root[APERTURE_ROOT] = (uintptr_t)aperture[0] | TABLE;
}

static bool cpu_is_intel(void)
{
	uint32_t a = 0, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b == 0x756e6547; /* "Genu" */
}

void guest(const struct start_info *start);
void guest(const struct start_info *start)
{
	char line[LINE];

	if (!talk_start())
		return;
	seed = option((const char *)start->cmdline, "seed=");
	intel = cpu_is_intel();
	map_aperture();
	events_prepare((uint32_t)option((const char *)start->cmdline, "pause="));
	talk_wait = events_pause;
	put("NET-GUEST up");
	put_end();
	for (;;) {
		get_line(line);
		done(obey(line));
	}
}

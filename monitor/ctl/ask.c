/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/ctl/ask.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>

#include "ept/base.h"
#include "monitor/hypercall.h"

/* Registers after a hypercall; r[0] is R8. */
struct answer {
	int64_t status;
	uint64_t rbx;
	uint64_t r[7];
};

static sigjmp_buf no_monitor;

static void on_fault(int sig)
{
	siglongjmp(no_monitor, sig);
}

static bool cpu_is_intel(void)
{
	uint32_t a = 0;
	uint32_t b;
	uint32_t c = 0;
	uint32_t d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b == 0x756e6547 && d == 0x49656e69 && c == 0x6c65746e; /* "GenuineIntel" */
}

static struct answer call(uint64_t function, uint64_t arg, uint64_t arg2)
{
	struct answer out = {.status = HYPERCALL_MAGIC};
	register uint64_t r8 __asm__("r8") = 0;
	register uint64_t r9 __asm__("r9") = 0;
	register uint64_t r10 __asm__("r10") = 0;
	register uint64_t r11 __asm__("r11") = 0;
	register uint64_t r12 __asm__("r12") = 0;
	register uint64_t r13 __asm__("r13") = 0;
	register uint64_t r14 __asm__("r14") = 0;

#define CALL(insn)                                                                         \
	__asm__ volatile(insn                                                              \
			 : "+a"(out.status), "+b"(out.rbx), "+r"(r8), "+r"(r9), "+r"(r10), \
			   "+r"(r11), "+r"(r12), "+r"(r13), "+r"(r14)                      \
			 : "c"(function), "d"(arg), "S"(arg2)                              \
			 : "memory")
	if (cpu_is_intel())
		CALL("vmcall");
	else
		CALL("vmmcall");
#undef CALL
	memcpy(out.r, (uint64_t[]){r8, r9, r10, r11, r12, r13, r14}, sizeof(out.r));
	return out;
}

int ask_version(struct monitor_version *v)
{
	struct sigaction catch = {.sa_handler = on_fault};
	struct sigaction old_ill;
	struct sigaction old_segv;
	struct answer volatile kept = {.status = -1};

	sigaction(SIGILL, &catch, &old_ill);   /* #UD: no monitor */
	sigaction(SIGSEGV, &catch, &old_segv); /* #GP: a hypervisor that dislikes the caller */
	if (sigsetjmp(no_monitor, 1) == 0)
		kept = call(HYPERCALL_VERSION, 0, 0);
	sigaction(SIGILL, &old_ill, NULL);
	sigaction(SIGSEGV, &old_segv, NULL);

	struct answer a = kept;

	/* Another hypervisor refuses (negative), or leaves the registers as they were. */
	if (a.status != 0 || a.rbx == 0)
		return ASK_NO_MONITOR;
	memset(v, 0, sizeof(*v));
	v->abi = a.rbx;
	memcpy(v->text, a.r, 32);
	memcpy(v->backend, &a.r[4], 8);
	return v->abi == HYPERCALL_ABI ? 0 : ASK_ABI;
}

int ask_info(struct monitor_info *info)
{
	struct answer a = call(HYPERCALL_INFO, 0, 0);

	*info = (struct monitor_info){
		.host_bytes = a.rbx,
		.monitor_bytes = a.r[0],
		.monitor_hpa = a.r[1],
		.cpus = a.r[2],
		.records = a.r[3],
		.tsc_start = a.r[4],
		.iommus = a.r[5],
		.dma = a.r[6],
	};
	return (int)a.status;
}

int ask_platform(struct monitor_platform *p)
{
	struct answer a = call(HYPERCALL_PLATFORM, 0, 0);

	*p = (struct monitor_platform){
		.refused = a.rbx,
		.space = a.r[0],
		.address = a.r[1],
		.value = a.r[2],
		.open = a.r[3],
	};
	return (int)a.status;
}

int ask_guest(uint64_t index, struct monitor_guest *g)
{
	struct answer a = call(HYPERCALL_GUEST, index, 0);

	*g = (struct monitor_guest){
		.id = a.rbx,
		.root = a.r[0],
		.vcpus = a.r[1],
		.stopped = a.r[2],
		.why = a.r[3],
		.exits = a.r[4],
	};
	return (int)a.status;
}

int ask_exits(uint64_t index, unsigned int reason, struct monitor_exits *e)
{
	struct answer a = call(HYPERCALL_EXITS, index, reason);

	*e = (struct monitor_exits){.count = a.rbx, .cycles = a.r[0]};
	return (int)a.status;
}

int ask_refused(unsigned int what, struct monitor_refused *r)
{
	struct answer a = call(HYPERCALL_REFUSED, what, 0);

	*r = (struct monitor_refused){.count = a.rbx, .last = a.r[0]};
	return (int)a.status;
}

static int read_launch(uint64_t named, bool by_page, struct monitor_launch *launch)
{
	struct answer a = call(HYPERCALL_LAUNCH, named, by_page);

	*launch = (struct monitor_launch){.id = a.rbx, .flags = a.r[4], .index = a.r[5]};
	memcpy(launch->digest, a.r, sizeof(launch->digest));
	return (int)a.status;
}

int ask_launch(uint64_t index, struct monitor_launch *launch)
{
	return read_launch(index, false, launch);
}

int ask_launch_of(const void *page, struct monitor_launch *launch)
{
	return read_launch((uintptr_t)page, true, launch);
}

int ask_declare(const void *page, bool sealed)
{
	return (int)call(HYPERCALL_DECLARE, (uintptr_t)page, sealed).status;
}

int ask_disk(uint64_t index, unsigned int what, struct monitor_disk *d)
{
	struct answer a = call(HYPERCALL_DISK, index, what);

	*d = (struct monitor_disk){
		.number = a.rbx,
		.state = a.r[2],
		.guest = a.r[3],
		.drive = a.r[4],
		.count = {a.r[5], a.r[6]},
	};
	memcpy(d->uuid, a.r, sizeof(d->uuid));
	return (int)a.status;
}

int ask_channel(uint64_t index, struct monitor_channel *c)
{
	struct answer a = call(HYPERCALL_CHANNEL, index, HYPERCALL_CHANNEL_LIST);

	*c = (struct monitor_channel){
		.id = a.rbx,
		.state = (uint8_t)a.r[2],
		.reason = (uint8_t)(a.r[2] >> 8),
		.peer = (uint8_t)(a.r[2] >> 16),
		.pages = (uint32_t)(a.r[2] >> 32),
		.accepts = a.r[3],
		.offerer = a.r[4],
		.acceptor = a.r[5],
	};
	memcpy(c->service, a.r, sizeof(c->service) - 1);
	return (int)a.status;
}

int ask_disk_attach(const struct mailbox_attach *attach, const void *page, uint64_t *number)
{
	struct answer a = call(HYPERCALL_DISK_ATTACH, (uintptr_t)attach, (uintptr_t)page);

	*number = a.rbx;
	return (int)a.status;
}

int ask_release(const struct release_message *m, const void *page, uint64_t *number)
{
	struct answer a = call(HYPERCALL_RELEASE, (uintptr_t)m, (uintptr_t)page);

	*number = a.rbx;
	return (int)a.status;
}

int ask_disk_serve(uint64_t number, void *mailbox, struct monitor_receipt *r)
{
	struct answer a = call(HYPERCALL_DISK_SERVE, number, (uintptr_t)mailbox);

	*r = (struct monitor_receipt){.generation = a.r[2]};
	memcpy(r->root, a.r, sizeof(r->root));
	return (int)a.status;
}

int ask_evidence(void *buf, uint64_t n, uint64_t *bytes)
{
	struct answer a = call(HYPERCALL_EVIDENCE, (uintptr_t)buf, n);

	*bytes = a.rbx;
	return (int)a.status;
}

int ask_eventlog(void *page, uint64_t at, struct monitor_eventlog *log)
{
	struct answer a = call(HYPERCALL_EVENTLOG, (uintptr_t)page, at);

	*log = (struct monitor_eventlog){.size = a.r[0], .complete = a.r[1] == 1};
	if (!a.status)
		log->copied = a.rbx < PAGE_SIZE ? a.rbx : PAGE_SIZE;
	return (int)a.status;
}

int ask_log(uint64_t *pos, char buf[ASK_LOG_CHUNK], uint64_t *lost)
{
	struct answer a = call(HYPERCALL_LOG, *pos, 0);
	uint64_t n = a.r[0];

	if (a.status)
		return (int)a.status;
	if (n > ASK_LOG_CHUNK)
		n = ASK_LOG_CHUNK;
	memcpy(buf, &a.r[1], n);
	*lost = a.rbx > *pos ? a.rbx - *pos : 0;
	*pos += *lost + n;
	return (int)n;
}

int ask_channel_page(uint64_t id, uint64_t n, uint64_t *gfn, uint64_t *run)
{
	struct answer a = call(HYPERCALL_CHANNEL, id, HYPERCALL_CHANNEL_PAGE | n << 8);

	*gfn = a.rbx;
	*run = a.r[0];
	return (int)a.status;
}

static int host_channel(uint64_t id, uint64_t what, const void *page)
{
	return (int)call(HYPERCALL_CHANNEL, id, what | (uint64_t)(uintptr_t)page >> 12 << 16)
		.status;
}

int ask_channel_accept(uint64_t id, const void *page)
{
	return host_channel(id, HYPERCALL_CHANNEL_ACCEPT, page);
}

int ask_channel_close(uint64_t id, const void *page, uint64_t reason)
{
	return host_channel(id, HYPERCALL_CHANNEL_CLOSE | reason << 8, page);
}

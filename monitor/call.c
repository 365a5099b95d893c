/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/call.h"

#include "monitor/arch.h"
#include "monitor/channel.h"
#include "monitor/disks.h"
#include "monitor/guest.h"
#include "monitor/hw.h"
#include "monitor/hypercall.h"
#include "monitor/iommu/iommu.h"
#include "monitor/keys/keys.h"
#include "monitor/launch.h"
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/measure.h"
#include "monitor/mem.h"
#include "monitor/refusal.h"
#include "monitor/platform.h"
#include "monitor/release.h"
#include "monitor/report.h"

#define LOG_BYTES 48

static uint64_t started;

void hypercall_init(void)
{
	started = arch_rdtsc();
}

static int64_t do_version(uint64_t *r)
{
	r[RBX] = HYPERCALL_ABI;
	memcpy(&r[R8], keys_version, sizeof(keys_version));
	memcpy(&r[R12], hw_name, sizeof(hw_name));
	return 0;
}

static int64_t do_info(uint64_t *r)
{
	struct range block = mem_block();

	r[RBX] = mem_host_bytes();
	r[R8] = block.end - block.start;
	r[R9] = block.start;
	r[R10] = cpu_count();
	r[R11] = GUEST_MAX + 1;
	r[R12] = started;
	r[R13] = iommu_count();
	r[R14] = iommu_flags();
	return 0;
}

static void host_exits(enum exit_reason reason, uint64_t *count, uint64_t *cycles)
{
	*count = 0;
	*cycles = 0;
	for (unsigned int i = 0; i < cpu_count(); i++) {
		*count += cpu_at(i)->stats.count[reason];
		*cycles += cpu_at(i)->stats.cycles[reason];
	}
}

static int64_t do_guest(uint64_t *r)
{
	struct guest_summary s = {0};
	uint64_t count, cycles;
	int err = 0;

	if (r[RDX] > GUEST_MAX)
		return ERR_INVAL;
	if (r[RDX]) {
		err = guest_summary((unsigned int)r[RDX] - 1, &s);
	} else {
		s.vcpus = cpu_count();
		for (unsigned int i = 0; i < EXIT_REASON_COUNT; i++) {
			host_exits(i, &count, &cycles);
			s.exits += count;
		}
	}
	if (err)
		return err;
	r[RBX] = s.id;
	r[R8] = s.root.a;
	r[R9] = s.vcpus;
	r[R10] = s.stop_reason != STOP_NONE;
	r[R11] = s.stop_reason;
	r[R12] = s.exits;
	return 0;
}

static int64_t do_exits(uint64_t *r)
{
	if (r[RDX] > GUEST_MAX || r[RSI] >= EXIT_REASON_COUNT)
		return ERR_INVAL;
	if (r[RDX])
		return guest_exits((unsigned int)r[RDX] - 1, (enum exit_reason)r[RSI], &r[RBX],
				   &r[R8]);
	host_exits((enum exit_reason)r[RSI], &r[RBX], &r[R8]);
	return 0;
}

static int64_t do_log(uint64_t *r)
{
	uint64_t pos = r[RDX];

	r[R8] = log_read(&pos, &r[R9], LOG_BYTES);
	r[RBX] = pos;
	return 0;
}

/* The page that the caller has mapped at this address. */
static int named_page(const struct cpu *cpu, uint64_t gva, hpa_t *page)
{
	struct walk_space space;
	struct walk_result at;

	hw_host_space(cpu, &space);
	if (walk_gva(&space, GVA(gva), 0, &at))
		return ERR_FAULT;
	*page = HPA(ALIGN_DOWN(at.hpa.a, PAGE_SIZE));
	return 0;
}

/* The number of the guest that has the page behind this address of the caller's. ERR_NOENT: none. */
static int guest_at(const struct cpu *cpu, uint64_t gva, unsigned int *number)
{
	owner_t owner;
	hpa_t page;
	int err = named_page(cpu, gva, &page);

	if (err)
		return err;
	owner = owner_of(page);
	*number = owner_guest(owner);
	return owner_kind(owner) == OWNER_GUEST || owner_kind(owner) == OWNER_SHARED ||
			       owner_kind(owner) == OWNER_CHANNEL
		       ? 0
		       : ERR_NOENT;
}

/* The index of the guest that RSI and RDX name. */
static int named_guest(const struct cpu *cpu, unsigned int *index)
{
	const uint64_t *r = cpu->regs.r;
	int err;

	if (r[RSI] > 1 || (!r[RSI] && (r[RDX] == 0 || r[RDX] > GUEST_MAX)))
		return ERR_INVAL;
	*index = (unsigned int)r[RDX];
	if (!r[RSI])
		return 0;
	err = guest_at(cpu, r[RDX], index);
	++*index;
	return err;
}

static int64_t do_launch(struct cpu *cpu)
{
	uint64_t *r = cpu->regs.r;
	struct guest_summary s;
	struct launch l;
	unsigned int index;
	int err = named_guest(cpu, &index);

	if (!err)
		err = guest_summary(index - 1, &s);
	if (err)
		return err;
	l = launch_of_guest(index - 1, s.id);
	r[RBX] = s.id;
	memcpy(&r[R8], l.digest, sizeof(l.digest));
	r[R12] = launch_flags(&l);
	r[R13] = index;
	return 0;
}

static int64_t do_declare(struct cpu *cpu)
{
	uint64_t sealed = cpu->regs.r[RSI];
	hpa_t page;
	int err = sealed > 1 ? ERR_INVAL : named_page(cpu, cpu->regs.r[RDX], &page);

	return err ? err : launch_declare(page, sealed);
}

static int64_t do_refused(uint64_t *r)
{
	if (r[RDX] >= REFUSAL_COUNT)
		return ERR_INVAL;
	r[RBX] = refusal_count((enum refusal)r[RDX], &r[R8]);
	return 0;
}

static int64_t do_platform(uint64_t *r)
{
	struct platform_report report = platform_report();

	r[RBX] = report.refused;
	r[R8] = report.space;
	r[R9] = report.address;
	r[R10] = report.value;
	r[R11] = report.open;
	return 0;
}

static int64_t do_attach(struct cpu *cpu)
{
	hpa_t page;
	int err = cpu->regs.r[RSI] ? named_page(cpu, cpu->regs.r[RSI], &page) : ERR_FAULT;

	return err ? err : keys_attach(cpu, page, &cpu->regs.r[RBX]);
}

static int64_t do_serve(struct cpu *cpu)
{
	uint64_t *r = cpu->regs.r;
	struct disk_receipt receipt = {.generation = 0};
	struct walk_space space;
	struct mailbox_at m = {.space = &space, .linear = true, .address = r[RSI]};
	int err;

	hw_host_space(cpu, &space);
	err = disks_serve(r[RDX], &m, &receipt);
	memcpy(&r[R8], receipt.root, sizeof(receipt.root));
	r[R10] = receipt.generation;
	return err;
}

static int64_t do_disk(uint64_t *r)
{
	struct disk_summary s;
	int err = r[RSI] > 3 ? ERR_INVAL : disks_summary(r[RDX], &s);
	const struct disk_stats *stats = &s.stats;

	if (err)
		return err;
	r[RBX] = s.number;
	memcpy(&r[R8], s.uuid, sizeof(s.uuid));
	r[R10] = s.state;
	r[R11] = s.guest;
	r[R12] = s.drive;
	r[R13] = r[RSI] == 0   ? stats->sectors_read
		 : r[RSI] == 1 ? stats->bad_tags
		 : r[RSI] == 2 ? stats->node_misses
			       : stats->journal_bytes;
	r[R14] = r[RSI] == 0   ? stats->sectors_written
		 : r[RSI] == 1 ? stats->bad_nodes
		 : r[RSI] == 2 ? stats->checkpoints
			       : stats->syncs;
	return 0;
}

static int64_t do_evidence(struct cpu *cpu)
{
	uint64_t *r = cpu->regs.r;
	struct walk_space space;

	hw_host_space(cpu, &space);
	return report_give(&space, GVA(r[RDX]), r[RSI], &r[RBX]);
}

static int64_t do_release(struct cpu *cpu)
{
	uint64_t *r = cpu->regs.r;
	struct walk_space space;
	hpa_t page;
	int err = named_page(cpu, r[RSI], &page);

	hw_host_space(cpu, &space);
	return err ? err : release_take(&space, GVA(r[RDX]), page, &r[RBX]);
}

static int64_t do_eventlog(struct cpu *cpu)
{
	uint64_t *r = cpu->regs.r, size;
	struct walk_space space;
	struct walk_result at;
	int64_t n = ERR_FAULT;
	void *page;

	if (page_offset(r[RDX]))
		return ERR_INVAL;
	hw_host_space(cpu, &space);
	if (walk_gva(&space, GVA(r[RDX]), WALK_WRITE, &at))
		return ERR_FAULT;
	page = phys_host_rw(at.hpa, PAGE_SIZE);
	if (page)
		n = measure_log(page, r[RSI], PAGE_SIZE, &size);
	if (n < 0)
		return n;
	r[RBX] = (uint64_t)n;
	r[R8] = size;
	r[R9] = measure_done();
	return 0;
}

static int64_t list_channel(uint64_t *r)
{
	struct channel_summary s;
	int err = channel_summary(r[RDX], &s);

	if (err)
		return err;
	r[RBX] = s.id;
	memcpy(&r[R8], s.service, sizeof(s.service));
	r[R10] = s.state | s.reason << 8 | s.peer << 16 | (uint64_t)s.pages << 32;
	r[R11] = s.accepts;
	r[R12] = s.offerer;
	r[R13] = s.acceptor;
	return 0;
}

/* By one that Xen lets map the guest's pages. */
static int64_t host_channel(const struct cpu *cpu)
{
	const uint64_t *r = cpu->regs.r;
	unsigned int guest = 0;
	int err = guest_at(cpu, r[RSI] >> 16 << PAGE_SHIFT, &guest);

	if (err)
		return err == ERR_NOENT ? ERR_PERM : err;
	if ((r[RSI] & 0xff) == HYPERCALL_CHANNEL_ACCEPT)
		return channel_host_accept(r[RDX], guest);
	return channel_host_close(r[RDX], guest, r[RSI] >> 8 & 0xff);
}

static int64_t do_channel(struct cpu *cpu)
{
	uint64_t *r = cpu->regs.r;
	gpa_t gpa;
	int err;

	switch (r[RSI] & 0xff) {
	case HYPERCALL_CHANNEL_LIST:
		return list_channel(r);
	case HYPERCALL_CHANNEL_PAGE:
		err = channel_host_page(r[RDX], r[RSI] >> 8, &gpa, &r[R8]);
		if (!err)
			r[RBX] = gpa.a >> PAGE_SHIFT;
		return err;
	case HYPERCALL_CHANNEL_ACCEPT:
	case HYPERCALL_CHANNEL_CLOSE:
		return host_channel(cpu);
	default:
		return ERR_NOSYS;
	}
}

void hypercall(struct cpu *cpu)
{
	uint64_t *r = cpu->regs.r;
	int64_t err;

	switch (r[RCX]) {
	case HYPERCALL_VERSION:
		err = do_version(r);
		break;
	case HYPERCALL_INFO:
		err = do_info(r);
		break;
	case HYPERCALL_GUEST:
		err = do_guest(r);
		break;
	case HYPERCALL_EXITS:
		err = do_exits(r);
		break;
	case HYPERCALL_LOG:
		err = do_log(r);
		break;
	case HYPERCALL_LAUNCH:
		err = do_launch(cpu);
		break;
	case HYPERCALL_DECLARE:
		err = do_declare(cpu);
		break;
	case HYPERCALL_REFUSED:
		err = do_refused(r);
		break;
	case HYPERCALL_PLATFORM:
		err = do_platform(r);
		break;
	case HYPERCALL_DISK_ATTACH:
		err = do_attach(cpu);
		break;
	case HYPERCALL_DISK_SERVE:
		err = do_serve(cpu);
		break;
	case HYPERCALL_DISK:
		err = do_disk(r);
		break;
	case HYPERCALL_EVIDENCE:
		err = do_evidence(cpu);
		break;
	case HYPERCALL_RELEASE:
		err = do_release(cpu);
		break;
	case HYPERCALL_EVENTLOG:
		err = do_eventlog(cpu);
		break;
	case HYPERCALL_CHANNEL:
		err = do_channel(cpu);
		break;
	default:
		err = ERR_NOSYS;
	}
	r[RAX] = (uint64_t)err;
}

// SPDX-License-Identifier: GPL-2.0
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "switch-channel/linux/call.h"
#include "switch-channel/linux/monitor.h"

static int call(u64 number, struct nv_regs *regs)
{
	int error;

	regs->rax = CHANNEL_MAGIC;
	regs->rcx = number;
	error = nv_monitor_call(regs);
	if (error)
		return error;
	if ((s64)regs->rax > 0 || (s64)regs->rax < -MAX_ERRNO)
		return -EIO;
	return (int)(s64)regs->rax;
}

/* Again while the host is changing one of the pages. */
static int call_patiently(u64 number, struct nv_regs *regs)
{
	unsigned long end = jiffies + msecs_to_jiffies(NV_CALL_PATIENCE_MS);
	struct nv_regs in = *regs;
	int error;

	for (;;) {
		error = call(number, regs);
		if (error != -EAGAIN || time_after(jiffies, end))
			return error;
		usleep_range(200, 1000);
		*regs = in;
	}
}

int nv_call_version(struct nv_version *version)
{
	struct nv_regs regs = {};

	if (call(CHANNEL_VERSION, &regs))
		return -ENODEV; /* plain Xen, KVM, or no hypervisor */
	if (regs.rbx != CHANNEL_ABI)
		return -EPROTO;
	version->aperture = regs.r8;
	version->bytes = regs.r9;
	version->guest = regs.r10;
	return 0;
}

int nv_call_offer(const struct channel_offer *offer, u64 *id)
{
	struct nv_regs regs = {.rdx = (uintptr_t)offer};
	int error = call_patiently(CHANNEL_OFFER, &regs);

	if (!error)
		*id = regs.rbx;
	return error;
}

int nv_call_accept(const struct channel_accept *accept)
{
	struct nv_regs regs = {.rdx = (uintptr_t)accept};

	return call_patiently(CHANNEL_ACCEPT, &regs);
}

int nv_call_pending(u64 after, struct nv_pending *pending)
{
	struct nv_regs regs = {.rdx = after};
	int error = call_patiently(CHANNEL_PENDING, &regs);

	if (error)
		return error;
	if (regs.rbx <= after || !regs.r10 || regs.r10 > CHANNEL_PAGES_MAX)
		return -EIO;
	pending->id = regs.rbx;
	memcpy(pending->service, &regs.r8, 8);
	memcpy(pending->service + 8, &regs.r9, 8);
	pending->pages = regs.r10;
	pending->guest = regs.r11;
	return 0;
}

int nv_call_identity(u64 id, u32 kind, u8 identity[CHANNEL_IDENTITY])
{
	struct nv_regs regs = {.rdx = id, .rsi = kind};
	int error = call_patiently(CHANNEL_PENDING, &regs);

	if (error)
		return error;
	memcpy(identity, &regs.r8, 8);
	memcpy(identity + 8, &regs.r9, 8);
	memcpy(identity + 16, &regs.r10, 8);
	memcpy(identity + 24, &regs.r11, 8);
	return 0;
}

int nv_call_close(u64 id, u32 reason)
{
	struct nv_regs regs = {.rdx = id, .rsi = reason};

	return call_patiently(CHANNEL_CLOSE, &regs);
}

int nv_call_status(u64 id, struct nv_status *status)
{
	struct nv_regs regs = {.rdx = id};
	int error = call_patiently(CHANNEL_STATUS, &regs);

	if (error)
		return error;
	status->state = regs.rbx;
	status->accepted = regs.r8;
	status->peer = regs.r9;
	status->pages = regs.r10;
	status->reason = regs.r11;
	return 0;
}

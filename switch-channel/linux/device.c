// SPDX-License-Identifier: GPL-2.0
/* /dev/nether-channel: see nether_channel.h. */
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "switch-channel/linux/call.h"
#include "switch-channel/linux/channel.h"
#include "switch-channel/linux/compat.h"
#include "switch-channel/linux/main.h"
#include "switch-channel/linux/nether_channel.h"

struct endpoint {
	struct list_head list;
	struct address_space *mapping; /* of the device's node: all that is mapped of its files */
	struct mutex lock;             /* for the rest; taken within `all.lock` */
	struct nv_channel channel;
	u32 reason;
};

static struct {
	struct mutex lock; /* for the list */
	struct list_head list;
	bool held; /* no file gets a channel. Set under `lock`, looked at under an endpoint's */
} all = {
	.lock = __MUTEX_INITIALIZER(all.lock),
	.list = LIST_HEAD_INIT(all.list),
};

static int device_open(struct inode *inode, struct file *file)
{
	struct endpoint *end = kzalloc(sizeof(*end), GFP_KERNEL_ACCOUNT);

	if (!end)
		return -ENOMEM;
	mutex_init(&end->lock);
	end->mapping = file->f_mapping;
	end->reason = CHANNEL_REASON_CLOSED;
	file->private_data = end;
	mutex_lock(&all.lock);
	list_add(&end->list, &all.list);
	mutex_unlock(&all.lock);
	return 0;
}

/* A mapping holds its file: there is none any more. */
static int device_release(struct inode *inode, struct file *file)
{
	struct endpoint *end = file->private_data;

	mutex_lock(&all.lock);
	list_del(&end->list);
	nv_channel_close(&end->channel, end->reason);
	mutex_unlock(&all.lock);
	kfree(end);
	return 0;
}

static int may_have_one(const struct endpoint *end)
{
	if (end->channel.id)
		return -EBUSY;
	return READ_ONCE(all.held) ? -EAGAIN : 0;
}

static int offer(struct endpoint *end, struct nether_channel_offer *in)
{
	struct nv_identity peer;
	int error = may_have_one(end);

	if (error)
		return error;
	peer.kind = in->peer;
	memcpy(peer.bytes, in->identity, sizeof(peer.bytes));
	error = nv_channel_offer(&end->channel, in->service, &peer, in->pages);
	if (!error)
		in->id = end->channel.id;
	return error;
}

/* The number of pages is the monitor's word, not the caller's. */
static int check_pages(u64 id, u32 pages)
{
	struct nv_pending pending;
	int error = nv_call_pending(id - 1, &pending);

	if (error)
		return error;
	return pending.id == id && pending.pages == pages ? 0 : -ENOENT;
}

static int accept(struct endpoint *end, const struct nether_channel_accept *in)
{
	struct nv_identity offerer;
	int error = may_have_one(end);

	if (error)
		return error;
	if (!nv_channel_accepts())
		return -EOPNOTSUPP;
	if (!in->id)
		return -EINVAL;
	error = check_pages(in->id, in->pages);
	if (error)
		return error;
	offerer.kind = in->peer;
	memcpy(offerer.bytes, in->identity, sizeof(offerer.bytes));
	return nv_channel_accept(&end->channel, in->id, in->service, &offerer, in->pages);
}

static int pending(struct nether_channel_pending *out)
{
	struct nv_pending found;
	int error;

	error = nv_call_pending(out->id, &found);
	if (error)
		return error;
	memset(out, 0, sizeof(*out));
	out->id = found.id;
	memcpy(out->service, found.service, sizeof(out->service));
	out->pages = found.pages;
	out->guest = found.guest;
	error = nv_call_identity(found.id, CHANNEL_PEER_DIGEST, out->digest);
	if (!error)
		error = nv_call_identity(found.id, CHANNEL_PEER_TENANT, out->tenant);
	return error;
}

static int status(struct endpoint *end, struct nether_channel_status *out)
{
	struct nv_status is;
	int error;

	if (!end->channel.id)
		return -ENOTCONN;
	error = nv_call_status(end->channel.id, &is);
	if (error)
		return error;
	memset(out, 0, sizeof(*out));
	out->id = end->channel.id;
	out->accepted = is.accepted;
	out->peer = is.peer;
	out->state = is.state;
	out->pages = is.pages;
	out->reason = is.reason;
	return 0;
}

static int set_reason(struct endpoint *end, u32 reason)
{
	if (reason < CHANNEL_REASON_CLOSED || reason > CHANNEL_REASON_STALLED)
		return -EINVAL;
	end->reason = reason;
	return 0;
}

union argument {
	struct nether_channel_offer offer;
	struct nether_channel_accept accept;
	struct nether_channel_pending pending;
	struct nether_channel_status status;
	u32 reason;
};

static int perform(struct endpoint *end, unsigned int command, union argument *argument)
{
	switch (command) {
	case NETHER_CHANNEL_OFFER:
		return offer(end, &argument->offer);
	case NETHER_CHANNEL_ACCEPT:
		return accept(end, &argument->accept);
	case NETHER_CHANNEL_PENDING:
		return pending(&argument->pending);
	case NETHER_CHANNEL_STATUS:
		return status(end, &argument->status);
	case NETHER_CHANNEL_REASON:
		return set_reason(end, argument->reason);
	default:
		return -ENOTTY;
	}
}

/* What is the caller's is copied without the lock, which a page fault of a mapping's takes the other way round. */
static long device_ioctl(struct file *file, unsigned int command, unsigned long user)
{
	struct endpoint *end = file->private_data;
	size_t size = _IOC_SIZE(command);
	union argument argument = {};
	int error;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (size > sizeof(argument))
		return -ENOTTY;
	if ((_IOC_DIR(command) & _IOC_WRITE) &&
	    copy_from_user(&argument, (void __user *)user, size))
		return -EFAULT;
	mutex_lock(&end->lock);
	error = perform(end, command, &argument);
	mutex_unlock(&end->lock);
	if (!error && (_IOC_DIR(command) & _IOC_READ) &&
	    copy_to_user((void __user *)user, &argument, size))
		return -EFAULT;
	return error;
}

/*
 * All pages of a mapping, when one of them is touched first: not before the kernel knows the mapping, so that revoke() finds it. A
 * channel that is over has none, and who touches it gets SIGBUS.
 */
static vm_fault_t device_fault(struct vm_fault *fault)
{
	struct vm_area_struct *vma = fault->vma;
	struct endpoint *end = vma->vm_file->private_data;
	vm_fault_t result = VM_FAULT_SIGBUS;
	unsigned long i;

	mutex_lock(&end->lock);
	for (i = 0; end->channel.id && i < vma_pages(vma); i++) {
		result = vmf_insert_pfn(vma, vma->vm_start + (i << PAGE_SHIFT),
					nv_channel_pfn(&end->channel, vma->vm_pgoff + i));
		if (result != VM_FAULT_NOPAGE)
			break;
	}
	mutex_unlock(&end->lock);
	return result;
}

static const struct vm_operations_struct mapping_operations = {.fault = device_fault};

/* Frames of memory that are not this process's to pin: nothing but loads and stores reaches them. */
static int map_pages(const struct endpoint *end, struct vm_area_struct *vma)
{
	if (!end->channel.id)
		return -ENOTCONN;
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_pgoff > end->channel.pages ||
	    vma_pages(vma) > end->channel.pages - vma->vm_pgoff)
		return -EINVAL;
	nv_set_vm_flags(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &mapping_operations;
	return 0;
}

static int device_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct endpoint *end = file->private_data;
	int error;

	mutex_lock(&end->lock);
	error = map_pages(end, vma);
	mutex_unlock(&end->lock);
	return error;
}

static const struct file_operations device_operations = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = device_mmap,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "nether-channel",
	.fops = &device_operations,
	.mode = 0600,
};

int nv_device_hold(void)
{
	struct endpoint *end;
	bool busy = false;

	mutex_lock(&all.lock);
	WRITE_ONCE(all.held, true);
	list_for_each_entry(end, &all.list, list)
	{
		mutex_lock(&end->lock);
		busy |= end->channel.id != 0;
		mutex_unlock(&end->lock);
	}
	if (busy)
		WRITE_ONCE(all.held, false);
	mutex_unlock(&all.lock);
	return busy ? -EBUSY : 0;
}

void nv_device_let(void)
{
	WRITE_ONCE(all.held, false);
}

/* First nobody reaches the pages, then the monitor hears of it: an access to the aperture afterwards would end the guest. */
static void revoke(struct endpoint *end)
{
	if (!end->channel.id)
		return;
	unmap_mapping_range(end->mapping, 0, 0, 1);
	nv_channel_close(&end->channel, end->reason);
}

void nv_device_revoke_all(void)
{
	struct endpoint *end;

	mutex_lock(&all.lock);
	WRITE_ONCE(all.held, true);
	list_for_each_entry(end, &all.list, list)
	{
		mutex_lock(&end->lock);
		revoke(end);
		mutex_unlock(&end->lock);
	}
	mutex_unlock(&all.lock);
}

int nv_device_start(void)
{
	return misc_register(&device);
}

void nv_device_stop(void)
{
	misc_deregister(&device);
}

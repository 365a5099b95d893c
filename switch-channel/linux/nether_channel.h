/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note OR Apache-2.0 */
/*
 * /dev/nether-channel: channels for programs. A file has one channel, offered or accepted by ioctl, mapped by mmap
 * (MAP_SHARED, from offset 0, within its pages), and closed when the last of file and mappings is gone. Before the kernel
 * ends (a reboot, kexec) all channels are closed, and who touches their pages gets SIGBUS. Root only.
 */
#ifndef SWITCH_CHANNEL_LINUX_NETHER_CHANNEL_H
#define SWITCH_CHANNEL_LINUX_NETHER_CHANNEL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Numbers are those of switch-channel/call.h. */
struct nether_channel_offer {
	__u8 service[16];
	__u32 peer;  /* enum channel_peer */
	__u32 pages; /* 1..CHANNEL_PAGES_MAX */
	__u8 identity[32];
	__u64 id; /* out */
};

struct nether_channel_accept {
	__u64 id; /* of a pending offer */
	__u8 service[16];
	__u32 peer;        /* CHANNEL_PEER_DIGEST or CHANNEL_PEER_TENANT */
	__u32 pages;       /* as pending */
	__u8 identity[32]; /* the offerer's */
};

struct nether_channel_pending {
	__u64 id; /* in: look for larger ones; out: the offer's */
	__u8 service[16];
	__u32 pages;
	__u32 zero;
	__u64 guest;
	__u8 digest[32]; /* of the offerer */
	__u8 tenant[32]; /* zeros: none */
};

struct nether_channel_status {
	__u64 id;
	__u64 accepted;
	__u64 peer;
	__u32 state;
	__u32 pages;
	__u32 reason; /* of the last end */
	__u32 zero;
};

/* EBUSY: the file has a channel. EAGAIN: the guest is about to suspend, or its kernel to end. Others as the monitor's. */
#define NETHER_CHANNEL_OFFER _IOWR('N', 0xc0, struct nether_channel_offer)
#define NETHER_CHANNEL_ACCEPT _IOW('N', 0xc1, struct nether_channel_accept)
/* ENOENT: no more. On any file of the device. */
#define NETHER_CHANNEL_PENDING _IOWR('N', 0xc2, struct nether_channel_pending)
/* ENOTCONN: the file has no channel. */
#define NETHER_CHANNEL_STATUS _IOR('N', 0xc3, struct nether_channel_status)
/* The reason (enum channel_reason: CLOSED, VIOLATION, STALLED) that its close will give; CLOSED at first. */
#define NETHER_CHANNEL_REASON _IOW('N', 0xc4, __u32)

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/if.h>
#include <linux/if_tun.h>

#include "switch-channel/port/tap.h"

#define GSO_FRAME_MAX 65550u /* what the kernel makes: 64 KiB, and an Ethernet header */

/* Linux 6.2; older ones refuse, and get on without. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

_Static_assert(sizeof(struct nring_vnet) == 10,
	       "struct virtio_net_hdr, and TUNSETVNETHDRSZ's default");

int tap_open(const char *name)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (tap < 0)
		return -1;
	if (snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name) >= (int)sizeof(r.ifr_name)) {
		close(tap);
		errno = ENAMETOOLONG;
		return -1;
	}
	if (ioctl(tap, TUNSETIFF, &r)) {
		int why = errno;

		close(tap);
		errno = why;
		return -1;
	}
	return tap;
}

uint32_t tap_features(int tap)
{
	uint32_t features = NRING_F_CSUM | NRING_F_TSO4 | NRING_F_TSO6 | NRING_F_ECN;

	if (!ioctl(tap, TUNSETOFFLOAD, (unsigned long)(TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6)))
		features |= NRING_F_USO;
	ioctl(tap, TUNSETOFFLOAD, 0ul);
	return features;
}

int tap_offload(int tap, uint32_t features, uint32_t frame_max)
{
	unsigned long flags = 0;

	if (frame_max < GSO_FRAME_MAX)
		features &= NRING_F_CSUM;
	if (features & NRING_F_CSUM)
		flags |= TUN_F_CSUM;
	if (features & NRING_F_TSO4)
		flags |= TUN_F_TSO4;
	if (features & NRING_F_TSO6)
		flags |= TUN_F_TSO6;
	if (features & NRING_F_ECN && features & (NRING_F_TSO4 | NRING_F_TSO6))
		flags |= TUN_F_TSO_ECN;
	if (features & NRING_F_USO && !ioctl(tap, TUNSETOFFLOAD, flags | TUN_F_USO4 | TUN_F_USO6))
		return 0;
	return ioctl(tap, TUNSETOFFLOAD, flags);
}

void tap_carrier(int tap, bool on)
{
	int carrier = on;

	ioctl(tap, TUNSETCARRIER, &carrier); /* Linux 5.0; without it the device has one always */
}

int tap_mtu(const char *name, uint32_t mtu)
{
	struct ifreq r = {.ifr_mtu = (int)mtu};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), done;

	if (s < 0)
		return -1;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	done = ioctl(s, SIOCSIFMTU, &r);
	close(s);
	return done;
}

int tap_read(int tap, void *to, uint32_t size, struct nring_vnet *vnet)
{
	struct iovec v[2] = {{vnet, sizeof(*vnet)}, {to, size}};
	ssize_t got = readv(tap, v, 2);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	return got < (ssize_t)(sizeof(*vnet) + NRING_FRAME_MIN)
		       ? -1
		       : (int)(got - (ssize_t)sizeof(*vnet));
}

int tap_write(int tap, const void *frame, uint32_t length, const struct nring_vnet *vnet)
{
	struct iovec v[2] = {{(void *)(uintptr_t)vnet, sizeof(*vnet)},
			     {(void *)(uintptr_t)frame, length}};
	ssize_t put = writev(tap, v, 2);

	if (put < 0)
		return errno;
	return put == (ssize_t)(sizeof(*vnet) + length) ? 0 : EIO;
}

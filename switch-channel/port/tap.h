/* SPDX-License-Identifier: Apache-2.0 */
/* A TAP device whose frames have virtio_net_hdr in front of them: Linux's Documentation/networking/tuntap.rst. */
#ifndef SWITCH_CHANNEL_PORT_TAP_H
#define SWITCH_CHANNEL_PORT_TAP_H

#include "switch-channel/ring_ops.h"

/* Opens or makes the device. Its file descriptor, which does not block; or -1 and errno. */
int tap_open(const char *name);

/* What the kernel takes: enum nring_feature. */
uint32_t tap_features(int tap);

/* What the kernel may leave for others to do in the frames that it gives us: `features` (enum nring_feature), which those up to frame_max bytes can be. 0 or -1. */
int tap_offload(int tap, uint32_t features, uint32_t frame_max);

/* Whether the device has a carrier. */
void tap_carrier(int tap, bool on);

/* The device's MTU. 0 or -1. */
int tap_mtu(const char *name, uint32_t mtu);

/* One frame of the kernel's to `to`, of `size` bytes. Its length; 0: there is none; -1: one was lost. */
int tap_read(int tap, void *to, uint32_t size, struct nring_vnet *vnet);

/* One frame to the kernel, which copies it. 0, or why it did not take it: a positive errno, EINVAL if the header cannot be. */
int tap_write(int tap, const void *frame, uint32_t length, const struct nring_vnet *vnet);

#endif

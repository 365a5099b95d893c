/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to disclose.c: a protected guest's hypercalls about channels (switch-channel/call.h), and its exits that are
 * about the memory of channels.
 */
#ifndef MONITOR_GUESTCHANNEL_H
#define MONITOR_GUESTCHANNEL_H

#include "monitor/privileged.h"

/* Carries out the one that the guest came out for, whose RAX is CHANNEL_MAGIC. */
enum disclose_result guestchannel_call(const struct view *s);

/* Whether that is in a channel: L1 can neither read nor write there for the guest. */
bool guestchannel_has(const struct view *s, const struct place *p);

/* A nested fault where the guest has channels, of which L1 knows nothing. mapped: there is one now. */
enum disclose_result guestchannel_fault(const struct view *s, bool mapped);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Guest code that reads the MSR in RCX, or reads and writes it back; at_wrmsr only writes, RDX:RAX. */
#ifndef L1_LIB_MSR_GUESTS_H
#define L1_LIB_MSR_GUESTS_H

#include "lib/guest.h"

GUEST(guest_rdmsr, "at_rdmsr: rdmsr; next_rdmsr:" STOP);
GUEST(guest_wrmsr, "rdmsr; at_wrmsr: wrmsr; next_wrmsr:" STOP);
GUEST_LABEL(at_rdmsr);
GUEST_LABEL(next_rdmsr);
GUEST_LABEL(at_wrmsr);
GUEST_LABEL(next_wrmsr);

#endif

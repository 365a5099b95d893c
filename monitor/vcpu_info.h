/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a PVH guest and Xen tell each other of events: 64 bytes a vCPU (struct vcpu_info of Xen's public
 * xen.h), which Xen writes at any time. The guest wants them among private data of its own. Xen is not
 * told so: it goes on using the place in the shared_info page, and what it says there is carried over
 * at that vCPU's entries, and back at its exits (R31).
 */
#ifndef MONITOR_VCPU_INFO_H
#define MONITOR_VCPU_INFO_H

#include "ept/addr.h"

struct guest_vcpu;

#define VCPU_INFO_MAX 32 /* places in shared_info */
#define VCPU_INFO_BYTES 64

/* A place in the guest's memory; 0: not named yet. */
struct info_place {
	gpa_t gpa;
	hpa_t page; /* the page where it was last; its owner says whether it still is */
};

/* Of a guest. */
struct vcpu_infos {
	struct info_place shared; /* shared_info */
	struct info_place at[VCPU_INFO_MAX];
};

/* The guest puts that of Xen's vCPU `vcpu` at gpa, within a page. 0 or ERR_INVAL. */
int vcpu_info_register(struct vcpu_infos *infos, uint32_t vcpu, gpa_t gpa);

/* Before the vCPU, which is number `id` to Xen, is entered, and when it came out, before L1 goes on. */
void vcpu_info_enter(struct guest_vcpu *v, unsigned int id);
void vcpu_info_exit(struct guest_vcpu *v, unsigned int id);

#endif

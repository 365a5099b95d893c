/* SPDX-License-Identifier: Apache-2.0 */
/* What a hypervisor can do, as attacks for both vendors need it: svm.c, vmx.c. Beyond vendor_guest.h. */
#ifndef ATTACK_L1_HV_H
#define ATTACK_L1_HV_H

#include "vendor_guest.h"

/* Values for entries of a nested table, with all rights, write-back. */
uint64_t hv_leaf(uint64_t hpa);
uint64_t hv_large(uint64_t hpa);
uint64_t hv_table(uint64_t hpa);

/* The same entry, marked as Xen does what it will recalculate; with a bit set that must be zero. */
uint64_t hv_marked(uint64_t entry);
uint64_t hv_reserved(uint64_t entry);

/* The entry for gpa in a table, with tables made on the way. */
uint64_t *hv_entry(uint64_t *root, uint64_t gpa, enum table_level level);

/* The guest's nested table becomes `root` (any number); it exits for all ports, and begins anew. */
void hv_prepare(struct guest *g, uint64_t root, uint64_t cr3, const void *rip, uint64_t rsp);
void hv_root(struct guest *g, uint64_t root);

/* The same root, in other bits that the CPU does not take for the address. */
void hv_root_alias(struct guest *g, uint64_t root);

/* Which ports make it exit is said by the bitmap at hpa. */
void hv_port_map(struct guest *g, uint64_t hpa);

/* Its ASID or VPID. */
void hv_tag(struct guest *g, uint32_t tag);

/* It runs on L1's physical memory. */
void hv_no_nesting(struct guest *g);

/* RIP moves on by n bytes. */
void hv_skip(struct guest *g, uint64_t n);

/* Whether the guest was not entered: refused, or its state called invalid. */
bool hv_is_refused(uint64_t exit);

/* Whether the nested table stopped it. The port of an exit for one. */
bool hv_is_fault(uint64_t exit);
uint16_t hv_port(const struct guest *g);

/* Whether MSRs of system calls and CR2 are in the CPU, or else in the control structure, after an exit. */
extern const bool hv_registers_stay;

/* Before XSAVE and XRSTOR, where an emulated CPU does not look at CR0.TS for these two. */
void hv_use_fpu(void);

/* After an exception took L1 out of an entry. */
void hv_recover(void);

/* It was entered on another CPU, and has not come out. */
void hv_is_elsewhere(struct guest *g);

/* Skips the attack if its success is a known error of this emulated CPU, in how it walks L1's tables. */
void hv_walk_limit(bool succeeded);

/* The control structure is free for another use of its page. */
void hv_drop(struct guest *g);

/* A page with what a control structure that is ready for use has in it; and its use as one. */
void hv_control_page(void *page);
void hv_use_control(void *page);

/* What a page must have in it for the hardware to keep state there; and that: entries of g do, or did. */
void hv_state_page(void *page);
void hv_use_state(struct guest *g, void *page);

/* Virtualization is off on this CPU. */
void hv_off(void);

/* Whether INITs can take a CPU out of guests, again and again. */
bool hv_takes_init(void);

/* Whether an APIC over memory can be read like memory. */
bool hv_reads_apic(void);

/* Its control structure, if that is memory that L1 reads; or NULL. */
const void *hv_memory(const struct guest *g);

#endif

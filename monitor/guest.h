/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guests (L2) that the monitor knows. A guest is a nested root; its vCPUs are the control
 * structures that L1 enters it with. Both are records in fixed pools, made at a first entry. A guest
 * that is protected keeps its record as long as it has pages; others lose theirs when the pool needs
 * a place, which costs them their statistics and nothing else.
 */
#ifndef MONITOR_GUEST_H
#define MONITOR_GUEST_H

#include "ept/walk.h"
#include "monitor/clock.h"
#include "monitor/cpu.h"
#include "monitor/hypercall.h"
#include "monitor/disclose.h"
#include "monitor/protect.h"
#include "monitor/window.h"

#define GUEST_MAX 64
#define GUEST_VCPU_MAX 128

enum guest_state {
	GUEST_FREE,
	GUEST_LAUNCHING, /* its table and pages are being taken from L1 */
	GUEST_TAKEN,     /* they are its, but not measured */
	GUEST_MEASURING,
	GUEST_LIVE,
	GUEST_ENDING, /* not entered any more; CPUs are flushed, its table goes back to L1 */
	GUEST_DEAD,   /* L1 gets its pages, zeroed, as it touches them */
};

struct guest {
	uint32_t state;       /* enum guest_state; atomic */
	uint32_t stop_reason; /* enum stop_reason */
	uint64_t id;          /* 1.., never reused */
	hpa_t root;           /* page-aligned, or an odd number for a guest without nested paging */
	unsigned int vcpus;   /* vCPU records that point here */
	bool isolated;        /* was launched, and has or had pages of its own */
	uint32_t calls; /* hypercalls in progress: disclosure.accept is ACCEPT_CALL. Atomic. */
	struct exit_stats retired; /* of vCPU records dropped */
	struct protection protection;
};

struct guest_vcpu {
	uint32_t cpu;           /* index of the CPU that is using it, plus one; 0: none. Atomic. */
	hpa_t key;              /* L1's control structure */
	struct guest *guest;    /* NULL: record free */
	uint64_t used;          /* TSC when last taken */
	bool entered;           /* as what it was measured, or started by the guest */
	bool fresh;             /* taken for the first time: the backend has no state for it yet */
	struct hw_vcpu *hw;     /* the backend's, one per record, for ever */
	struct fpu fpu;         /* if the guest is isolated */
	uint8_t xen_id;         /* Xen's number of the vCPU, if the guest has asked */
	uint8_t icr_target;     /* APIC id that its next IPI goes to */
	struct clock clock;     /* if the guest is isolated */
	uint16_t apic_id;       /* of an isolated guest's; STARTUP_UNKNOWN until it has seen it */
	uint32_t nmi_lvt;       /* entries of its local vector table that deliver NMIs */
	struct windows windows; /* open since its last exit */
	struct disclosure *disclosure; /* one per record, for ever */
	struct exit_stats stats;
};

/* Gives each vCPU record its backend state. At boot. */
void guest_init(void);

/*
 * The record of the vCPU that L1 keeps at key, of the guest with this root, for use by this CPU
 * until guest_vcpu_drop(). root is the page of the nested table's root, or any odd number that names
 * a guest without one. The first time, it launches the guest, and serves other CPUs meanwhile.
 * NULL, with *why set, if another CPU is using the record, if it is another isolated guest's, if all
 * records are in use, or if the guest cannot be launched or is no more.
 */
struct guest_vcpu *guest_vcpu_take(struct cpu *cpu, hpa_t key, hpa_t root, const char **why);
void guest_vcpu_drop(struct guest_vcpu *vcpu);

static inline enum guest_state guest_state(const struct guest *guest)
{
	return __atomic_load_n(&guest->state, __ATOMIC_ACQUIRE);
}

static inline bool guest_live(const struct guest *guest)
{
	return guest_state(guest) == GUEST_LIVE;
}

/* Whether L1 is kept out of its memory. */
static inline bool guest_isolated(const struct guest *guest)
{
	return guest->protection.table.live;
}

/* The root that hardware walks for the guest, whose nested table has its root at g->root. */
static inline hpa_t guest_walked(const struct guest *guest)
{
	return guest_isolated(guest) ? guest->protection.table.walked : guest->root;
}

/*
 * The same by L1's root: that of the monitor's copy, or 0 if L1's own is walked, or none. What L1 flushes by naming its
 * root has to be flushed for that one, too.
 */
hpa_t guest_walked_for(hpa_t root);

/* Adds to a space what is known of whose memory it is, and has it walk what L1 says of that: no channels (R29). */
void guest_space(const struct guest *guest, struct walk_space *space);

/*
 * Before each entry of a guest, with its state loaded and after this CPU last served others: measures the
 * guest if it was never entered, decides what it takes back from L1, and closes the vCPU's windows.
 */
enum guest_entry {
	GUEST_ENTRY_OK,
	GUEST_ENTRY_AGAIN, /* others have been served: call again, after all that comes before */
	GUEST_ENTRY_EXIT, /* L1 gets another exit first: disclosure.port, and registers as after disclose() */
	GUEST_ENTRY_OVER, /* the guest must not be entered */
};
enum guest_entry guest_enter(struct cpu *cpu, struct guest_vcpu *vcpu);

/*
 * This guest is not entered any more, on any CPU: when it returns all have left it, unless another
 * CPU ends it, or measures it, at the same time. Logged. STOP_NONE: L1 has torn it down.
 */
void guest_end(struct guest *guest, enum stop_reason reason);

/*
 * L1 is about to be told that this vCPU, which it wanted to enter, cannot be. What the vCPU has taken from L1 does
 * not come back: a guest that ran is over.
 */
void guest_over(struct guest_vcpu *vcpu);

/* Whether a hypercall of the guest's, that L1 is carrying out, has this effect on gpa (disclose.h). */
bool guest_asked(const struct guest *guest, enum guestcall_effect effect, gpa_t gpa, gpa_t *from);

/* A guest's number in the table of owners, and the reverse. */
unsigned int guest_number(const struct guest *guest);
struct guest *guest_numbered(unsigned int number);

/* n pages of a dead guest's are L1's now. */
void guest_pages_gone(struct guest *guest, uint64_t n);

/* What HYPERCALL_GUEST tells of record `index` (0..GUEST_MAX-1), or ERR_NOENT. */
struct guest_summary {
	uint64_t id;
	hpa_t root;
	unsigned int vcpus;
	enum guest_state state;
	uint32_t stop_reason;
	bool isolated; /* L1 cannot reach its memory */
	uint64_t exits;
};
int guest_summary(unsigned int index, struct guest_summary *out);

/* Exits of one reason of record `index`, over all its vCPUs. ERR_NOENT if there is no guest. */
int guest_exits(unsigned int index, enum exit_reason reason, uint64_t *count, uint64_t *cycles);

#endif

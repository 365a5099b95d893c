/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the VMX backend share. */
#ifndef VMX_VMX_H
#define VMX_VMX_H

#include "monitor/guest.h"
#include "monitor/hw.h"
#include "monitor/permit.h"
#include "monitor/tags.h"
#include "monitor/vmx/vmcs.h"

#define VPID_HOST 1 /* L1's own; L2's follow */
#define VPID_COUNT 65536u
#define NO_VMCS UINT64_MAX /* the current-VMCS pointer when there is none */

struct field_set {
	uint64_t bits[(FIELD_COUNT + 63) / 64];
};

/* L1's current VMCS, which only VMREAD and VMWRITE reach: L1's region is read when it becomes
 * current and written when it ceases to be. */
struct l1_vmcs {
	uint64_t hpa; /* of L1's region, or NO_VMCS */
	bool launched;
	uint64_t f[FIELD_COUNT];
	struct field_set dirty; /* newer here than in the VMCS that runs, or not checked yet */
	struct field_set stale; /* newer there than here */
};

/* A VMCS that hardware uses. */
struct vmcs {
	uint64_t hpa;
	bool launched;
};

/* Registers that no VMCS switches; MSRs in the order of regs.c. */
#define VMX_REGS_MSRS 6
struct vmx_regs {
	uint64_t msr[VMX_REGS_MSRS];
	uint64_t cr2, dr6;
	uint64_t dr[4];
};

/* State of one physical CPU. */
struct hw_cpu {
	struct vmcs l1; /* runs L1 */
	uint64_t vmxon_hpa;
	struct guest_vcpu *running; /* L2, or NULL for L1 */
	struct guest_vcpu *held;    /* whose VMCS this CPU may have cached; NULL: none */
	struct tag_pool vpids;
	/* L1's view of VMX */
	bool vmxon;
	uint64_t vmxon_ptr;
	struct l1_vmcs current;
	uint32_t bad_msr;   /* entry of L1's list that makes the coming VM entry fail; 0: none */
	struct vmcs shadow; /* which L1's VMREAD and VMWRITE reach by themselves; hpa 0: none */
	uint64_t taken;     /* owner_taken() when vmx_pages_ok() looked last */
	bool nmi_window;    /* an NMI waits for the moment that L1 or L2 can take it */
	/* regs.c: what L1 has itself in registers that no VMCS switches, while an isolated guest has them. */
	struct vmx_regs host;
	bool fpu_trap;  /* hw_fpu_trap() */
	bool fpu_armed; /* and L1's VMCS says so */
};

/* State of one vCPU record. */
struct hw_vcpu {
	struct vmcs vmcs;
	uint64_t msr_bitmap, io_bitmap; /* hpa: one page, two pages */
	struct permit_map msr, io;
	struct tag vpid;
	/* regs.c: of an isolated guest. */
	bool hidden;    /* L1 has the registers; the guest's are in `own` and in guest_vcpu.fpu */
	bool dr_used;   /* DR0-3 were touched; before, they are 0, and L1's are in the CPU */
	uint64_t debug; /* what the #DB that L1 got last would have set in DR6; 0: it was none */
	struct vmx_regs own;
	bool isolated; /* the guest is: maps.c */
};

/* --- hardware ------------------------------------------------------------------------------- */

/* Fields of the current VMCS. They exist: anything else is a bug of ours. */
static inline uint64_t vmx_read(enum vmcs_encoding field)
{
	uint64_t value;

	__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"((uint64_t)field) : "cc");
	return value;
}

static inline void vmx_write(enum vmcs_encoding field, uint64_t value)
{
	bool failed;

	__asm__ volatile("vmwrite %2, %1"
			 : "=@ccbe"(failed)
			 : "r"((uint64_t)field), "r"(value)
			 : "cc");
	ASSERT(!failed);
}

static inline void vmx_load(const struct vmcs *v)
{
	bool failed;

	__asm__ volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(v->hpa) : "cc", "memory");
	ASSERT(!failed);
}

static inline void vmx_clear(struct vmcs *v)
{
	bool failed;

	__asm__ volatile("vmclear %1" : "=@ccbe"(failed) : "m"(v->hpa) : "cc", "memory");
	ASSERT(!failed);
	v->launched = false;
}

/* INVEPT and INVVPID, by the types of SDM vol. 3, chapter 31. */
enum invalidate { INV_ADDRESS, INV_SINGLE, INV_ALL, INV_SINGLE_KEEP_GLOBAL };

static inline bool vmx_invept(enum invalidate type, uint64_t eptp)
{
	bool failed;
	uint64_t operand[2] = {eptp, 0};

	__asm__ volatile("invept %1, %2"
			 : "=@ccbe"(failed)
			 : "m"(operand), "r"((uint64_t)type)
			 : "cc", "memory");
	return !failed;
}

static inline void vmx_invvpid(enum invalidate type, uint16_t vpid)
{
	bool failed;
	uint64_t operand[2] = {vpid, 0};

	__asm__ volatile("invvpid %1, %2"
			 : "=@ccbe"(failed)
			 : "m"(operand), "r"((uint64_t)type)
			 : "cc", "memory");
	ASSERT(!failed);
}

/* enter.S: VMLAUNCH or VMRESUME with the registers of regs, unless *nmi_seen. */
enum enter_result { ENTER_DONE, ENTER_NMI, ENTER_REFUSED };
enum enter_result vmx_enter(struct regs *regs, bool launched, const bool *nmi_seen);

/* --- fields.c ------------------------------------------------------------------------------- */

enum field_kind { GUEST, COLD, CHOICE, COPY, EVENT, MERGE, LIST, HOST, INFO, NONE, KIND_COUNT };

extern const uint16_t field_encoding[FIELD_COUNT];
extern struct field_set fields_of[KIND_COUNT]; /* those that the hardware has, by kind */

extern struct field_set fields_copied; /* GUEST, COLD and COPY */
extern struct field_set
	fields_passed; /* those of COPY that count for isolated guests as they are */
extern struct field_set fields_checked;      /* COPY, MERGE and LIST */
extern struct field_set fields_host_checked; /* what check_host() reads */

/* The same fields one after the other, for what is done at every exit. */
struct field_list {
	unsigned int count;
	uint8_t f[FIELD_COUNT];
};
void field_list(struct field_list *list, const struct field_set *set);

/* On each CPU: finds out which fields all of them have. */
void fields_init(bool (*exists)(uint64_t encoding));
/* Number of the field with this encoding (its FIELD_HIGH bit ignored), or -1. */
int field_find(uint64_t encoding);
bool field_exists(unsigned int field);
/* What a VMWRITE of value leaves in a field with this encoding, which had old. */
uint64_t field_set_value(uint32_t encoding, uint64_t old, uint64_t value);

static inline bool set_has(const struct field_set *s, unsigned int field)
{
	return s->bits[field / 64] >> (field % 64) & 1;
}

static inline bool set_meets(const struct field_set *a, const struct field_set *b)
{
	uint64_t both = 0;

	for (size_t w = 0; w < ARRAY_SIZE(a->bits); w++)
		both |= a->bits[w] & b->bits[w];
	return both;
}

static inline void set_add(struct field_set *s, unsigned int field)
{
	s->bits[field / 64] |= 1ul << (field % 64);
}

static inline void set_drop(struct field_set *s, unsigned int field)
{
	s->bits[field / 64] &= ~(1ul << (field % 64));
}

/* Each field of a set: for (SET_EACH(f, &set)) */
static inline int set_next(const struct field_set *s, int after)
{
	unsigned int f = (unsigned int)(after + 1);

	while (f < FIELD_COUNT) {
		uint64_t rest = s->bits[f / 64] >> (f % 64);

		if (rest)
			return (int)f + __builtin_ctzl(rest);
		f = (f / 64 + 1) * 64;
	}
	return -1;
}

/* --- caps.c: what the hardware can do, and what of it L1 may use ------------------------------ */

struct control_caps {
	uint32_t must, may; /* bits that have to be 1, bits that may be */
};
struct vmx_caps {
	struct control_caps pin, cpu, cpu2, exit, entry;
	uint64_t cr0_must, cr0_may, cr4_must, cr4_may;
	uint64_t ept_vpid, misc;
	uint64_t phys_bits;
};
extern struct vmx_caps hw_caps; /* the hardware's */
extern struct vmx_caps l1_caps; /* L1's: no more than the hardware's, and what we implement */

/* Fills in both. ERR_NOSYS: the monitor cannot run here, *why says why. */
/* vmxon_feature: the bit of IA32_FEATURE_CONTROL that VMXON needs in this boot. */
int caps_read(struct cpuid (*cpuid)(uint32_t leaf, uint32_t subleaf), uint64_t vmxon_feature,
	      const char **why);
/* The capability MSRs as L1 sees them: 0, or ERR_INVAL for one that does not exist. */
int caps_msr(uint32_t msr, uint64_t *value);

/* hidden.c: features with which L1 would have hardware write where it likes, and others not nested */
bool caps_hides_msr(uint32_t msr);
bool caps_xss_ok(uint64_t value);
unsigned int caps_address_bits(unsigned int phys_bits, uint64_t tme_activate);
void caps_hide_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid *r);

#define VMX_REVISION 0x4e560001u /* of L1's regions: our layout */
#define MSR_FEATURE_CONTROL 0x3au
#define FEATURE_LOCKED 1u
#define FEATURE_VMXON_SMX 2u /* after a TXT launch */
#define FEATURE_VMXON 4u
#define MSR_VMX_BASIC 0x480u
#define MSR_VMX_LAST 0x493u
#define MSR_XSS 0xda0u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_DEBUGCTL 0x1d9u
#define MSR_TME_ACTIVATE 0x982u
#define CPUID_TME (1u << 13) /* leaf 7, ECX */

/* --- check.c: what VM entry refuses before it looks at the guest; NULL, or what is wrong -------- */

const char *check_controls(const uint64_t *f, const struct vmx_caps *caps); /* but the event */
const char *check_event(const uint64_t *f, const struct vmx_caps *caps);
const char *check_host(const uint64_t *f, const struct vmx_caps *caps);
bool eptp_ok(uint64_t eptp, const struct vmx_caps *caps);
bool efer_ok(uint64_t efer); /* of L1 in 64-bit mode */

/* --- the rest ------------------------------------------------------------------------------- */

/* cpu.c: what every VMCS of the monitor's has in common; each for the current one */
uint64_t vmx_read_cr(unsigned int number);
void vmx_vmcs_init(struct vmcs *v); /* clear, with nothing in it; not current */
void vmx_write_host_state(void);
void vmx_write_neutral_controls(void);

/* space.c: the address space and mode that the current VMCS describes; by the host table or not */
void vmx_space(struct walk_space *space, hpa_t nested_root, bool nested);
/* CR0 and CR4 as whoever runs with the current VMCS reads them. */
uint64_t vmx_seen_cr0(void);
uint64_t vmx_seen_cr4(void);
/* PAE paging's top-level entries, which VM entry takes from the VMCS: read from memory at cr3. */
int vmx_load_pdptes(uint64_t cr3);
int vmx_load_guest_pdptes(const struct walk_space *space);
bool host_real_mode(void);
/* The instruction of len bytes is done: L1's, or L2's, whoever the current VMCS describes. */
void vmx_complete(struct cpu *cpu, unsigned int len);
bool vmx_pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer);

/* control.c: L1's writes to CR0 and CR4 that reach bits of the monitor's; XCR0 */
void host_cr_exit(struct cpu *cpu);
void host_guard_cr0(bool vmxon);
void host_xsetbv(struct cpu *cpu);

/* operand.c: operands of L1's VMX instructions. 0, or the fault has been injected. */
bool operand_is_register(void);
uint64_t *operand_reg(struct cpu *cpu, unsigned int shift); /* its number's place in the info */
int operand_read(struct cpu *cpu, void *buf, size_t n);
int operand_write(struct cpu *cpu, const void *buf, size_t n);

/* insn.c: L1's VMX instructions, and how they end */
void vmx_instruction(struct cpu *cpu, unsigned int reason);
void vmx_vmcall(struct cpu *cpu); /* one that is no hypercall to the monitor */
void vm_succeed(struct cpu *cpu);
void vm_fail(struct cpu *cpu, enum vm_error error);

/* region.c: L1's current VMCS, and its regions */
void region_clear(uint64_t hpa);                  /* launch state: clear */
bool current_load(struct cpu *cpu, uint64_t hpa); /* false: the region is L1's no more */
void current_store(struct cpu *cpu);              /* there is no current VMCS any more */
uint64_t current_read(struct cpu *cpu, unsigned int field);
void current_write(struct cpu *cpu, unsigned int field, uint64_t value);
void current_release(struct cpu *cpu); /* the held vCPU's VMCS leaves this CPU */

/* shadow.c: fields that L1's VMREAD and VMWRITE reach without an exit */
extern bool shadow_off; /* told so on the command line */
void shadow_create(struct hw_cpu *hw);
void shadow_enable(struct hw_cpu *hw);
void shadow_switch(struct hw_cpu *hw, bool on); /* L1 has a current VMCS, or none */
void shadow_show(struct hw_cpu *hw);            /* L1's fields to where it reads them */
void shadow_collect(struct hw_cpu *hw);         /* what L1 wrote there */

/* state.c: of the current VMCS, but the event; segment i is ES CS SS DS FS GS LDTR TR */
enum { SEG_LDTR = SEG_COUNT, SEG_TR };
void vmx_set_segment(unsigned int i, uint16_t selector, uint64_t base, uint32_t limit,
		     uint32_t rights);
void vmx_reset_state(void);          /* as after INIT */
void vmx_sipi_state(uint8_t vector); /* behind that, as after a start-up IPI */

/* maps.c */
void maps_host(uint8_t *bitmap); /* closes what L1 itself must not reach */
void maps_reset(struct hw_vcpu *v, bool isolated);
void maps_prepare(struct hw_vcpu *v, const uint64_t *f);
/* Whether L1 leaves what its guest just did open; *opened: it passes when the guest tries again. */
bool maps_msr(struct hw_vcpu *v, uint32_t msr, bool write, bool *opened);

/* msrs.c: MSR lists, into and from the current VMCS. 0, or the number (from 1) of a bad entry. */
uint32_t msrs_load(struct cpu *cpu, uint64_t list, uint64_t count);
uint32_t msrs_store(struct cpu *cpu, uint64_t list, uint64_t count);

/* nested.c */
void vmx_launch(struct cpu *cpu, bool launch);
void vmx_guest_refused(struct cpu *cpu); /* VMfail at the hardware's own entry */
void vmx_guest_exit(struct cpu *cpu);
bool vmx_pages_ok(struct cpu *cpu); /* what the hardware uses of L1's memory still is L1's */
void vmx_end_run(struct cpu *cpu);  /* to L1 the guest's state has become invalid */

/* reflect.c: L1 goes on behind an exit of L2 */
void reflect_init(void); /* after fields_init() */
void vmx_reflect(struct cpu *cpu);

/*
 * L1 gets another exit in the place of the entry that it asked for, before anything of the guest is loaded; an
 * event that it injects goes back as one that waits.
 */
void vmx_ask(struct cpu *cpu);
void vmx_reflect_failure(struct cpu *cpu, unsigned int reason, uint64_t qualification);
/* An exit that the hardware did not make: INIT, NMI, or an exception that L1 wants to see. */
void vmx_reflect_event(struct cpu *cpu, unsigned int reason, uint32_t event, uint32_t error_code);

/* host.c */
void vmx_host_exit(struct cpu *cpu);

/* event.c */
void vmx_deliver(struct cpu *cpu); /* before every entry */
void vmx_nmi_exit(struct cpu *cpu);
void vmx_close_window(struct cpu *cpu); /* of whoever is running */

/* run.c: RSP, RIP and RFLAGS of whoever the current VMCS describes, to cpu->regs */
void vmx_load_regs(struct cpu *cpu);
/* An event whose delivery the exit cut short is to be delivered again, at the next entry. */
void vmx_redeliver(void);

/*
 * hide.c. L1 is to get an exit of an isolated guest's that the hardware did not make, or (INVALID) its end. False:
 * the guest has not gone on since L1 had it, and L1 finds all of it as it left it, with its event.
 */
bool vmx_hide(struct cpu *cpu, enum exit_reason reason, uint8_t vector);
struct injection vmx_injection(uint32_t event, uint32_t error);
/* L1's part is accepted: the guest goes on. */
void vmx_unhide(struct cpu *cpu);
/* Its CR0 or CR4, as it reads them, into the current VMCS; L1 hears of changes of CR4's bits in mask. */
void vmx_set_cr0(uint64_t cr0);
void vmx_set_cr4(uint64_t cr4, uint64_t mask);

/* shown.c: an isolated guest's VMCS and L1's */
/* What of L1's controls counts (R17), and what the monitor adds. */
struct vmx_request {
	uint64_t pin, cpu, cpu2, entry;
};
void vmx_shown_request(const struct guest_vcpu *v, struct vmx_request *r);
/* The vCPU's first entry, with L1's state and controls in its VMCS, which is current. 0, or an error. */
int vmx_shown_begin(struct cpu *cpu, struct guest_vcpu *v);
/* A later one: the fields that count in part. */
void vmx_shown_load(const struct l1_vmcs *current);
/* What L1 reads after an exit: of the guest's state, and why it came out. */
void vmx_shown_state(struct cpu *cpu);
void vmx_shown_info(struct cpu *cpu);

/* regs.c: registers that no VMCS switches. The guest's VMCS is current. */
void vmx_regs_init(void);
/* After start or INIT. */
void vmx_regs_begin(struct guest_vcpu *v);
/* L1 asks for an entry of v, whose VMCS has been filled in. */
void vmx_regs_enter(struct cpu *cpu, struct guest_vcpu *v);
/* Before L1 goes on, or touches its own MSRs; and, once L1's part is accepted, before the guest does. */
void vmx_regs_hide(struct cpu *cpu);
void vmx_regs_restore(struct cpu *cpu);
/* L1's VMCS is current, and its CR0 set. */
void vmx_regs_host(struct cpu *cpu);
/* The guest has touched a debug register for the first time. */
void vmx_regs_debug(struct cpu *cpu);
/* An isolated guest's RDMSR or WRMSR: 0: done; ERR_INVAL: #GP; ERR_NOENT: not one of its own. */
int vmx_regs_msr(struct cpu *cpu, bool write);
/* What L1 has in CR2 for the guest, while the latter is hidden; and what the guest finds there. */
uint64_t vmx_regs_offer_cr2(const struct cpu *cpu);
void vmx_regs_set_cr2(struct cpu *cpu, uint64_t value);
/* The guest takes the #DB that L1 got, or (after an instruction that L1 carried out) that of a single step. */
void vmx_regs_take_debug(struct cpu *cpu);

/* exits.c */
enum exit_reason vmx_reason(uint32_t reason, uint32_t event);

#endif

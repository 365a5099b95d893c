/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and layouts: Xen's public headers (xen.h, memory.h, hvm/params.h, features.h ...). */
#include "monitor/guestcall.h"

#include "monitor/arch.h"
#include "monitor/gueststore.h"
#include "monitor/lib.h"

#define MEMORY_OP 12
#define MEMORY_SUB 63u /* bits of the first argument; the rest is progress */
#define MEMORY_SHIFT 6

/* What is special about a call. */
enum kind {
	KIND_PLAIN,
	KIND_DROP,     /* answered with 0 */
	KIND_RELEASE,  /* struct xen_memory_reservation */
	KIND_POPULATE, /* the same */
	KIND_PHYSMAP,  /* struct xen_add_to_physmap */
	KIND_MAP,      /* struct xen_memory_map */
	KIND_YIELD,    /* passed on as yield */
	KIND_VCPU_INFO,
	KIND_SEND,
	KIND_GET_PARAM,
	KIND_SET_PARAM,
	KIND_CONSOLE, /* the second argument is the operand's length */
	KIND_COUNT
};

enum rule {
	RULE_NONE,
	RULE_PORT,     /* takes an event channel's port: 4 bytes, in range */
	RULE_FEATURES, /* takes feature bits: 4 bytes, those known */
	RULE_TEXT,     /* takes a string: its last byte becomes 0 */
};

/* [0] is for 32-bit layouts, [1] for 64-bit ones. */
struct row {
	uint8_t call, sub;
	uint8_t args; /* registers; the last points to the structure, if bytes != 0 */
	uint8_t kind, rule;
	uint16_t bytes[2]; /* of the structure, as Xen copies it */
	uint8_t shown[2];  /* of these, those that are input: the first ones */
	uint8_t taken_at;
	uint16_t taken[2];
	uint32_t most; /* largest result; negative ones are errors */
};

/* A list that the structure points to. Offsets and sizes can be WORD. */
struct list {
	uint8_t pointer, count; /* offsets of these members */
	uint8_t count_bytes;
	uint8_t element; /* bytes; 0: there is no list */
	uint16_t most;   /* elements */
	bool taken;      /* Xen writes it; else Xen reads it */
};

#define WORD 0xff /* 4 in 32-bit layouts, 8 in 64-bit ones */

/*
 * Every hypercall that hvmloader, SeaBIOS and Linux 6.1 need as HVM or PVH guests of Xen 4.17.
 * Sizes are those of Xen's copies. Shown are the input members and taken are the output members, so
 * that what the guest's stack held behind the input stays private, and input (pointers above all)
 * does not change behind the guest's back.
 *
 * Xen chooses the bytes that are taken, and the result: any of those that the row allows. They are
 * answers of an untrusted host, which the guest must judge, as it must a device's. Where guests use
 * them as an index or as an address, and not all with a check, there is a rule.
 *
 * Refused, with the answer ERR_NOSYS, since there is no row:
 * - multicall 13: calls in memory, where another vCPU can change them after they were judged.
 * - grant_table_op 20: a grant gives a host page-sized access, and private pages stay private: a
 *   backend would read ciphertext, and stop the guest when it writes. Linux goes on with what it
 *   assumes then (version 1, 4 frames). Frames of the table itself can be mapped, if
 *   guestcall_request.grants: the host can rewrite them, but they protect nothing here, owners do.
 * - vm_assist 21: is about runstate areas. Linux does not insist.
 * - physdev_op 33: interrupts of devices as event channels. Not asked for without the feature bit.
 * - memory_op get_vnumainfo 26: three lists; hvmloader then has one node.
 * - vcpu_op register_vcpu_time_memory_area 13: Xen would write to a virtual address at any time,
 *   through the tables of whatever process runs. Linux does without a vDSO clock.
 * - vcpu_op initialise 0, up 1: vCPUs start by INIT and SIPI only, in a state that is known (R19).
 * - event_channel_op init_control 11, expand_array 12: FIFO event channels need pages that Xen
 *   writes for ever. Linux falls back to the two-level ones, which live in shared_info. So
 *   set_priority 13 has no meaning, and is not answered better by Xen.
 * - hvm_op pagetable_dying 9: for shadow paging. Linux asks once whether it exists.
 * - xen_version commandline 9, build_id 10: not needed, the latter of variable length.
 */
/* clang-format off */
#define SAME(n) {n, n}
#define REGS(call, sub, args) {call, sub, args, KIND_PLAIN, RULE_NONE, SAME(0), SAME(0), 0, SAME(0), 0}
#define IN(call, sub, args, n, kind) \
	{call, sub, args, kind, RULE_NONE, SAME(n), SAME(n), 0, SAME(0), 0}
#define OUT(call, sub, args, n, rule) \
	{call, sub, args, KIND_PLAIN, rule, SAME(n), SAME(0), 0, SAME(n), 0}
/* Input first, output to the end. */
#define INOUT(call, sub, args, in, at, n, kind, rule) \
	{call, sub, args, kind, rule, SAME(n), SAME(in), at, SAME((n) - (at)), 0}

static const struct row rows[] = {
	/* memory_op */
	/*
	 * Ballooning. The gfns are the guest's own choice; Xen gets or gives just those pages. It may
	 * write the gfns back in 32-bit layouts, which is dropped. Lists of at most a page: Linux's.
	 */
	{12, 1, 2, KIND_RELEASE, RULE_NONE, {20, 32}, {18, 26}, 0, SAME(0), 0},
	{12, 6, 2, KIND_POPULATE, RULE_NONE, {20, 32}, {18, 26}, 0, SAME(0), 0},
	/* shared_info, grant table frames, moves of RAM: which space decides about the effect. */
	{12, 7, 2, KIND_PHYSMAP, RULE_NONE, {16, 24}, {16, 24}, 0, SAME(0), 0},
	/*
	 * The RAM map, no more entries than the guest has room for. A wrong map makes the guest use
	 * memory that it does not have; it must not be emulated there (R12).
	 */
	{12, 9, 2, KIND_MAP, RULE_NONE, {8, 16}, {8, 16}, 0, SAME(4), 0},

	/* xen_version: for messages and for /sys/hypervisor. No input. */
	{17, 0, 1, KIND_PLAIN, RULE_NONE, SAME(0), SAME(0), 0, SAME(0), INT32_MAX},
	OUT(17, 1, 2, 16, RULE_TEXT),   /* extraversion */
	OUT(17, 2, 2, 144, RULE_TEXT),  /* compile_info */
	OUT(17, 3, 2, 1024, RULE_TEXT), /* capabilities */
	OUT(17, 4, 2, 64, RULE_TEXT),   /* changeset */
	{17, 5, 2, KIND_PLAIN, RULE_NONE, {4, 8}, SAME(0), 0, {4, 8}, 0}, /* platform_parameters */
	INOUT(17, 6, 2, 4, 4, 8, KIND_PLAIN, RULE_FEATURES),
	{17, 7, 1, KIND_PLAIN, RULE_NONE, SAME(0), SAME(0), 0, SAME(0), PAGE_SIZE}, /* pagesize */
	OUT(17, 8, 2, 16, RULE_NONE), /* guest_handle: the UUID, which the host may choose */

	/* console_io: write. What the guest prints is disclosed, that is its purpose. Up to a page. */
	{18, 0, 3, KIND_CONSOLE, RULE_NONE, SAME(0), SAME(0), 0, SAME(0), 0},

	/* vcpu_op. The second argument is the vCPU. */
	/*
	 * register_runstate_memory_area: Xen would write to a virtual address at any time. Linux stops
	 * if this fails, so it is told that it worked; no time was ever stolen, says the area.
	 */
	{24, 5, 3, KIND_DROP, RULE_NONE, SAME(0), SAME(0), 0, SAME(0), 0},
	REGS(24, 7, 2), /* stop_periodic_timer */
	{24, 8, 3, KIND_PLAIN, RULE_NONE, {12, 16}, SAME(12), 0, SAME(0), 0}, /* set_singleshot_timer */
	REGS(24, 9, 2), /* stop_singleshot_timer */
	IN(24, 10, 3, 16, KIND_VCPU_INFO), /* 64 bytes in a private page: a window of its own (R31) */

	/* sched_op */
	REGS(29, 0, 1), /* yield */
	REGS(29, 1, 1), /* block */
	IN(29, 2, 2, 4, KIND_PLAIN), /* shutdown, with a reason */
	/*
	 * poll: who waits for ever would have windows open for ever, in the place of others'. It may end
	 * at any time, and whoever calls it looks again then.
	 */
	{29, 3, 1, KIND_YIELD, RULE_NONE, SAME(0), SAME(0), 0, SAME(0), 0},

	/*
	 * event_channel_op. The host may notify at any time or never, whoever is at the other end, so
	 * there is nothing to hide; a port out of range would index the guest's tables.
	 */
	INOUT(32, 0, 2, 8, 8, 12, KIND_PLAIN, RULE_PORT), /* bind_interdomain */
	INOUT(32, 1, 2, 8, 8, 12, KIND_PLAIN, RULE_PORT), /* bind_virq */
	IN(32, 3, 2, 4, KIND_PLAIN),                      /* close */
	IN(32, 4, 2, 4, KIND_SEND),                       /* send */
	INOUT(32, 5, 2, 8, 8, 24, KIND_PLAIN, RULE_NONE), /* status */
	INOUT(32, 6, 2, 4, 4, 8, KIND_PLAIN, RULE_PORT),  /* alloc_unbound */
	INOUT(32, 7, 2, 4, 4, 8, KIND_PLAIN, RULE_PORT),  /* bind_ipi */
	IN(32, 8, 2, 8, KIND_PLAIN),                      /* bind_vcpu */
	IN(32, 9, 2, 4, KIND_PLAIN),                      /* unmask */

	/* hvm_op */
	/* Callback vector, ACPI ports and addresses in the guest; Xen could act as if it had them. */
	IN(34, 0, 2, 16, KIND_SET_PARAM),
	/* Ports, and the gfns of the two rings, which are the only ones they can have. */
	INOUT(34, 1, 2, 8, 8, 16, KIND_GET_PARAM, RULE_NONE),
	/* set_evtchn_upcall_vector: that the guest takes a vector is judged where it is injected (R16) */
	{34, 23, 2, KIND_PLAIN, RULE_NONE, SAME(8), SAME(5), 0, SAME(0), 0},
};

static const struct list lists[KIND_COUNT] = {
	/* gfns: Linux gives up to a page of 64-bit ones, hvmloader one */
	[KIND_RELEASE] = {0, WORD, WORD, WORD, 512, false},
	[KIND_POPULATE] = {0, WORD, WORD, WORD, 512, false},
	/* E820 entries: hvmloader and Linux have room for 128 */
	[KIND_MAP] = {WORD, 0, 4, 20, 128, true},
};
/* clang-format on */

static const struct row *find(uint64_t call, uint64_t sub)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].call == call && rows[i].sub == sub)
			return &rows[i];
	return NULL;
}

#define DOMID_SELF 0x7ff0u
#define PORTS(wide) ((wide) ? 4096u : 1024u) /* two-level event channels */
#define ERRNO_MAX 4095

/* hvm/params.h. Set: CALLBACK_IRQ, ACPI_IOPORTS_LOCATION, VM_GENERATION_ID_ADDR, VM86_TSS_SIZED. */
#define BIT(n) ((uint64_t)1 << (n))
#define PARAMS_SET (BIT(0) | BIT(19) | BIT(34) | BIT(37))
#define STORE_PFN 1
#define STORE_EVTCHN 2
#define CONSOLE_PFN 17
#define CONSOLE_EVTCHN 18
#define PARAMS_GET (BIT(STORE_PFN) | BIT(STORE_EVTCHN) | BIT(CONSOLE_PFN) | BIT(CONSOLE_EVTCHN))
/* Where Xen's tools put the rings. Elsewhere the guest would take its own memory for a ring. */
#define STORE_GFN 0xfeffcu
#define CONSOLE_GFN 0xfefffu

/*
 * features.h: writable_page_tables, auto_translated_physmap, hvm_callback_vector, hvm_safe_pvclock,
 * memory_op_vnode_supported, not_direct_mapped. Not hvm_pirqs (10): Linux would replace its device
 * interrupts by calls that are refused.
 */
#define FEATURES (BIT(0) | BIT(2) | BIT(8) | BIT(9) | BIT(13) | BIT(16))

/* enum phys_map_space */
enum { SHARED_INFO, GRANT_TABLE, GMFN, GMFN_RANGE };

static unsigned int word(const struct guestcall *c)
{
	return c->wide ? 8 : 4;
}

static uint64_t load(const uint8_t *at, unsigned int bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, bytes);
	return value;
}

static uint64_t narrow(const struct guestcall *c, uint64_t value)
{
	return c->wide ? value : (uint32_t)value;
}

/* An offset or a size of a list. */
static unsigned int size_of(const struct guestcall *c, uint8_t size)
{
	return size == WORD ? word(c) : size;
}

/* Adds an operand, of which Xen is shown the first bytes; zeros behind. */
static int add(const struct guestcall_request *r, struct guestcall *c, uint64_t gva,
	       unsigned int bytes, unsigned int shown)
{
	struct guestcall_operand *o = &c->operand[c->operands];

	if (!bytes)
		return 0;
	ASSERT(c->operands < GUESTCALL_OPERANDS && shown <= bytes);
	ASSERT(c->used + bytes <= sizeof(c->data));
	if (gva > narrow(c, UINT64_MAX) - (bytes - 1))
		return ERR_FAULT;
	*o = (struct guestcall_operand){.gva = GVA(gva), .bytes = (uint16_t)bytes, .data = c->used};
	c->operands++;
	if (!shown)
		return 0;
	o->shown = true;
	c->used += o->bytes;
	memset(c->data + o->data + shown, 0, bytes - shown);
	return r->read(r->context, o->gva, c->data + o->data, shown) ? ERR_FAULT : 0;
}

/* The list of the structure in data. *count: its elements. */
static int add_list(const struct guestcall_request *r, struct guestcall *c, uint32_t *count)
{
	const struct list *l = &lists[c->kind];
	struct guestcall_operand *o = &c->operand[c->operands];
	unsigned int bytes;
	uint64_t n;
	int err;

	if (!l->element)
		return 0;
	n = load(c->data + size_of(c, l->count), size_of(c, l->count_bytes));
	if (n > l->most)
		return ERR_2BIG;
	*count = (uint32_t)n;
	bytes = *count * size_of(c, l->element);
	err = add(r, c, load(c->data + size_of(c, l->pointer), word(c)), bytes,
		  l->taken ? 0 : bytes);
	if (!err && l->taken && bytes)
		o->taken = o->bytes;
	return err;
}

uint64_t guestcall_gfn(const struct guestcall *c, unsigned int i)
{
	ASSERT(i < c->count && c->operands == 2);
	return load(c->data + c->operand[1].data + (size_t)(c->end - c->count + i) * word(c),
		    word(c));
}

/* Extents of one page only, of the guest itself; what was done before an interruption is left out. */
static int reservation(struct guestcall *c, uint64_t start, uint32_t count)
{
	const uint8_t *order = c->data + 2 * (size_t)word(c), *flags = order + 4;

	if (load(flags + 4, 2) != DOMID_SELF)
		return ERR_PERM;
	if (load(order, 4) || load(flags, 4))
		return ERR_INVAL;
	if (start >= count) {
		c->pass = false;
		c->answer = narrow(c, start);
		return 0;
	}
	c->effect = c->kind == KIND_RELEASE ? GUESTCALL_RELEASE : GUESTCALL_POPULATE;
	c->end = c->most_result = count;
	c->count = count - (uint32_t)start;
	for (unsigned int i = 0; i < c->count; i++)
		if (guestcall_gfn(c, i) >= GUESTCALL_GFN_END)
			return ERR_INVAL;
	return 0;
}

static int move(struct guestcall *c, uint64_t start, uint32_t count)
{
	if (start >= count)
		return ERR_INVAL;
	c->effect = GUESTCALL_MOVE;
	c->end = count;
	c->count = count - (uint32_t)start;
	if (c->from > GUESTCALL_GFN_END - count || c->to > GUESTCALL_GFN_END - count)
		return ERR_INVAL;
	if (c->from < c->to + count && c->to < c->from + count)
		return ERR_INVAL;
	c->from += start;
	c->to += start;
	return 0;
}

static int physmap(const struct guestcall_request *r, struct guestcall *c, uint64_t start)
{
	uint64_t space = load(c->data + 4, 4);

	if (load(c->data, 2) != DOMID_SELF)
		return ERR_PERM;
	c->from = load(c->data + 8, word(c));
	c->to = load(c->data + 8 + word(c), word(c));
	if (space == GMFN_RANGE)
		return move(c, start, (uint32_t)load(c->data + 2, 2));
	if (start || c->to >= GUESTCALL_GFN_END)
		return ERR_INVAL;
	if (space == GMFN)
		return move(c, 0, 1);
	if (space != SHARED_INFO && (space != GRANT_TABLE || !r->grants))
		return ERR_NOSYS;
	c->effect = space == SHARED_INFO ? GUESTCALL_SHARE_INFO : GUESTCALL_SHARE;
	c->count = 1;
	return 0;
}

static int vcpu_info(struct guestcall *c)
{
	uint64_t offset = load(c->data + 8, 4);

	c->to = load(c->data, 8);
	if (c->arg[1] > UINT32_MAX || c->to >= GUESTCALL_GFN_END)
		return ERR_INVAL;
	if (offset > PAGE_SIZE - 64 || offset % 8)
		return ERR_INVAL;
	c->effect = GUESTCALL_VCPU_INFO;
	c->count = 1;
	c->offset = (uint16_t)offset;
	c->vcpu = (uint32_t)c->arg[1];
	return 0;
}

/* What L1 says of its xenstore is replaced. The place is told once, to the firmware: there is no other user. */
static int store_param(const struct guestcall_request *r, struct guestcall *c, uint64_t index)
{
	if (r->store == GUESTCALL_STORE_TOLD && index == STORE_PFN)
		return ERR_INVAL;
	if (index == STORE_PFN)
		c->effect = GUESTCALL_STORE_PLACE;
	c->mask = 0;
	c->set = c->least = c->most = index == STORE_PFN ? GUESTSTORE_GFN : GUESTSTORE_PORT;
	return 0;
}

static int param(const struct guestcall_request *r, struct guestcall *c, uint64_t allowed)
{
	uint64_t index = load(c->data + 4, 4);

	if (load(c->data, 2) != DOMID_SELF)
		return ERR_PERM;
	if (index >= 64 || !(allowed & BIT(index)))
		return ERR_INVAL;
	if (index == STORE_PFN)
		c->least = c->most = STORE_GFN;
	else if (index == CONSOLE_PFN)
		c->least = c->most = CONSOLE_GFN;
	else
		c->most = PORTS(c->wide) - 1;
	c->check = c->kind == KIND_GET_PARAM ? 8 : 0;
	if (c->check && r->store != GUESTCALL_STORE_L1 &&
	    (index == STORE_PFN || index == STORE_EVTCHN))
		return store_param(r, c, index);
	return 0;
}

static int console(const struct guestcall_request *r, struct guestcall *c)
{
	unsigned int n = (unsigned int)c->arg[1];

	return c->arg[1] > PAGE_SIZE ? ERR_2BIG : add(r, c, c->arg[2], n, n);
}

static void set_rule(struct guestcall *c, enum rule rule, unsigned int taken)
{
	c->check = rule == RULE_NONE ? 0 : rule == RULE_TEXT ? 1 : 4;
	c->check_at = rule == RULE_TEXT ? (uint16_t)(taken - 1) : 0;
	c->mask = rule == RULE_TEXT ? 0 : rule == RULE_FEATURES ? FEATURES : UINT64_MAX;
	c->most = rule == RULE_PORT ? PORTS(c->wide) - 1 : UINT64_MAX;
}

static int apply(const struct guestcall_request *r, struct guestcall *c, uint64_t start)
{
	uint32_t count = 0;
	int err = add_list(r, c, &count);

	if (err)
		return err;
	switch (c->kind) {
	case KIND_RELEASE:
	case KIND_POPULATE:
		return reservation(c, start, count);
	case KIND_PHYSMAP:
		return physmap(r, c, start);
	case KIND_MAP:
		c->effect = GUESTCALL_RAM_MAP;
		c->check = 4;
		c->most = count;
		return start ? ERR_NOSYS : 0;
	case KIND_VCPU_INFO:
		return vcpu_info(c);
	case KIND_SEND:
		if (r->store != GUESTCALL_STORE_L1 && load(c->data, 4) == GUESTSTORE_PORT)
			c->effect = GUESTCALL_STORE;
		return 0;
	case KIND_GET_PARAM:
		return param(r, c, PARAMS_GET);
	case KIND_SET_PARAM:
		return param(r, c, PARAMS_SET);
	default:
		return 0;
	}
}

static int decide(const struct guestcall_request *r, struct guestcall *c)
{
	uint64_t number = narrow(c, r->number), first = narrow(c, r->arg[0]);
	bool memory = number == MEMORY_OP;
	const struct row *row = find(number, memory ? first & MEMORY_SUB : first);
	int err;

	if (r->cpl)
		return ERR_PERM;
	if (!row)
		return ERR_NOSYS;
	c->pass = row->kind != KIND_DROP;
	c->kind = row->kind;
	c->most_result = row->most;
	c->args = row->args;
	for (unsigned int i = 0; i < row->args; i++)
		c->arg[i] = c->kind == KIND_YIELD ? 0 : narrow(c, r->arg[i]);
	set_rule(c, row->rule, row->taken[c->wide]);
	if (c->kind == KIND_CONSOLE)
		return console(r, c);
	err = add(r, c, c->arg[row->args - 1], row->bytes[c->wide], row->shown[c->wide]);
	if (err)
		return err;
	c->operand[0].taken_at = row->taken_at;
	c->operand[0].taken = row->taken[c->wide];
	return apply(r, c, memory ? first >> MEMORY_SHIFT : 0);
}

const uint8_t *guestcall_registers(bool wide)
{
	static const uint8_t numbers[2][GUESTCALL_ARGS] = {{RBX, RCX, RDX, RSI, RDI},
							   {RDI, RSI, RDX, R10, R8}};

	return numbers[wide];
}

uint64_t guestcall_error(const struct guestcall *c, int err)
{
	return narrow(c, (uint64_t)(int64_t)err);
}

void guestcall_decide(const struct guestcall_request *r, struct guestcall *c)
{
	int err;

	memset(c, 0, offsetof(struct guestcall, data));
	c->wide = r->wide;
	err = decide(r, c);
	if (err) {
		c->pass = false;
		c->answer = guestcall_error(c, err);
	}
	if (!c->pass) {
		c->operands = 0;
		c->effect = GUESTCALL_NOTHING;
	}
}

bool guestcall_accept(const struct guestcall *c, uint64_t *rax, uint8_t *taken)
{
	int64_t result = c->wide ? (int64_t)*rax : (int32_t)*rax;
	uint64_t value;

	if (result < -ERRNO_MAX || result > (int64_t)c->most_result)
		result = ERR_IO;
	if (result >= 0 && c->check) {
		value = (load(taken + c->check_at, c->check) & c->mask) | c->set;
		memcpy(taken + c->check_at, &value, c->check);
		if (value && (value < c->least || value > c->most))
			result = ERR_IO;
	}
	*rax = narrow(c, (uint64_t)result);
	return result >= 0;
}

/* Whether argument i, which has changed, did so by progress. */
static bool progress(const struct guestcall *c, unsigned int i, const uint64_t *arg)
{
	uint64_t first = narrow(c, arg[0]);

	if (i == 0)
		return (first & MEMORY_SUB) == (c->arg[0] & MEMORY_SUB) && first > c->arg[0] &&
		       first >> MEMORY_SHIFT < c->end;
	return c->kind == KIND_CONSOLE && narrow(c, arg[1]) < c->arg[1] &&
	       narrow(c, arg[1] + arg[2]) == narrow(c, c->arg[1] + c->arg[2]);
}

int guestcall_resume(const struct guestcall *c, const uint64_t arg[GUESTCALL_ARGS])
{
	for (unsigned int i = 0; i < c->args; i++)
		if (narrow(c, arg[i]) != c->arg[i] && !progress(c, i, arg))
			return ERR_INVAL;
	return 0;
}

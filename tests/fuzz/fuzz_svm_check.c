/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: the fields of a VMCB that are checked, then what its guest and its L1 do to permission
 * maps, struct step each. A VMCB that passes has its maps in memory; and whatever happens, after an
 * entry no bit is open that L1 has closed, or that the monitor keeps closed.
 */
#include <string.h>

#include "monitor/fake/machine.h"
#include "monitor/svm/svm.h"

#define RAM_SIZE (16 * PAGE_SIZE)

struct fields {
	uint32_t intercept1, intercept2, asid;
	uint16_t attrib;
	uint8_t nested_ctl, plain;
	uint64_t msrpm, iopm, nested_cr3, event, efer, cr0, cr3, cr4, dr6, dr7, pat;
};

struct step {
	uint8_t what, size;
	uint16_t port;
	uint32_t msr;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t msrpm[MSRPM_BYTES], iopm[IOPM_BYTES];
static struct hw_vcpu v = {
	.msr = {.bits = msrpm, .size = MSRPM_BYTES},
	.io = {.bits = iopm, .size = IOPM_BYTES},
};

static void fill(struct vmcb *vmcb, const struct fields *f)
{
	/* Without this bit only what is far from valid comes by. */
	uint64_t near = f->plain & 1 ? RAM_SIZE - 1 : UINT64_MAX;

	memset(vmcb, 0, sizeof(*vmcb));
	vmcb->c.intercept1 = f->intercept1;
	vmcb->c.intercept2 = f->intercept2;
	vmcb->c.asid = f->asid;
	vmcb->c.nested_ctl = f->nested_ctl;
	vmcb->c.nested_cr3 = f->nested_cr3 & near;
	vmcb->c.msrpm_base = f->msrpm & near;
	vmcb->c.iopm_base = f->iopm & near;
	vmcb->c.event_inj = f->event;
	vmcb->s.efer = f->efer;
	vmcb->s.cr0 = f->cr0;
	vmcb->s.cr3 = f->cr3;
	vmcb->s.cr4 = f->cr4;
	vmcb->s.dr6 = f->dr6;
	vmcb->s.dr7 = f->dr7;
	vmcb->s.pat = f->pat;
	vmcb->s.cs.attrib = f->attrib;
}

static void check_vmcb(const struct vmcb *vmcb)
{
	const struct svm_features features = {.phys_bits = 40};

	struct svm_looked none = {0};

	if (!svm_check_controls(&vmcb->c, &none)) {
		ASSERT(vmcb->c.asid && (vmcb->c.intercept2 & INTERCEPT2(VMEXIT_VMRUN)));
		ASSERT(phys_host(HPA(vmcb->c.msrpm_base & PAGE_MASK), MSRPM_BYTES));
		ASSERT(phys_host(HPA(vmcb->c.iopm_base & PAGE_MASK), IOPM_BYTES));
		ASSERT(vmcb->c.nested_ctl <= NESTED_CTL_NP);
		ASSERT(!vmcb->c.nested_ctl ||
		       phys_host(HPA(vmcb->c.nested_cr3 & PAGE_MASK), PAGE_SIZE));
	}
	if (!svm_check_state(&vmcb->s, &features)) {
		ASSERT(vmcb->s.efer & EFER_SVME);
		ASSERT(!((vmcb->s.cr0 | vmcb->s.cr4 | vmcb->s.dr6 | vmcb->s.dr7) >> 32));
	}
}

/* L1's bits as the hardware would see them; all set where there is no memory. */
static uint8_t l1_byte(uint64_t map, unsigned int i)
{
	uint8_t byte = 0xff;

	phys_read(&byte, HPA((map & PAGE_MASK) + i), 1);
	return byte;
}

/* A bit that is 0 in the monitor's map is 0 in L1's. Almost all of the map is closed. */
static void check_map(const uint8_t *map, size_t n, uint64_t l1_map)
{
	static const uint8_t all_closed[64] = {[0 ... 63] = 0xff};

	for (unsigned int i = 0; i < n; i++) {
		if (i % 64 == 0 && !memcmp(map + i, all_closed, 64))
			i += 63;
		else
			ASSERT(!(~map[i] & l1_byte(l1_map, i)));
	}
}

static void check_maps(const struct vmcb_control *c)
{
	if (c->intercept1 & INTERCEPT1(VMEXIT_MSR))
		check_map(msrpm, MSRPM_BYTES, c->msrpm_base);
	if (c->intercept1 & INTERCEPT1(VMEXIT_IOIO))
		check_map(iopm, IOPM_BYTES, c->iopm_base);
}

/* Bits of the map by number: APM volume 2, 15.11. */
static void check_closed(void)
{
	static const unsigned int closed[] = {
		0x1b * 2 + 1,           0x830 * 2 + 1,      0x8000 + 0x114 * 2,
		0x8000 + 0x114 * 2 + 1, 0x8000 + 0x117 * 2, 0x8000 + 0x117 * 2 + 1,
	};

	for (size_t i = 0; i < ARRAY_SIZE(closed); i++)
		ASSERT(msrpm[closed[i] / 8] >> closed[i] % 8 & 1);
}

static void l1_writes(const struct vmcb_control *c, const struct step *s)
{
	uint64_t map = s->what & 8 ? c->iopm_base : c->msrpm_base;
	uint8_t *byte = phys_host_rw(HPA((map & PAGE_MASK) + s->msr % IOPM_BYTES), 1);

	if (byte)
		*byte = (uint8_t)s->port;
}

static void do_step(struct vmcb_control *c, const struct step *s)
{
	static const uint32_t base[] = {0, 0xc0000000, 0xc0010000};
	uint32_t msr = s->size & 0x80 ? s->msr : base[s->size % 3] + s->msr % 0x2000;
	bool allowed, opened = true;

	switch (s->what & 7) {
	case 0:
	case 1:
		allowed = svm_maps_open_msr(&v, msr, s->what & 8, &opened);
		ASSERT(allowed || !opened);
		break;
	case 2:
	case 3:
		permit_port(&v.io, false, s->port, 1u << s->size % 3);
		break;
	case 4:
	case 5:
		l1_writes(c, s);
		break;
	case 6:
		c->intercept1 = s->msr;
		break;
	default:
		svm_maps_sync(&v, c);
		check_maps(c);
	}
	ASSERT(v.msr.count <= PERMIT_OPEN_MAX && v.io.count <= PERMIT_OPEN_MAX);
	check_closed();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vmcb vmcb;
	struct fields f;
	struct step s;

	if (size < sizeof(f))
		return 0;
	if (!phys_host(HPA(0), 1))
		fake_add_ram(HPA(0), RAM_SIZE);
	memset(fake_at(HPA(0), RAM_SIZE), 0, RAM_SIZE);
	memcpy(&f, data, sizeof(f));
	fill(&vmcb, &f);
	check_vmcb(&vmcb);
	svm_maps_reset(&v, false);
	svm_maps_sync(&v, &vmcb.c);
	for (data += sizeof(f), size -= sizeof(f); size >= sizeof(s); size -= sizeof(s)) {
		memcpy(&s, data, sizeof(s));
		do_step(&vmcb.c, &s);
		data += sizeof(s);
	}
	svm_maps_sync(&v, &vmcb.c);
	check_maps(&vmcb.c);
	return 0;
}

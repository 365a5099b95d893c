/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks by registers that stay in the CPU when a guest comes out: x87 to AVX, debug registers, MSRs. */
#include "lib/cpu.h"
#include "lib/mem.h"
#include "tests/attack/l1/attacks.h"
#include "tests/attack/l1/fpu_area.h"
#include "tests/attack/l1/world.h"

#define ROUNDS 40
#define CPUID_WIDE (1u << 26 | 1u << 28) /* leaf 1, ECX: XSAVE, AVX */
#define OUT_BYTES 1u
#define XSETBV_BYTES 3u
#define OWN 0x4c31000000000000u

enum { X87, SSE, AVX, DEBUG, STAR, LSTAR, CSTAR, FMASK, KERNEL_GS, FAULT, WAYS };

static const struct {
	const char *name;
	uint32_t msr;
} ways[WAYS] = {
	[X87] = {"x87", 0},
	[SSE] = {"SSE", 0},
	[AVX] = {"AVX", 0},
	[DEBUG] = {"DR0", 0},
	[STAR] = {"STAR", MSR_STAR},
	[LSTAR] = {"LSTAR", MSR_LSTAR},
	[CSTAR] = {"CSTAR", MSR_CSTAR},
	[FMASK] = {"FMASK", MSR_SFMASK},
	[KERNEL_GS] = {"KERNEL_GS_BASE", MSR_KERNEL_GS_BASE},
	[FAULT] = {"CR2", 0},
};

static struct fpu_area mine, found;
static bool wide;
static bool seen[WAYS]; /* L1 has met something that is not its own */

static bool is_tried(unsigned w)
{
	return (w != AVX || wide) && (w <= DEBUG || hv_registers_stay);
}

/* What L1 has in a register in this round. */
static uint64_t own(unsigned w, unsigned round)
{
	return (w == STAR ? OWN : 0) + (uint64_t)w * 0x10000 + round;
}

static void set_own(unsigned round)
{
	write_dr0(own(DEBUG, round));
	for (unsigned w = STAR; w <= KERNEL_GS && hv_registers_stay; w++)
		wrmsr(ways[w].msr, own(w, round));
	if (hv_registers_stay)
		write_cr2(own(FAULT, round));
}

static void look(const struct vm *v, unsigned round)
{
	if (hv_registers_stay)
		seen[FAULT] |= read_cr2() != own(FAULT, round);
	for (unsigned w = STAR; w <= KERNEL_GS && hv_registers_stay; w++)
		seen[w] |= rdmsr(ways[w].msr) != own(w, round);
	seen[DEBUG] |= read_dr0() && read_dr0() != own(DEBUG, round);
	hv_use_fpu();
	fpu_get(&found, wide);
	seen[X87] |= has_secret(v, found.b + FPU_X87, FPU_SSE - FPU_X87);
	seen[SSE] |= has_secret(v, found.b + FPU_SSE, 256);
	seen[AVX] |= wide && has_secret(v, found.b + FPU_AVX, 256);
}

/* What L1 puts into its registers is there. */
static void use(unsigned round)
{
	static const uint64_t junk[8] = {1, 2, 3, 4, 5, 6, 7, 8};

	fpu_fill(&mine, junk, round);
	hv_use_fpu();
	fpu_put(&mine, wide);
	fpu_get(&found, wide);
	CHECK(fpu_same(&mine, &found, FPU_X87, 384), "L1 does not keep its own registers");
	CHECK(!wide || fpu_same(&mine, &found, FPU_AVX, 256), "L1 does not keep AVX");
}

static enum came enter(struct vm *v)
{
	enum came came = vm_enter(v);

	if (came == CAME_OTHER) { /* XSETBV: L1 has done it too */
		hv_skip(&v->g, XSETBV_BYTES);
		came = vm_enter(v);
	}
	return came;
}

/*
 * The victim goes on after each of many exits at which it has its secret in all these registers. In some
 * rounds L1 does not touch its x87, SSE and AVX at all.
 */
static struct vm *keep(bool overwrite)
{
	unsigned round = 0;
	struct vm *v;

	wide = (cpuid(1, 0).c & CPUID_WIDE) == CPUID_WIDE;
	memset(seen, 0, sizeof(seen));
	fpu_on(wide); /* CR4 is what exits are to load */
	v = victim_new();
	vm_tell(v, VICTIM_KEEP, ROUNDS, wide);
	for (;; round++) {
		set_own(round);
		if (enter(v) != CAME_PORT)
			break;
		if (!overwrite && round % 2)
			look(v, round);
		if (overwrite || round % 3 == 0)
			use(round);
		hv_skip(&v->g, OUT_BYTES);
	}
	CHECK(round == ROUNDS, "it came out after %u rounds: exit 0x%x", U64(round), v->exit);
	return v;
}

static void cpu_read(void)
{
	keep(false);
	for (unsigned w = 0; w < WAYS; w++)
		if (is_tried(w)) {
			way_begin(ways[w].name);
			way(seen[w]);
		}
	judge_ways();
}

static void cpu_write(void)
{
	struct vm *v = keep(true);

	if (v->shared->reply)
		succeeded("registers of its have changed: 0x%x", v->shared->reply);
	else
		failed("its registers are its own");
}

const struct attack cpu_attacks[] = {
	{"cpu-read", cpu_read},
	{"cpu-write", cpu_write},
	{NULL, NULL},
};

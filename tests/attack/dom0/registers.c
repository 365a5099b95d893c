/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on the victim's registers: they want to read them, or to have it go on with others. */
#include "tests/attack/dom0/attacks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xen/hvm/params.h>
#include <xen/hvm/save.h>

#include "tests/attack/dom0/context.h"
#include "tests/attack/pattern.h"

#define TRIES 60 /* the victim has its secret in general registers for half of its time */
#define PRINTED 10
#define TEXT_BYTES (1 << 20)
#define CODE64 0xa9bu /* a segment's attributes as Xen keeps them */
#define DATA 0xc93u
#define TSS 0x8bu
#define EFER_LONG 0x500u
#define CR0_PAGING 0x80010011u
#define CR0_PE 1u
#define CR4_PAE 0x20u
#define FLAG_TF 0x100u

/* --- what Xen says of registers --------------------------------------------------------------- */

static void note_general(const HVM_SAVE_TYPE(CPU) * c, uint64_t out[8])
{
	const uint64_t general[8] = {c->rbx, c->rbp, c->r12, c->r13, c->r14, c->r15, c->r8, c->r9};

	memcpy(out, general, sizeof(general));
}

static void note_system(const HVM_SAVE_TYPE(CPU) * c, uint64_t out[8])
{
	const uint64_t system[8] = {c->msr_star, c->dr1, c->cr2};

	memcpy(out, system, sizeof(system));
}

static void note_vector(const HVM_SAVE_TYPE(CPU) * c, uint64_t out[8])
{
	memcpy(out, c->fpu_regs + 160 + 4 * 16, 64); /* XMM4 to XMM7 in FXSAVE's format */
}

/* Looks at the victim again and again, at whatever it is doing. */
static void find(struct world *w, void (*note)(const HVM_SAVE_TYPE(CPU) * c, uint64_t out[8]),
		 const char *what)
{
	HVM_SAVE_TYPE(CPU) cpu;
	uint64_t words[8];

	for (int i = 0; i < TRIES; i++) {
		if (!context_read(w, &cpu))
			return untried(w, errno, "reading its registers");
		note(&cpu, words);
		if (has_secret(w, words, sizeof(words)))
			return succeeded(w, "the secret is in %s, at look %d", what, i + 1);
		wait_ms(20);
	}
	failed(w, "no word of the secret in %s, %d times", what, TRIES);
}

void registers_read(struct world *w)
{
	find(w, note_general, "general registers");
}

void system_read(struct world *w)
{
	find(w, note_system, "STAR, DR1 or CR2");
}

void vectors_read(struct world *w)
{
	find(w, note_vector, "XMM4 to XMM7");
}

/* A word of the secret as a hexadecimal number. */
static bool text_has_secret(const struct world *w, const char *text)
{
	char word[20];

	for (uint64_t i = 0; i < SECRET_WORDS; i++) {
		(void)snprintf(word, sizeof(word), "%016llx",
			       (unsigned long long)pattern(w->seed, PATTERN_SECRET, i));
		if (strstr(text, word))
			return true;
	}
	return false;
}

/* Whether a program of Xen's prints the secret; -1 if it fails. */
static int printed(struct world *w, const char *command, char *text)
{
	FILE *out = popen(command, "r");
	size_t n = 0;

	if (!out)
		return -1;
	n = fread(text, 1, TEXT_BYTES - 1, out);
	text[n] = 0;
	if (pclose(out) || n < 200)
		return -1;
	return text_has_secret(w, text);
}

static void find_printed(struct world *w, const char *format)
{
	static char text[TEXT_BYTES];
	char command[64];
	int has;

	(void)snprintf(command, sizeof(command), format, w->victim);
	for (int i = 0; i < PRINTED; i++) {
		has = printed(w, command, text);
		if (has < 0)
			return untried(w, 0, "%s fails", command);
		if (has)
			return succeeded(w, "%s prints the secret, at look %d", command, i + 1);
	}
	failed(w, "%s prints no word of the secret, %d times", command, PRINTED);
}

void xenctx_read(struct world *w)
{
	find_printed(w, "xenctx -a %u 0");
}

void hvmctx_read(struct world *w)
{
	find_printed(w, "xen-hvmctx %u");
}

/* --- other registers -------------------------------------------------------------------------- */

/* Whether the victim has its whole secret in them: then it needs them for nothing else. */
static bool hold_secret(const struct world *w, const uint64_t words[SECRET_WORDS])
{
	for (uint64_t i = 0; i < SECRET_WORDS; i++)
		if (words[i] != pattern(w->seed, PATTERN_SECRET, i))
			return false;
	return true;
}

/*
 * Its general registers, at a moment at which it has its secret in them. Where that is not to be seen, at any:
 * it must make no difference.
 */
void registers_write(struct world *w)
{
	HVM_SAVE_TYPE(CPU) cpu;
	uint64_t words[8];

	for (int i = 0; i < TRIES; i++) {
		if (xc_domain_pause(w->xc, w->victim) || !context_read(w, &cpu))
			return untried(w, errno, "reading its registers");
		note_general(&cpu, words);
		if (hold_secret(w, words) || i == TRIES - 1) {
			cpu.rbx = cpu.r8 = cpu.r12 = 0x6174746163b3d;
			if (!context_write(w, 0, &cpu))
				return untried(w, errno, "writing its registers");
			i = TRIES;
		}
		if (xc_domain_unpause(w->xc, w->victim))
			return untried(w, errno, "unpause");
		wait_ms(20);
	}
	expect_sign(w, SIGN_GENERAL, "its general registers");
}

static void change(struct world *w, void (*edit)(HVM_SAVE_TYPE(CPU) * cpu), unsigned int sign,
		   const char *what)
{
	HVM_SAVE_TYPE(CPU) cpu;

	if (xc_domain_pause(w->xc, w->victim) || !context_read(w, &cpu))
		return untried(w, errno, "reading its registers");
	edit(&cpu);
	if (!context_write(w, 0, &cpu) || xc_domain_unpause(w->xc, w->victim))
		return untried(w, errno, "writing its registers");
	expect_sign(w, sign, what);
}

static void edit_system(HVM_SAVE_TYPE(CPU) * cpu)
{
	cpu->msr_star = 0x23001000000000;
	cpu->dr1 = cpu->cr2 = 0x41000;
}

void system_write(struct world *w)
{
	change(w, edit_system, SIGN_SYSTEM, "STAR, DR1 or CR2");
}

static void edit_vector(HVM_SAVE_TYPE(CPU) * cpu)
{
	memset(cpu->fpu_regs + 160 + 4 * 16, 0x41, 64);
	cpu->flags |= XEN_X86_FPU_INITIALISED;
}

void vectors_write(struct world *w)
{
	change(w, edit_vector, SIGN_VECTOR, "XMM4 to XMM7");
}

static void edit_time(HVM_SAVE_TYPE(CPU) * cpu)
{
	cpu->tsc -= 1ull << 34;
}

void clock_back(struct world *w)
{
	change(w, edit_time, SIGN_TIME, "its clock");
}

/* From now on RDTSC exits, and Xen says when the guest began. */
void clock_emulated(struct world *w)
{
	if (xc_domain_set_tsc_info(w->xc, w->victim, 1, 1000, 0, 0))
		return untried(w, errno, "having RDTSC emulated");
	expect_sign(w, SIGN_TIME, "its clock");
}

/* As a debugger does: on from code that tells the secret. */
void steer(struct world *w)
{
	static vcpu_guest_context_any_t c;

	if (xc_domain_pause(w->xc, w->victim) || xc_vcpu_getcontext(w->xc, w->victim, 0, &c))
		return untried(w, errno, "reading its registers");
	c.x64.user_regs.rip = w->tell;
	if (xc_vcpu_setcontext(w->xc, w->victim, 0, &c) || xc_domain_unpause(w->xc, w->victim))
		return untried(w, errno, "writing its registers");
	expect_told(w);
}

static void edit_flags(HVM_SAVE_TYPE(CPU) * cpu)
{
	cpu->rflags |= FLAG_TF;
}

/* Single-stepping: it traps behind each instruction. */
void single_step(struct world *w)
{
	change(w, edit_flags, SIGN_EVENT, "a handler");
}

/* --- processors --------------------------------------------------------------------------------- */

/* Its second processor, which it has not started, begins in 64-bit mode at code of the host's choice. */
void processor_added(struct world *w)
{
	HVM_SAVE_TYPE(CPU) cpu;

	if (xc_domain_pause(w->xc, w->victim) || !context_read(w, &cpu))
		return untried(w, errno, "reading its registers");
	cpu.cr0 = CR0_PAGING;
	cpu.cr3 = w->root;
	cpu.cr4 = CR4_PAE;
	cpu.msr_efer = EFER_LONG;
	cpu.cs_sel = 8;
	cpu.cs_base = cpu.ds_base = cpu.es_base = cpu.ss_base = cpu.tr_base = cpu.ldtr_base = 0;
	cpu.cs_limit = cpu.ds_limit = cpu.es_limit = cpu.ss_limit = UINT32_MAX;
	cpu.cs_arbytes = CODE64;
	cpu.ds_sel = cpu.es_sel = cpu.ss_sel = 16;
	cpu.ds_arbytes = cpu.es_arbytes = cpu.ss_arbytes = DATA;
	cpu.tr_arbytes = TSS;
	cpu.rflags = 2;
	cpu.rip = w->stray;
	if (!context_write(w, 1, &cpu) || xc_domain_unpause(w->xc, w->victim))
		return untried(w, errno, "starting a processor");
	expect_sign(w, SIGN_EVENT, "code that it does not call");
}

/* Sleep and waking up as of a PC: its processor begins anew, where a firmware would be. */
void processor_reset(struct world *w)
{
	HVM_SAVE_TYPE(CPU) cpu;

	if (xc_hvm_param_set(w->xc, w->victim, HVM_PARAM_ACPI_S_STATE, 3) ||
	    xc_hvm_param_set(w->xc, w->victim, HVM_PARAM_ACPI_S_STATE, 0))
		return untried(w, errno, "putting it to sleep");
	wait_ms(1000);
	if (domain_stopped(w, w->victim))
		return failed(w, "the victim was stopped");
	if (!context_read(w, &cpu))
		return untried(w, errno, "reading its registers");
	if (cpu.cr0 & CR0_PE)
		failed(w, "it is where it was");
	else
		succeeded(w, "it runs at %#x:%#lx", cpu.cs_sel, cpu.rip);
}

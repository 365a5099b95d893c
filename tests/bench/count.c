/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin of QEMU's (TCG) that counts instructions and world switches, between marks that a guest's program sets:
 *   -plugin count.so,out=FILE[,symbols=FILE,text=FILE][,entry=N]
 * symbols: lines "START BYTES" (hexadecimal) of the monitor's functions; text: the monitor's image from its first byte on,
 * which is at the first line's START. An instruction is the monitor's if it is at such an address with those bytes: nothing
 * else has the same code there. A mark is the instruction of that name below, which does nothing; at each, FILE gets a line
 * "mark N all A monitor-enters M others-enter O" and, of each symbol, " INDEX:COUNT:CALLS". "Enters" are VMRUNs, each with an exit
 * for its other half; the others' are Xen's, which the monitor, if it is there, intercepts. entry: the monitor's first VMRUN,
 * by which L1 begins, is mark N.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* QEMU 7.2's interface for plugins, version 1: what of it is used here. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { INLINE_ADD_U64 };
enum { CB_NO_REGS };
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
						  void (*cb)(qemu_plugin_id_t,
							     struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *to,
						     uint64_t imm);
extern void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op,
						       void *to, uint64_t imm);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
						   void (*cb)(unsigned int, void *), int flags,
						   void *arg);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

#define SYMBOLS_MAX 4096u
#define TEXT_MAX (4u << 20)
static const uint8_t vmrun[] = {0x0f, 0x01, 0xd8};
/* nopl 0x4e4854xx(%rax,%rax,1); the byte xx is the mark's number. */
static const uint8_t mark[] = {0x0f, 0x1f, 0x84, 0x00}, mark_end[] = {0x54, 0x48, 0x4e};

static struct {
	uint64_t start, bytes, count, calls;
} symbol[SYMBOLS_MAX];
static size_t symbols, text_bytes;
static uint8_t text[TEXT_MAX];
static uint64_t all, monitor_enters, others_enter;
static FILE *out;
static unsigned long entry; /* the mark's number; 0: none, or it has been */

static void at_mark(unsigned int cpu, void *number)
{
	fprintf(out, "mark %u all %" PRIu64 " monitor-enters %" PRIu64 " others-enter %" PRIu64,
		(unsigned int)(uintptr_t)number, all, monitor_enters, others_enter);
	for (size_t i = 0; i < symbols; i++)
		if (symbol[i].count)
			fprintf(out, " %zu:%" PRIu64 ":%" PRIu64, i, symbol[i].count,
				symbol[i].calls);
	fprintf(out, "\n");
	fflush(out);
}

static void at_enter(unsigned int cpu, void *arg)
{
	if (entry)
		at_mark(cpu, (void *)entry);
	entry = 0;
}

/* The symbol that an instruction belongs to, or -1 if it is not the monitor's. */
static long symbol_of(uint64_t at, const uint8_t *code, size_t n)
{
	size_t low = 0, high = symbols;

	if (!symbols || at < symbol[0].start || at - symbol[0].start + n > text_bytes ||
	    memcmp(text + (at - symbol[0].start), code, n))
		return -1;
	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (symbol[middle].start <= at)
			low = middle;
		else
			high = middle;
	}
	return (long)low;
}

static void see(struct qemu_plugin_insn *insn)
{
	const uint8_t *code = qemu_plugin_insn_data(insn);
	size_t n = qemu_plugin_insn_size(insn);
	long of = symbol_of(qemu_plugin_insn_vaddr(insn), code, n);

	if (of >= 0)
		qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &symbol[of].count,
							   1);
	if (of >= 0 && qemu_plugin_insn_vaddr(insn) == symbol[of].start)
		qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &symbol[of].calls,
							   1);
	if (n == sizeof(vmrun) && !memcmp(code, vmrun, n))
		qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64,
							   of >= 0 ? &monitor_enters
								   : &others_enter,
							   1);
	if (entry && of >= 0 && n == sizeof(vmrun) && !memcmp(code, vmrun, n))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, at_enter, CB_NO_REGS, NULL);
	if (n == 8 && !memcmp(code, mark, sizeof(mark)) &&
	    !memcmp(code + 5, mark_end, sizeof(mark_end)))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, at_mark, CB_NO_REGS,
						       (void *)(uintptr_t)code[4]);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &all, n);
	for (size_t i = 0; i < n; i++)
		see(qemu_plugin_tb_get_insn(tb, i));
}

static bool read_symbols(const char *name)
{
	FILE *f = fopen(name, "r");

	if (!f)
		return false;
	while (symbols < SYMBOLS_MAX && fscanf(f, "%" SCNx64 " %" SCNx64, &symbol[symbols].start,
					       &symbol[symbols].bytes) == 2)
		symbols++;
	fclose(f);
	return symbols > 0;
}

static bool read_text(const char *name)
{
	FILE *f = fopen(name, "rb");

	if (!f)
		return false;
	text_bytes = fread(text, 1, sizeof(text), f);
	fclose(f);
	return text_bytes > 0;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	bool good = true;

	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
		else if (!strncmp(argv[i], "symbols=", 8))
			good &= read_symbols(argv[i] + 8);
		else if (!strncmp(argv[i], "text=", 5))
			good &= read_text(argv[i] + 5);
		else if (!strncmp(argv[i], "entry=", 6))
			entry = strtoul(argv[i] + 6, NULL, 10);
		else
			good = false;
	}
	if (!good || !out) {
		fprintf(stderr, "count: bad arguments, or a file that cannot be opened\n");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}

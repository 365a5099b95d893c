/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random VMCBs that may do anything to the machine below but nothing to this program: whatever
 * runs executes only the stubs here and writes only the arena's data pages, and INTR, NMI and
 * shutdown always come out of it. Also on a bare machine, therefore.
 */
#ifndef L1_SVM_WILD_H
#define L1_SVM_WILD_H

#include "lib/random.h"
#include "svm/svm.h"

struct wild {
	struct random random;
	struct guest bases[3]; /* valid guests to mutate: long mode, 32-bit, real mode */
	struct guest g;        /* the one that runs */
	uint8_t *data;         /* 2 MiB, the only memory its guests can write */
	/*
	 * Tables of just stubs (read, execute), data, and the rest of this program read-only: as the root
	 * of guests without nested paging, as nested root, and as the guests' own. Walks write to the last
	 * one's pages (A/D bits), which the nested one therefore allows; so may guests, and it is restored
	 * now and then.
	 */
	uint64_t *safe, *nested, *own, *pristine;
	size_t own_pages;
	uint64_t *tables; /* WILD_TABLES pages for each of the four levels, random */
	uint64_t monitor; /* an address of the monitor's, or 0 */
	uint64_t monitor_size;
};

#define WILD_TABLES 8

void wild_start(struct wild *w, uint64_t seed);

/* Puts the next random VMCB and registers into w->g. */
void wild_next(struct wild *w);

/*
 * Runs it with the host's IF set, which with V_INTR_MASKING lets every interrupt come out; its exit
 * code.
 */
uint64_t wild_run(struct wild *w);

/* VMEXIT_INVALID, which TCG writes as 32 bits. */
static inline bool wild_refused(uint64_t exit_code)
{
	return exit_code == ~0ull || exit_code == 0xffffffff;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Keys by hypercall, in the clear: for development. */
#include "crypto/crypto.h"
#include "ept/phys.h"
#include "monitor/cpu.h"
#include "monitor/disks.h"
#include "monitor/hw.h"
#include "monitor/keys/keys.h"
#include "version.h"

const char keys_version[32] = NETHERVISOR_VERSION " DEV_KEYS";
const char *const keys_warning =
	"DEV_KEYS: keys of disks are taken from L1, which then knows them: FOR DEVELOPMENT ONLY";

int keys_attach(struct cpu *cpu, hpa_t page, uint64_t *number)
{
	struct mailbox_attach a;
	struct walk_space space;
	struct walk_result at;
	int err;

	hw_host_space(cpu, &space);
	if (page_offset(cpu->regs.r[RDX]) + sizeof(a) > PAGE_SIZE ||
	    walk_gva(&space, GVA(cpu->regs.r[RDX]), 0, &at) || phys_read(&a, at.hpa, sizeof(a)))
		return ERR_FAULT;
	err = disks_attach(page, &a, NULL, number);
	crypto_wipe(&a, sizeof(a));
	return err;
}

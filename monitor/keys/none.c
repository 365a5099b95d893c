/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/keys/keys.h"

#include "version.h"

const char keys_version[32] = NETHERVISOR_VERSION;
const char *const keys_warning = NULL;

int keys_attach(struct cpu *cpu, hpa_t page, uint64_t *number)
{
	return ERR_NOSYS;
}

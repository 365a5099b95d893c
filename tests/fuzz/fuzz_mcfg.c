/* SPDX-License-Identifier: Apache-2.0 */
/* An MCFG's contents, behind a right header. */
#include "monitor/boot/mcfg.h"
#include "tests/unit/test_boot_tables.h"

#define MCFG 0x3e02000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_info info;
	static struct mcfg mcfg;
	const char *why = NULL;
	int err;

	if (size > 4096)
		return 0;
	ram_all(true);
	table_put(MCFG, "MCFG", data, TABLE_HEADER + (uint32_t)size);
	tables_root(MCFG);
	err = mcfg_parse(&mcfg, &info, &why);
	ASSERT(mcfg.count <= MCFG_MAX && (err ? err < 0 && why && !mcfg.count : true));
	for (unsigned int i = 0; i < mcfg.count; i++) {
		struct range r = mcfg_bytes(&mcfg, i);

		ASSERT(r.start < r.end && r.start % MIB == 0 && r.end - r.start <= 256 * MIB);
		ASSERT(!(mcfg.range[i].base >> 52));
	}
	return 0;
}

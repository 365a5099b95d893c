/* SPDX-License-Identifier: Apache-2.0 */
/* The input is memory from BASE on; multiboot 1's information is at its start. */
#include "monitor/boot/multiboot.h"
#include "tests/unit/test_boot_ram.h"

#define BASE 0x1000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_info info;
	const char *why = NULL;
	int error;

	if (size > MIB)
		return 0;
	ram_reset((struct range){BASE, BASE + size}, true);
	ram_put(BASE, data, size);
	error = boot_parse(&info, MULTIBOOT1_BOOT_MAGIC, HPA(BASE), &why);
	if (error ? error > 0 || !why : !boot_info_is_sound(&info))
		abort();
	return 0;
}

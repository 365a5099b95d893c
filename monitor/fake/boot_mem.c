/* SPDX-License-Identifier: Apache-2.0 */
/* For tests that read nothing of the boot loader's and have no memory of it by themselves. */
#include "monitor/boot/boot.h"
#include "monitor/fake/machine.h"

void *boot_mem(hpa_t hpa, size_t len)
{
	return fake_at(hpa, len);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI's DMAR, behind its fixed part. */
#include "tests/fuzz/fuzz_iommu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_table(dmar_parse, data, size);
}

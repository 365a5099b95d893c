/* SPDX-License-Identifier: Apache-2.0 */
/* A policy, or a release's hashes, in YAML: what is taken keeps what the parser promises. */
#include <stdlib.h>

#include "attest/tool/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char why[POLICY_WHY];
	struct policy p;

	if (!policy_parse(&p, data, n, why)) {
		/* R23 */
		if (!p.eks.count && !(p.any_host && p.roots))
			abort();
		if ((policy_pcrs(&p) & 0x1b10) != 0x1b10 || policy_pcrs(&p) >> 24)
			abort();
		policy_free(&p);
	}
	if (!policy_parse_events(&p, data, n, why))
		policy_free(&p);
	return 0;
}

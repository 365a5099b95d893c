/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence, alone; twice, as `watch` compares it; and JSON with all of it. */
#include <stdlib.h>

#include "attest/tool/bundle.h"
#include "attest/tool/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void read_json(const uint8_t *data, size_t n)
{
	cJSON *json = bundle_json((const char *)data, n);
	char why[BUNDLE_WHY];
	struct bundle b = {0};

	if (json && !bundle_identity(&b, json, why))
		bundle_evidence(&b, json, why);
	cJSON_Delete(json);
	bundle_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct evidence_all last, e;
	static FILE *nowhere;
	char why[EVIDENCE_WHY];
	struct bytes in;

	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	if (!n)
		return 0;
	in = bytes_copy(data + 1, n - 1);
	if (*data & 1) {
		read_json(in.at, in.n);
	} else if (!evidence_parse(&e, &in, why)) {
		evidence_print(&e, nowhere);
		if (watch_changes(&e, &e, nowhere))
			abort(); /* nothing has changed */
		watch_changes(&last, &e, nowhere);
		last = e;
		if (evidence_signed(&in, e.head.sign) && in.n < 300)
			abort();
	}
	bytes_free(&in);
	return 0;
}

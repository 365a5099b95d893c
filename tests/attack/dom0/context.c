/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/attack/dom0/context.h"

#include <string.h>
#include <time.h>

bool context_read(struct world *w, HVM_SAVE_TYPE(CPU) * cpu)
{
	return !xc_domain_hvm_getcontext_partial(w->xc, w->victim, HVM_SAVE_CODE(CPU), 0, cpu,
						 sizeof(*cpu));
}

static uint8_t *append(uint8_t *at, uint16_t code, uint16_t vcpu, const void *data, size_t n)
{
	struct hvm_save_descriptor d = {code, vcpu, (uint32_t)n};

	memcpy(at, &d, sizeof(d));
	if (n)
		memcpy(at + sizeof(d), data, n);
	return at + sizeof(d) + n;
}

/*
 * A stream with nothing but the header, which is as Xen makes it, and the registers. Vcpus that it does not have
 * are stopped: vCPU 0 gets its own.
 */
bool context_write(struct world *w, uint16_t vcpu, const HVM_SAVE_TYPE(CPU) * cpu)
{
	uint8_t stream[sizeof(HVM_SAVE_TYPE(HEADER)) + 2 * sizeof(*cpu) +
		       4 * sizeof(struct hvm_save_descriptor)];
	static uint8_t whole[64 * 1024];
	HVM_SAVE_TYPE(CPU) first;
	uint8_t *end;

	if (xc_domain_hvm_getcontext(w->xc, w->victim, whole, sizeof(whole)) < 0)
		return false;
	end = append(stream, HVM_SAVE_CODE(HEADER), 0, whole + sizeof(struct hvm_save_descriptor),
		     sizeof(HVM_SAVE_TYPE(HEADER)));
	if (vcpu && !context_read(w, &first))
		return false;
	if (vcpu)
		end = append(end, HVM_SAVE_CODE(CPU), 0, &first, sizeof(first));
	end = append(end, HVM_SAVE_CODE(CPU), vcpu, cpu, sizeof(*cpu));
	end = append(end, HVM_SAVE_CODE(END), 0, NULL, 0);
	return !xc_domain_hvm_setcontext(w->xc, w->victim, stream, (uint32_t)(end - stream));
}

void wait_ms(unsigned int ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

	(void)nanosleep(&t, NULL);
}

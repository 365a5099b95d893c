/* SPDX-License-Identifier: Apache-2.0 */
/* Which vCPUs a guest lets in by start-up IPIs. The machine's guest state: CS base 0x9000, RIP 0, real mode. */
#include "monitor/startup.h"
#include "tests/unit/test_machine.h"

#define SIPI ((uint64_t)ICR_MODE_SIPI)
#define TO(id) ((uint64_t)(id) << 32)
#define VECTOR 9

static struct startup s;

static void begin(void)
{
	uint64_t *cs;

	machine(1);
	cpu->regs.rip = 0;
	cs = &cpu->hw->guest_state[DIGEST_SEGMENT + 4 * SEG_CS];
	cs[0] = VECTOR << 8;
	cs[1] = VECTOR << 12;
	s = (struct startup){.started = 0};
}

static void each_once(void **state)
{
	begin();
	assert_false(startup_allowed(&s, cpu));
	startup_note(&s, TO(2) | SIPI | VECTOR);
	startup_note(&s, TO(2) | SIPI | VECTOR); /* the second one of two */
	assert_true(startup_allowed(&s, cpu));
	assert_false(startup_allowed(&s, cpu)); /* a vCPU that nobody has started */
	startup_note(&s, TO(2) | SIPI | VECTOR);
	assert_false(startup_allowed(&s, cpu));
	startup_note(&s, TO(4) | SIPI | VECTOR);
	startup_note(&s, TO(6) | SIPI | VECTOR);
	assert_true(startup_allowed(&s, cpu));
	assert_true(startup_allowed(&s, cpu));
	assert_false(startup_allowed(&s, cpu));
}

static void other_ipis(void **state)
{
	begin();
	startup_note(&s, TO(2) | ICR_MODE_INIT | VECTOR);
	startup_note(&s, TO(2) | VECTOR);
	startup_note(&s, TO(2) | SIPI | (VECTOR + 1)); /* another place */
	assert_false(startup_allowed(&s, cpu));
}

static void to_all(void **state)
{
	const uint64_t icr[] = {SIPI | VECTOR | (uint64_t)ICR_SHORTHAND_OTHERS << 18,
				TO(0xff) | SIPI | VECTOR, TO(UINT32_MAX) | SIPI | VECTOR,
				TO(1) | SIPI | VECTOR | ICR_LOGICAL};

	for (size_t i = 0; i < ARRAY_SIZE(icr); i++) {
		begin();
		startup_note(&s, icr[i]);
		startup_note(&s, TO(2) | SIPI | VECTOR);
		for (unsigned int n = 0; n < 300; n++)
			assert_true(startup_allowed(&s, cpu));
	}
}

static void other_states(void **state)
{
	static const struct {
		unsigned int where;
		uint64_t value;
	} other[] = {
		{DIGEST_RIP, 1},
		{DIGEST_CR0, CR0_PE},
		{DIGEST_CR0, CR0_PG},
		{DIGEST_EFER, EFER_LME},
		{DIGEST_EFER, EFER_LMA},
		{DIGEST_CR3, 0x1000},
		{DIGEST_SEGMENT + 4 * SEG_CS, VECTOR << 4},
		{DIGEST_SEGMENT + 4 * SEG_CS + 1, (VECTOR << 12) + 16},
		{DIGEST_SEGMENT + 4 * SEG_CS + 1, (uint64_t)VECTOR << 24},
	};

	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		begin();
		startup_note(&s, TO(2) | SIPI | VECTOR);
		cpu->hw->guest_state[other[i].where] = other[i].value;
		cpu->regs.rip = cpu->hw->guest_state[DIGEST_RIP];
		assert_false(startup_allowed(&s, cpu));
		begin();
		startup_note(&s, TO(2) | SIPI | VECTOR);
		assert_true(startup_allowed(&s, cpu)); /* the refusal used nothing up */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_once),
		cmocka_unit_test(other_ipis),
		cmocka_unit_test(to_all),
		cmocka_unit_test(other_states),
	};

	return RUN_APART(tests);
}

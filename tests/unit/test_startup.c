/* SPDX-License-Identifier: Apache-2.0 */
/* Which vCPUs a guest lets in by start-up IPIs. The machine's guest state: CS base 0x9000, RIP 0, real mode. */
#include "monitor/apic.h"
#include "monitor/guest.h"
#include "tests/unit/test_machine.h"

#define INIT ((uint64_t)ICR_MODE_INIT | ICR_ASSERT)
#define SIPI ((uint64_t)ICR_MODE_SIPI)
#define TO(id) ((uint64_t)(id) << 32)
#define OTHERS ((uint64_t)ICR_SHORTHAND_OTHERS << 18)
#define VECTOR 9

static struct guest g;
static struct startup *const s = &g.protection.startup;
static struct guest_vcpu vcpu[4];

static void begin(void)
{
	uint64_t *cs;

	machine(1);
	cpu->regs.rip = 0;
	cs = &cpu->hw->guest_state[DIGEST_SEGMENT + 4 * SEG_CS];
	cs[0] = VECTOR << 8;
	cs[1] = VECTOR << 12;
	memset(&g, 0, sizeof(g));
	for (unsigned int i = 0; i < ARRAY_SIZE(vcpu); i++)
		vcpu[i] = (struct guest_vcpu){.guest = &g, .apic_id = STARTUP_UNKNOWN};
}

static bool begins(unsigned int i)
{
	unsigned int began = cpu->hw->began;
	bool is = startup_begin(cpu, &vcpu[i]);

	assert_int_equal(cpu->hw->began, began + is);
	return is;
}

static void each_once(void **state)
{
	begin();
	assert_false(begins(0));
	startup_note(s, 0, TO(2) | SIPI | VECTOR);
	startup_note(s, 0, TO(2) | SIPI | VECTOR); /* the second one of two */
	assert_true(begins(0));
	assert_int_equal(cpu->hw->sipi_vector, VECTOR);
	assert_false(begins(1)); /* a vCPU that nobody has started */
	startup_note(s, 0, TO(2) | SIPI | VECTOR);
	assert_false(begins(1)); /* it runs */
	startup_note(s, 0, TO(4) | SIPI | VECTOR);
	startup_note(s, 0, TO(6) | SIPI | VECTOR);
	assert_true(begins(1));
	assert_true(begins(2));
	assert_false(begins(3));
}

static void again_after_init(void **state)
{
	begin();
	startup_note(s, 0, TO(2) | INIT);
	startup_note(s, 0, TO(2) | SIPI | VECTOR);
	assert_true(begins(0));
	assert_true(startup_is(&vcpu[0], 2));
	assert_false(begins(0));
	startup_note(s, 0, TO(2) | ICR_MODE_INIT | ICR_LEVEL); /* de-assert */
	startup_note(s, 0, TO(2) | SIPI | VECTOR);
	assert_false(begins(0));
	startup_note(s, 0, TO(4) | INIT);
	startup_note(s, 0, TO(4) | SIPI | VECTOR);
	assert_false(begins(0)); /* another one's */
	startup_note(s, 0, TO(2) | INIT);
	assert_false(begins(0));
	startup_note(s, 0, TO(2) | SIPI | VECTOR);
	assert_true(begins(0));
}

static void other_ipis(void **state)
{
	begin();
	startup_note(s, 0, TO(2) | INIT | VECTOR);
	startup_note(s, 0, TO(2) | VECTOR);
	startup_note(s, 0, TO(2) | SIPI | (VECTOR + 1)); /* another place */
	assert_false(begins(0));
}

/* An NMI is expected by whom it was sent to, once. */
static void nmis(void **state)
{
	begin();
	startup_first(&vcpu[0], 4);
	assert_true(startup_is(&vcpu[1], 2));
	assert_true(startup_is(&vcpu[2], 4));
	startup_note(s, 0, TO(2) | ICR_MODE_NMI);
	assert_true(startup_nmi(&vcpu[1]));
	assert_false(startup_nmi(&vcpu[0]) || startup_nmi(&vcpu[2]));
	assert_false(startup_nmi(&vcpu[3])); /* nobody knows who it is */
	startup_nmi_taken(&vcpu[1]);
	assert_false(startup_nmi(&vcpu[1]));
	startup_note(s, 2, ICR_MODE_NMI | OTHERS);
	assert_true(startup_nmi(&vcpu[0]) && startup_nmi(&vcpu[2]));
	assert_false(startup_nmi(&vcpu[1]));
	startup_note(s, 2, ICR_MODE_NMI | (uint64_t)ICR_SHORTHAND_SELF << 18);
	assert_true(startup_nmi(&vcpu[1]));
}

static void local_vectors(void **state)
{
	begin();
	startup_lvt(&vcpu[0], 0x35, ICR_MODE_NMI | LVT_MASKED);
	startup_lvt(&vcpu[0], 0x36, 0xec);
	assert_false(startup_nmi(&vcpu[0]));
	startup_lvt(&vcpu[0], 0x35, ICR_MODE_NMI);
	assert_true(startup_nmi(&vcpu[0]));
	assert_false(startup_nmi(&vcpu[1]));
	startup_lvt(&vcpu[0], 0x36, ICR_MODE_NMI | LVT_MASKED);
	assert_true(startup_nmi(&vcpu[0]));
	startup_nmi_taken(&vcpu[0]);
	assert_true(startup_nmi(&vcpu[0]));                      /* whenever the pin is raised */
	startup_lvt(&vcpu[0], 0x835, ICR_MODE_NMI | LVT_MASKED); /* the same, by an MSR */
	assert_false(startup_nmi(&vcpu[0]));
	startup_lvt(&vcpu[0], 0x35, ICR_MODE_NMI);
	startup_note(s, 0, TO(2) | SIPI | VECTOR);
	assert_true(begins(0));
	assert_false(startup_nmi(&vcpu[0])); /* reset masks them */
}

/* The sender is not one of the others, nor is the boot processor started again. */
static void to_all(void **state)
{
	const uint64_t icr[] = {SIPI | VECTOR | OTHERS, TO(0xff) | SIPI | VECTOR,
				TO(UINT32_MAX) | SIPI | VECTOR,
				TO(1) | SIPI | VECTOR | ICR_LOGICAL};

	for (size_t i = 0; i < ARRAY_SIZE(icr); i++) {
		begin();
		startup_first(&vcpu[3], 3);
		startup_note(s, 0, icr[i]);
		assert_false(begins(3));
		assert_true(begins(0));
		assert_true(begins(1));
		assert_false(begins(2)); /* no more than there are */
		assert_true(startup_is(&vcpu[0], 4));
		assert_false(startup_is(&vcpu[1], 6)); /* nobody started that one */
		assert_false(begins(2));
		assert_false(begins(0)); /* what was meant for it is used up */
		assert_true(startup_is(&vcpu[1], 2));
		assert_false(begins(2));
		startup_note(s, 0, TO(4) | INIT);
		startup_note(s, 0, TO(4) | SIPI | VECTOR);
		assert_false(begins(2)); /* its own vCPU starts again */
		assert_true(begins(0));
	}
}

/* How many processors a guest without hvm_info has is not known: broadcasts reach those that are known. */
static void to_all_without_a_count(void **state)
{
	begin();
	startup_first(&vcpu[0], 0);
	startup_note(s, 0, SIPI | VECTOR | OTHERS);
	assert_false(begins(1));
	assert_true(startup_is(&vcpu[1], 2));
	startup_note(s, 0, SIPI | VECTOR | OTHERS);
	assert_true(begins(1));
}

/* What was started and did not come does not come after an INIT, nor in another one's place. */
static void init_withdraws(void **state)
{
	begin();
	startup_first(&vcpu[0], 4);
	startup_note(s, 0, TO(2) | SIPI | VECTOR);
	startup_note(s, 0, TO(2) | INIT);
	assert_false(begins(1));
	startup_note(s, 0, TO(2) | SIPI | VECTOR);
	assert_true(begins(1));
	assert_true(startup_is(&vcpu[1], 2)); /* the only one that it can be */
	assert_false(startup_is(&vcpu[1], 4));
	assert_false(startup_is(&vcpu[2], 2));
	assert_false(startup_is(&vcpu[2], 0));
	vcpu[3].entered = true; /* runs, and has never said who it is */
	startup_note(s, 0, TO(6) | SIPI | VECTOR);
	assert_false(begins(3));
	assert_true(begins(2));
}

static void identity(void **state)
{
	begin();
	assert_true(startup_is(&vcpu[0], 6));
	assert_true(startup_is(&vcpu[0], 6));
	assert_false(startup_is(&vcpu[0], 4));
	assert_false(startup_is(&vcpu[1], STARTUP_IDS));
	assert_false(startup_is(&vcpu[1], UINT32_MAX));
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
		{DIGEST_SEGMENT + 4 * SEG_CS, VECTOR << 4},
		{DIGEST_SEGMENT + 4 * SEG_CS + 1, (VECTOR << 12) + 16},
		{DIGEST_SEGMENT + 4 * SEG_CS + 1, (uint64_t)VECTOR << 24},
	};

	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		begin();
		startup_note(s, 0, TO(2) | SIPI | VECTOR);
		cpu->hw->guest_state[other[i].where] = other[i].value;
		cpu->regs.rip = cpu->hw->guest_state[DIGEST_RIP];
		assert_false(begins(0));
		begin();
		startup_note(s, 0, TO(2) | SIPI | VECTOR);
		assert_true(begins(0)); /* the refusal used nothing up */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_once),      cmocka_unit_test(again_after_init),
		cmocka_unit_test(other_ipis),     cmocka_unit_test(local_vectors),
		cmocka_unit_test(nmis),           cmocka_unit_test(to_all_without_a_count),
		cmocka_unit_test(init_withdraws), cmocka_unit_test(to_all),
		cmocka_unit_test(identity),       cmocka_unit_test(other_states),
	};

	return RUN_APART(tests);
}

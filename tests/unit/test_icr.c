/* SPDX-License-Identifier: Apache-2.0 */
/* L1's inter-processor interrupts: what is carried out, what is sent, what is refused. */
#include "monitor/refusal.h"
#include "tests/unit/test_machine.h"

#define CPUS 4u
#define INIT (ICR_MODE_INIT | ICR_ASSERT)
#define SIPI(vector) (ICR_MODE_SIPI | ICR_ASSERT | (vector))
#define SHORT_SELF (ICR_SHORTHAND_SELF << 18)
#define SHORT_ALL (ICR_SHORTHAND_ALL << 18)
#define SHORT_OTHERS (ICR_SHORTHAND_OTHERS << 18)
#define LEVEL (1u << 15)
#define UNTOUCHED 0xa5a5a5a5u

static uint32_t *reg(unsigned int offset)
{
	return mem_at(HPA(APIC_AT + offset));
}

static void set_up(void)
{
	machine(CPUS);
	*reg(APIC_ICR_LOW) = UNTOUCHED;
}

static void forget_requests(void)
{
	for (unsigned int i = 0; i < CPUS; i++) {
		cpu_at(i)->requests = 0;
		cpu_at(i)->init_pending = false;
		cpu_at(i)->sipi_vector = 0;
	}
}

/* xAPIC: the destination first, then the command. */
static void send(uint32_t dest, uint32_t command)
{
	forget_requests();
	store_eax(APIC_AT + APIC_ICR_HIGH, dest << 24);
	expect_done(5);
	assert_int_equal(*reg(APIC_ICR_HIGH), dest << 24);
	store_eax(APIC_AT + APIC_ICR_LOW, command);
	expect_done(5);
}

/* Bit i of the masks is CPU i. CPU 0 is the sender: its INIT waits until its next entry. */
static void expect_requests(unsigned int init, unsigned int sipi, unsigned int vector)
{
	for (unsigned int i = 0; i < CPUS; i++) {
		uint32_t want =
			(init >> i & 1 && i ? CPU_INIT : 0) | (sipi >> i & 1 ? CPU_SIPI : 0);

		assert_int_equal(cpu_at(i)->requests, want);
		assert_int_equal(cpu_at(i)->init_pending, !i && (init & 1));
		if (sipi >> i & 1)
			assert_int_equal(cpu_at(i)->sipi_vector, vector);
	}
	assert_int_equal(*reg(APIC_ICR_LOW), UNTOUCHED); /* none reached the wire */
}

static void init_and_sipi_go_to_one_cpu(void **state)
{
	set_up();
	for (unsigned int i = 1; i < CPUS; i++) {
		send(FAKE_APIC_ID(i), INIT);
		expect_requests(1u << i, 0, 0);
		send(FAKE_APIC_ID(i), INIT | LEVEL);
		expect_requests(1u << i, 0, 0);
		send(FAKE_APIC_ID(i), SIPI(0x9a));
		expect_requests(0, 1u << i, 0x9a);
	}
	send(FAKE_APIC_ID(0), INIT);
	expect_requests(1, 0, 0);
}

static void nobody_has_that_id(void **state)
{
	set_up();
	send(2, INIT);
	expect_requests(0, 0, 0);
	send(2, SIPI(1));
	expect_requests(0, 0, 0);
}

static void broadcast_reaches_all(void **state)
{
	set_up();
	send(0xff, INIT);
	expect_requests(0xf, 0, 0);
}

static void shorthands(void **state)
{
	set_up();
	send(0, INIT | SHORT_OTHERS);
	expect_requests(0xe, 0, 0);
	send(FAKE_APIC_ID(2), SIPI(7) | SHORT_OTHERS); /* the destination does not count */
	expect_requests(0, 0xe, 7);
	send(0, INIT | SHORT_ALL);
	expect_requests(0xf, 0, 0);
	send(FAKE_APIC_ID(2), INIT | SHORT_SELF);
	expect_requests(1, 0, 0);
	send(0, INIT | SHORT_OTHERS | ICR_LOGICAL); /* nor does how it is written */
	expect_requests(0xe, 0, 0);
}

static void logical_destinations_are_refused(void **state)
{
	uint64_t pos;

	set_up();
	for (int sipi = 0; sipi < 2; sipi++) {
		pos = log_end();
		send(0xff, (sipi ? SIPI(1) : INIT) | ICR_LOGICAL);
		expect_requests(0, 0, 0);
		assert_non_null(strstr(log_text(&pos), "logical"));
	}
}

static void the_de_assert_init_does_nothing(void **state)
{
	set_up();
	send(FAKE_APIC_ID(1), ICR_MODE_INIT | LEVEL);
	expect_requests(0, 0, 0);
	send(0xff, ICR_MODE_INIT | LEVEL | SHORT_ALL);
	expect_requests(0, 0, 0);
}

static void other_ipis_are_sent_as_they_are(void **state)
{
	const uint32_t modes[] = {0, 1, 4};

	set_up();
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		uint32_t icr = modes[i] << 8 | ICR_ASSERT | 0xfd | SHORT_OTHERS;

		*reg(APIC_ICR_LOW) = UNTOUCHED;
		send(FAKE_APIC_ID(1), icr);
		assert_int_equal(*reg(APIC_ICR_LOW), icr);
		*reg(APIC_ICR_LOW) = UNTOUCHED;
		expect_requests(0, 0, 0);
	}
}

/* SMIs, and what the manuals leave undefined. */
static void odd_ipis_are_not_sent(void **state)
{
	const uint32_t modes[] = {2, 3, 7};
	uint64_t last;

	set_up();
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		send(FAKE_APIC_ID(1), modes[i] << 8 | ICR_ASSERT | 0xfd);
		expect_requests(0, 0, 0); /* and the register is as it was */
	}
	assert_int_equal(refusal_count(REFUSAL_APIC, &last), ARRAY_SIZE(modes));
	assert_int_equal(last, APIC_AT + APIC_ICR_LOW);
}

static void local_vectors(void **state)
{
	static const uint16_t lvt[] = {0x2f0, 0x320, 0x330, 0x340, 0x350,
				       0x360, 0x370, 0x500, 0x530};
	static const uint32_t fine[] = {0x31, 0x10431, 0x400, 0x700, 0x10200, 0x10500, 0x1a031};
	static const uint32_t bad[] = {0x200, 0x500, 0x5ff, 0x300, 0x600, 0x20200};
	uint64_t last;

	set_up();
	for (size_t i = 0; i < ARRAY_SIZE(lvt); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(fine); j++) {
			store_eax(APIC_AT + lvt[i], fine[j]);
			expect_done(5);
			assert_int_equal(*reg(lvt[i]), fine[j]);
		}
		for (size_t j = 0; j < ARRAY_SIZE(bad); j++) {
			*reg(lvt[i]) = UNTOUCHED;
			store_eax(APIC_AT + lvt[i], bad[j]);
			expect_done(5);
			assert_int_equal(*reg(lvt[i]), UNTOUCHED);
		}
	}
	assert_int_equal(refusal_count(REFUSAL_APIC, &last), ARRAY_SIZE(lvt) * ARRAY_SIZE(bad));
	assert_int_equal(last, APIC_AT + 0x530);
}

static void other_registers_are_written(void **state)
{
	set_up();
	store_eax(APIC_AT + 0x80, 0x20);
	expect_done(5);
	assert_int_equal(*reg(0x80), 0x20);
	/* An INIT's bits in another register are nothing. */
	store_eax(APIC_AT + 0x380, INIT | SHORT_ALL);
	expect_done(5);
	assert_int_equal(*reg(0x380), INIT | SHORT_ALL);
	expect_requests(0, 0, 0);
	/* C7: an immediate */
	CODE_IS(0xc7, 0x05, 0xb0, 0x00, 0xe0, 0xfe, 0x78, 0x56, 0x34, 0x12);
	touch(APIC_AT + 0xb0, true);
	expect_done(10);
	assert_int_equal(*reg(0xb0), 0x12345678);
}

static void other_stores_fault(void **state)
{
	static const struct {
		uint8_t insn[8];
	} row[] = {
		{{0x66, 0xa3, 0x00, 0x03, 0xe0, 0xfe}}, /* 16 bits */
		{{0xa2, 0x00, 0x03, 0xe0, 0xfe}},       /* 8 bits */
		{{0x87, 0x05, 0x00, 0x03, 0xe0, 0xfe}}, /* XCHG */
		{{0x09, 0x05, 0x00, 0x03, 0xe0, 0xfe}}, /* OR */
		{{0xab}},                               /* STOSD */
		{{0xa3, 0x01, 0x03, 0xe0, 0xfe}},       /* misaligned */
		{{0xa3, 0x10, 0x03, 0xe0, 0xfe}},       /* another register than was written */
		{{0xa1, 0x00, 0x03, 0xe0, 0xfe}},       /* a load */
		{{0x0f, 0x11, 0x05, 0x00, 0x03, 0xe0, 0xfe}}, /* MOVUPS */
	};
	uint64_t pos;

	set_up();
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		code(row[i].insn, sizeof(row[i].insn));
		cpu->regs.r[RAX] = INIT | SHORT_OTHERS;
		cpu->regs.r[RDI] = APIC_AT + APIC_ICR_LOW;
		pos = log_end();
		touch(APIC_AT + (i == 5 ? 0x301 : APIC_ICR_LOW), true);
		expect_fault(VECTOR_GP);
		expect_requests(0, 0, 0);
		assert_non_null(strstr(log_text(&pos), "refused"));
	}
}

/* 64 bits over both halves of the command register would be one store in long mode. */
static void a_64_bit_store_faults(void **state)
{
	static const uint8_t insn[] = {0x48, 0x89, 0x07}; /* MOV [RDI], RAX */

	set_up();
	cpu->hw->mode = DECODE_64;
	code(insn, sizeof(insn));
	cpu->regs.r[RDI] = APIC_AT + APIC_ICR_LOW;
	cpu->regs.r[RAX] = INIT | SHORT_OTHERS;
	touch(APIC_AT + APIC_ICR_LOW, true);
	expect_fault(VECTOR_GP);
	expect_requests(0, 0, 0);
}

static void the_register_page_is_read_only(void **state)
{
	set_up();
	assert_true(host_allows(HPA(APIC_AT), TABLE_R));
	assert_false(host_allows(HPA(APIC_AT), TABLE_W));
	assert_false(host_allows(HPA(APIC_AT), TABLE_X));
	/* The rest of the megabyte takes interrupt messages. */
	assert_false(host_allows(HPA(APIC_AT + PAGE_SIZE), TABLE_W));
	assert_false(host_allows(HPA(APIC_AT + MIB - 1), TABLE_W));
	assert_true(host_allows(HPA(APIC_AT + MIB), TABLE_W));
	assert_true(host_allows(HPA(APIC_AT - 1), TABLE_W));
	assert_false(icr_page_write(cpu, HPA(APIC_AT - 1)));
	assert_false(icr_page_write(cpu, HPA(APIC_AT + PAGE_SIZE)));
}

/* --- x2APIC ----------------------------------------------------------------------------------- */

static void x2apic_send(uint32_t dest, uint32_t command)
{
	struct exit exit = {.reason = EXIT_MSR_WRITE};

	forget_requests();
	CODE_IS(0x0f, 0x30);
	cpu->regs.r[RCX] = MSR_X2APIC_ICR;
	cpu->regs.r[RAX] = command;
	cpu->regs.r[RDX] = dest;
	leave(&exit);
}

static void x2apic_set_up(void)
{
	set_up();
	fake_set_msr(MSR_APIC_BASE, APIC_AT | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	fake_set_msr(MSR_X2APIC_ICR, UNTOUCHED);
}

static void a_sipi_is_lost_while_its_init_waits(void **state)
{
	struct cpu *other;

	machine(2);
	other = cpu_at(1);
	other->waiting = false;
	other->hw->blocks_init = true;
	icr_arrived(other, CPU_INIT);
	icr_arrived(other, CPU_SIPI);
	assert_true(other->init_pending);
	assert_false(other->sipi_pending);
	other->hw->blocks_init = false;
	icr_arrived(other, CPU_SIPI);
	assert_true(other->sipi_pending);
}

static void x2apic_init_and_sipi(void **state)
{
	x2apic_set_up();
	x2apic_send(FAKE_APIC_ID(3), INIT);
	expect_done(2);
	expect_requests(8, 0, 0);
	x2apic_send(FAKE_APIC_ID(3), SIPI(0x10));
	expect_requests(0, 8, 0x10);
	x2apic_send(0xff, INIT); /* an id like any other, that nobody has */
	expect_requests(0, 0, 0);
	x2apic_send(FAKE_APIC_ID(1) | 0x100, INIT); /* all 32 bits count */
	expect_requests(0, 0, 0);
	x2apic_send(UINT32_MAX, INIT);
	expect_requests(0xf, 0, 0);
	x2apic_send(0, SIPI(0x10) | SHORT_OTHERS);
	expect_requests(0, 0xe, 0x10);
	assert_int_equal(fake_msr(MSR_X2APIC_ICR), UNTOUCHED);
}

static void x2apic_sends_the_others(void **state)
{
	x2apic_set_up();
	x2apic_send(0x12345, 0xfd | ICR_LOGICAL);
	expect_done(2);
	expect_requests(0, 0, 0);
	assert_int_equal(fake_msr(MSR_X2APIC_ICR), 0x12345000008fdu);
}

static void x2apic_refuses_odd_ones(void **state)
{
	uint64_t last;

	x2apic_set_up();
	for (uint32_t mode = 0x200; mode <= 0x300; mode += 0x100) {
		x2apic_send(FAKE_APIC_ID(1), mode);
		expect_done(2);
	}
	assert_int_equal(fake_msr(MSR_X2APIC_ICR), UNTOUCHED);
	assert_int_equal(refusal_count(REFUSAL_APIC, &last), 2);
	assert_int_equal(last, MSR_X2APIC_ICR);
}

static void no_x2apic_register_in_xapic_mode(void **state)
{
	set_up();
	fake_set_msr(MSR_X2APIC_ICR, UNTOUCHED);
	x2apic_send(FAKE_APIC_ID(1), INIT);
	expect_fault(VECTOR_GP);
	expect_requests(0, 0, 0);
	x2apic_send(FAKE_APIC_ID(1), 0xfd);
	expect_fault(VECTOR_GP);
	assert_int_equal(fake_msr(MSR_X2APIC_ICR), UNTOUCHED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_and_sipi_go_to_one_cpu),
		cmocka_unit_test(nobody_has_that_id),
		cmocka_unit_test(broadcast_reaches_all),
		cmocka_unit_test(shorthands),
		cmocka_unit_test(logical_destinations_are_refused),
		cmocka_unit_test(the_de_assert_init_does_nothing),
		cmocka_unit_test(other_ipis_are_sent_as_they_are),
		cmocka_unit_test(odd_ipis_are_not_sent),
		cmocka_unit_test(local_vectors),
		cmocka_unit_test(other_registers_are_written),
		cmocka_unit_test(other_stores_fault),
		cmocka_unit_test(a_64_bit_store_faults),
		cmocka_unit_test(the_register_page_is_read_only),
		cmocka_unit_test(a_sipi_is_lost_while_its_init_waits),
		cmocka_unit_test(x2apic_init_and_sipi),
		cmocka_unit_test(x2apic_sends_the_others),
		cmocka_unit_test(x2apic_refuses_odd_ones),
		cmocka_unit_test(no_x2apic_register_in_xapic_mode),
	};

	return RUN_APART(tests);
}

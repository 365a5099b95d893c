/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile L1 at the ports and in PCI configuration space of a software q35. Input: up to STEPS_MAX
 * struct step. Whatever it writes, what the chipset's protected registers hold stays, A20 stays on, and
 * neither a sleep nor a reset reaches the hardware without the monitor.
 */
#include "tests/unit/test_ports.h"

#define STEPS_MAX 64
#define SMI 0xb2u
#define S4 0xf2u

struct step {
	uint8_t kind; /* 0 out, 1 in, 2 a configuration address and data, 3 a store to it in memory */
	uint8_t size;
	uint16_t where;
	uint32_t value;
};

/* [from, to) of a function. */
static const struct {
	uint8_t devfn;
	uint16_t from, to;
} closed_bytes[] = {{HOST_BRIDGE, 0x40, 0x1000},
		    {LPC, 0x40, 0x48},
		    {LPC, 0xa0, 0xb0},
		    {LPC, 0xf0, 0xf4}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t at_boot[256][4096];

static void start(void)
{
	struct mcfg mcfg = {.count = 1, .range[0] = {ECAM, 0, 0, ECAM_BUSES - 1}};

	fake_reset();
	fake_add_ram(HPA(0), 64 * PAGE_SIZE);
	fake_add_monitor(HPA(BLOCK), BLOCK_SIZE);
	fake_add_device(HPA(APIC_AT), PAGE_SIZE);
	fake_add_device(HPA(ECAM), ECAM_BUSES * MIB);
	fake_msr_reset();
	fake_set_msr(MSR_APIC_BASE, APIC_AT | APIC_BASE_ENABLE);
	fake_cpus(1);
	fake_catch();
	log_console(false);
	ASSERT(!host_init(mem_top(), true, NULL) && !icr_init());
	cpu = cpu_at(0);
	chips();
	fadt.smi_command = SMI;
	fadt.s4_request = S4;
	fake_port_stream(0x511, "QEMU");
	port_init();
	ASSERT(!port_list() && !power_init(&fadt) && !pci_config_init(&mcfg) && !chipset_init());
	memcpy(at_boot[HOST_BRIDGE], fake_pci(HOST_BRIDGE), sizeof(at_boot[0]));
	memcpy(at_boot[LPC], fake_pci(LPC), sizeof(at_boot[0]));
}

/* An OUT that passed, now that it has. */
static void check_out(void)
{
	struct fake_out w = fake_last_out();

	for (unsigned int i = 0; i < w.size; i++) {
		uint16_t port = (uint16_t)(w.port + i);
		uint8_t byte = (uint8_t)(w.value >> 8 * i);

		ASSERT(port != 0x64 || ((byte & 0xf1) != 0xf0 && byte != 0xd1 && byte != 0xdd));
		ASSERT(port != 0x92 || (byte & 3) == 2);
		ASSERT(port != 0xcf9 || !(byte & 4));
		ASSERT(port != SMI || byte != S4);
		ASSERT(port != PM1 + 1 || !(byte & SLP_EN >> 8));
		ASSERT(port > 0xf && (port < 0xc0 || port > 0xdf));
		ASSERT(port != 0x7e && port != 0x7f && (port < 0x514 || port > 0x51b));
		ASSERT(port < PMBASE + 0x60 || port > PMBASE + 0x7f);
	}
}

static void check(enum fake_end end, unsigned int outs)
{
	unsigned int n = 0;

	ASSERT(end == FAKE_RETURNED || end == FAKE_RESET || end == FAKE_OFF);
	if (fake_outs() != outs)
		check_out();
	if (end == FAKE_OFF)
		ASSERT((fake_last_writes(&n)->value >> 10 & 7) == S5 && n == 1);
	ASSERT(cpu->hw->completed + cpu->hw->injected == (end == FAKE_RETURNED));
	for (size_t i = 0; i < ARRAY_SIZE(closed_bytes); i++) {
		uint8_t f = closed_bytes[i].devfn;
		const uint8_t *ecam = mem_at(HPA(ECAM + ((uint64_t)f << 12)));

		for (unsigned int b = closed_bytes[i].from; b < closed_bytes[i].to; b++)
			ASSERT(fake_pci(f)[b] == at_boot[f][b] && !ecam[b]);
	}
}

static void one(const struct step *s)
{
	uint8_t size = (uint8_t)(1u << s->size % 3);
	unsigned int outs;
	enum fake_end end;

	if (s->kind % 4 == 2)
		do_port(0xcf8, 4, false, s->value);
	outs = fake_outs();
	if (s->kind % 4 == 3) {
		uint64_t at = ECAM + (((uint64_t)s->where << 4) % (ECAM_BUSES * MIB) & ~3ull);
		uint8_t insn[] = {0xa3, (uint8_t)at, (uint8_t)(at >> 8), (uint8_t)(at >> 16),
				  (uint8_t)(at >> 24)};

		code(insn, sizeof(insn));
		cpu->regs.r[RAX] = s->value;
		end = fake_exit(cpu, &(struct exit){.reason = EXIT_NESTED_FAULT,
						    .fault = HPA(at),
						    .write = true});
	} else {
		uint16_t port = s->kind % 4 == 2 ? 0xcfc + s->where % 4 : s->where;

		end = port_exits(port, size)
			      ? do_port(port, size, s->kind % 4 == 1,
					s->kind % 4 == 2 ? s->where * 0x10001u : s->value)
			      : FAKE_RETURNED;
		if (!port_exits(port, size))
			return;
	}
	check(end, outs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step;

	start();
	for (unsigned int i = 0; i < STEPS_MAX && size >= sizeof(step); i++) {
		memcpy(&step, data, sizeof(step));
		one(&step);
		data += sizeof(step);
		size -= sizeof(step);
	}
	return 0;
}
